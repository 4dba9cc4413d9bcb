package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gapless/gapless/catalog"
)

// block is a fenced block of a guide: its language and its text.
var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

func readGuide(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatalf("%s has no blocks", name)
	}
	return blocks
}

func TestTheFirstPlantIsAsItsPageTells(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts two hubs: not among the short tests")
	}
	p := &pageReader{t: t, folder: t.TempDir(), stop: func() {}}
	defer func() { p.stop() }()
	for _, b := range readGuide(t, "first-plant.md") {
		switch b[1] {
		case "console":
			p.console(b[2])
		case "diff":
			p.change(b[2])
		default:
			t.Fatalf("a block of %s cannot be followed", b[1])
		}
	}
}

// A pageReader does what a page says, in a folder of its own.
type pageReader struct {
	t      *testing.T
	folder string
	hub    string // where the running hub listens
	stop   func() // ends it, where one runs
}

// A typed command and the lines that the page shows for it.
type typed struct {
	command string
	shown   []string
}

// console types the commands of a block, and wants what is shown below each.
func (p *pageReader) console(text string) {
	p.t.Helper()
	var all []typed
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			last := &all[len(all)-1]
			last.shown = append(last.shown, lines[i])
			continue
		}
		if _, end, here := strings.Cut(command, "<<"); here {
			for end = strings.Trim(end, "'"); lines[i] != end; {
				i++
				command += "\n" + lines[i]
			}
		}
		all = append(all, typed{command: command})
	}
	for _, step := range all {
		output := p.run(step.command)
		if strings.HasPrefix(step.command, "gapless held") {
			output = p.patiently(step, output)
		}
		if different := differs(step.shown, output); different != "" {
			p.t.Fatalf("$ %s\n%s\nit came\n%s", step.command, different, output)
		}
	}
}

// patiently asks what is held until it is as the page shows, for twenty seconds:
// a message goes on by itself a moment after the hub has said that it listens.
func (p *pageReader) patiently(step typed, output string) string {
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for range 200 {
		if differs(step.shown, output) == "" {
			break
		}
		<-every.C
		output = p.run(step.command)
	}
	return output
}

func (p *pageReader) run(command string) string {
	p.t.Helper()
	if strings.HasPrefix(command, "gapless serve") {
		return p.serve(command)
	}
	cmd := p.shell(command)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		p.t.Fatalf("$ %s\n%v", command, err)
	}
	return string(out)
}

func (p *pageReader) shell(command string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), "sh", "-c", command)
	cmd.Dir = p.folder
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GAPLESS_") })
	cmd.Env = append(cmd.Env, "GAPLESS_HUB="+p.hub)
	return cmd
}

// serve starts a hub on a free port, after it has ended the one that ran.
func (p *pageReader) serve(command string) string {
	p.t.Helper()
	p.stop()
	// exec, so that the interrupt reaches the hub itself; its end is waited for
	// though the test's context ends with the test.
	cmd := p.shell("exec " + command + " --listen 127.0.0.1:0")
	background := exec.CommandContext(context.WithoutCancel(p.t.Context()), cmd.Path, cmd.Args[1:]...)
	background.Dir, background.Env = cmd.Dir, cmd.Env
	var log bytes.Buffer
	background.Stderr = &log
	stdout, err := background.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := background.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.stop = func() {
		_ = background.Process.Signal(os.Interrupt) // it may have ended by itself, and then has said why
		if err := background.Wait(); err != nil {
			p.t.Errorf("the hub ended with %v\n%s", err, log.String())
		}
		p.stop = func() {}
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.t.Fatalf("the hub did not start: %v\n%s", err, log.String())
	}
	p.hub = strings.Fields(line)[2]
	return line
}

// varying is what is another one each time: addresses, digests and ids, keys,
// times of recording, cursors.
var varying = regexp.MustCompile(`127\.0\.0\.1:[0-9]+|[0-9a-f]{12,}|key [a-z0-9]{16} |[0-9-]{10}T[0-9:.]+Z`)

// differs tells in what way the output is not what is shown, "" for in none:
// every shown line is there, in this order; only "..." stands for lines that are
// not shown.
func differs(shown []string, output string) string {
	if len(shown) == 0 {
		return ""
	}
	plain := func(line string) string {
		return strings.TrimRight(varying.ReplaceAllString(line, "*"), " ")
	}
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	at, gap := 0, false
	for _, want := range shown {
		if want == "..." {
			gap = true
			continue
		}
		for gap && at < len(lines) && plain(lines[at]) != plain(want) {
			at++
		}
		if at >= len(lines) || plain(lines[at]) != plain(want) {
			return "the page shows\n  " + want
		}
		at, gap = at+1, false
	}
	if at < len(lines) && !gap {
		return "the page does not show\n  " + lines[at]
	}
	return ""
}

// change makes a change of a file: lines that go, come, and stay around them.
func (p *pageReader) change(text string) {
	p.t.Helper()
	head, body, _ := strings.Cut(text, "\n")
	name, ok := strings.CutPrefix(head, "--- ")
	if !ok {
		p.t.Fatalf("%q names no file", head)
	}
	file := filepath.Join(p.folder, filepath.FromSlash(name))
	content, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	for hunk := range strings.SplitSeq(body, "@@\n") {
		var before, after string
		for line := range strings.Lines(hunk) {
			if line[0] != '+' {
				before += line[1:]
			}
			if line[0] != '-' {
				after += line[1:]
			}
		}
		if strings.Count(string(content), before) != 1 {
			p.t.Fatalf("%s does not hold once:\n%s", name, before)
		}
		content = []byte(strings.Replace(string(content), before, after, 1))
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// guideFile is an example of a guide that is a whole file of a catalog: its first
// line names it.
var guideFile = regexp.MustCompile(`^# ([a-z0-9./-]+\.yaml)\n`)

func TestTheExamplesOfTheGuidesLintAndTheirCasesPass(t *testing.T) {
	for _, guide := range []string{"mapping.md", "policies.md"} {
		t.Run(guide, func(t *testing.T) {
			files, shown := fstest.MapFS{}, 0
			err := catalog.Init("graz", func(file string, body []byte) error {
				files[file] = &fstest.MapFile{Data: body}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range readGuide(t, guide) {
				if name := guideFile.FindStringSubmatch(b[2]); b[1] == "yaml" && name != nil {
					files[name[1]] = &fstest.MapFile{Data: []byte(b[2])}
					shown++
				}
			}
			k, findings := catalog.Load(files)
			for _, f := range findings {
				t.Error(f)
			}
			if shown == 0 || k == nil {
				t.Fatalf("%d files are shown", shown)
			}
			for _, r := range k.Test() {
				if !r.Passed {
					t.Error(r)
				}
			}
		})
	}
}
