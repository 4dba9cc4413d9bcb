package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// event is one line of go test -json: see go doc test2json, and for the build's own
// lines go help buildjson.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of what was built, for build-output and build-fail
	FailedBuild string // ImportPath of the build for want of which a package failed
	Test        string
	Elapsed     json.Number // seconds
	Output      string
}

// skipped is a test that did not run.
type skipped struct {
	test   string // package and test
	reason string
}

// packageRun is what is known of a package while its tests run.
type packageRun struct {
	output  map[string]*strings.Builder // by test; "" is the package's own
	verdict map[string]string           // by test: pass, fail or skip
	order   []string                    // tests in the order in which they began
	parents map[string]bool             // tests that have subtests
}

// Report collects the events of one go test and writes what people need to know.
type Report struct {
	Total int // packages that are to run, 0 where unknown; set before Read

	mu       sync.Mutex // Read and Tick run side by side: guards all below
	out      io.Writer
	running  map[string]*packageRun
	builds   map[string]*strings.Builder // output of builds, by ImportPath
	quiet    bool                        // nothing was written since the last Tick
	done     int                         // packages that ended
	passed   int
	failed   []string // tests, or packages that failed outside any test
	skips    []skipped
	untested int // packages without a test
}

// NewReport returns a Report that writes to out.
func NewReport(out io.Writer) *Report {
	return &Report{
		out:     out,
		running: make(map[string]*packageRun),
		builds:  make(map[string]*strings.Builder),
	}
}

// Read takes the events of r until its end. A line that is no event is written as it is.
func (r *Report) Read(events io.Reader) error {
	reader := bufio.NewReader(events)
	for {
		line, err := reader.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			r.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events of go test: %w", err)
		}
	}
}

// Tick says what runs now, unless something was written since the Tick before.
func (r *Report) Tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quiet {
		now := "building"
		if len(r.running) > 0 {
			now = strings.Join(slices.Sorted(maps.Keys(r.running)), ", ")
		}
		fmt.Fprintf(r.out, "%-8s ...  %s\n", r.progress(), now)
	}
	r.quiet = true
}

func (r *Report) line(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		fmt.Fprintf(r.out, "%s\n", bytes.TrimRight(line, "\n"))
		return
	}
	switch {
	case e.Action == "build-output":
		write(r.builds, e.ImportPath, e.Output)
	case e.Package == "": // build-fail: the package's own failure names the build
	case e.Test == "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action):
		r.endPackage(e)
	default:
		r.testEvent(e)
	}
}

func (r *Report) testEvent(e event) {
	run := r.running[e.Package]
	if run == nil {
		run = &packageRun{
			output:  make(map[string]*strings.Builder),
			verdict: make(map[string]string),
			parents: make(map[string]bool),
		}
		r.running[e.Package] = run
	}
	switch e.Action {
	case "output":
		write(run.output, e.Test, e.Output)
	case "run":
		run.order = append(run.order, e.Test)
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
			run.parents[e.Test[:i]] = true
		}
	case "pass", "fail", "skip":
		run.verdict[e.Test] = e.Action
	}
}

// endPackage counts the package's tests and writes its line and its failures. A test
// with subtests counts only when it failed or was skipped on its own account. A test
// that began and did not end, because its program ended, failed.
func (r *Report) endPackage(e event) {
	run := r.running[e.Package]
	delete(r.running, e.Package)
	r.done++
	r.quiet = false
	if run == nil {
		run = &packageRun{}
	}
	passed, failed, skips, cut := 0, []string(nil), 0, false
	for _, test := range run.order {
		switch verdict := run.verdict[test]; {
		case (verdict == "fail" || verdict == "") && !run.childFailed(test):
			failed = append(failed, test)
			cut = cut || verdict == ""
		case verdict == "skip":
			skips++
			r.skips = append(r.skips, skipped{e.Package + " " + test, skipReason(text(run.output, test))})
		case verdict == "pass" && !run.parents[test]:
			passed++
		}
	}
	r.passed += passed
	r.headline(e, passed, len(failed), skips)
	for _, test := range failed {
		r.failed = append(r.failed, e.Package+" "+test)
		fmt.Fprintf(r.out, "--- %s %s\n%s", e.Package, test, withParents(run, test))
	}
	if e.Action != "fail" || len(failed) > 0 && !cut {
		return
	}
	// The build failed, or the program ended outside a test or in the middle of one.
	if len(failed) == 0 {
		r.failed = append(r.failed, e.Package)
	}
	fmt.Fprintf(r.out, "--- %s\n%s%s", e.Package, text(r.builds, e.FailedBuild), text(run.output, ""))
}

func (r *Report) headline(e event, passed, failed, skips int) {
	word := map[string]string{"pass": "ok  ", "fail": "FAIL", "skip": "--  "}[e.Action]
	counts := fmt.Sprintf("%d passed", passed)
	if failed > 0 {
		counts += fmt.Sprintf(", %d failed", failed)
	}
	if skips > 0 {
		counts += fmt.Sprintf(", %d skipped", skips)
	}
	if passed+failed+skips == 0 && e.Action != "fail" {
		r.untested++
		counts = "no tests"
	}
	fmt.Fprintf(r.out, "%-8s %s %s (%s, %s s)\n", r.progress(), word, e.Package, counts, cmp.Or(e.Elapsed, "0"))
}

func (r *Report) progress() string {
	if r.Total > 0 {
		return fmt.Sprintf("[%d/%d]", r.done, r.Total)
	}
	return fmt.Sprintf("[%d]", r.done)
}

// End closes the report: packages that began and never ended count as failed, since go
// test was ended or died. Then it writes Ending.
func (r *Report) End() {
	for _, name := range slices.Sorted(maps.Keys(r.running)) {
		r.failed = append(r.failed, name)
		fmt.Fprintf(r.out, "--- %s did not end\n%s", name, text(r.running[name].output, ""))
	}
	clear(r.running)
	fmt.Fprintf(r.out, "\n%s", r.Ending())
}

// Ending is every skipped test with its reason, every failed test's name, and the closing
// line.
func (r *Report) Ending() string {
	var b strings.Builder
	if r.untested > 0 {
		fmt.Fprintf(&b, "packages without a test that this run selects: %d\n", r.untested)
	}
	for _, s := range r.skips {
		fmt.Fprintf(&b, "could not test: %s: %s\n", s.test, s.reason)
	}
	for _, name := range r.failed {
		fmt.Fprintf(&b, "failed: %s\n", name)
	}
	if r.passed+len(r.failed) == 0 {
		fmt.Fprintln(&b, "no test was executed")
	}
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skips))
	return b.String()
}

// OK reports whether a test ran and none failed.
func (r *Report) OK() bool {
	return len(r.failed) == 0 && r.passed > 0
}

func (run *packageRun) childFailed(test string) bool {
	for _, child := range run.order {
		if verdict := run.verdict[child]; (verdict == "fail" || verdict == "") && strings.HasPrefix(child, test+"/") {
			return true
		}
	}
	return false
}

// withParents is the output of a failed test, after what the tests around it wrote:
// a helper called before t.Run often says there what went wrong.
func withParents(run *packageRun, test string) string {
	var b strings.Builder
	for i, c := range test {
		if c == '/' {
			b.WriteString(text(run.output, test[:i]))
		}
	}
	b.WriteString(text(run.output, test))
	return b.String()
}

// frame matches the lines that go test puts around what a test says.
var frame = regexp.MustCompile(`^\s*(=== (RUN|PAUSE|CONT|NAME)\b|--- SKIP: )`)

// place matches the file and line that t.Skip puts before its reason.
var place = regexp.MustCompile(`^\S+\.go:\d+: `)

// skipReason finds what a skipped test said in its output.
func skipReason(output string) string {
	var said []string
	for line := range strings.Lines(output) {
		if frame.MatchString(line) {
			continue
		}
		if line = place.ReplaceAllString(strings.TrimSpace(line), ""); line != "" {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return "it gives no reason"
	}
	return strings.Join(said, " ")
}

func write(outputs map[string]*strings.Builder, key, text string) {
	b := outputs[key]
	if b == nil {
		b = new(strings.Builder)
		outputs[key] = b
	}
	b.WriteString(text)
}

func text(outputs map[string]*strings.Builder, key string) string {
	if b := outputs[key]; b != nil {
		return b.String()
	}
	return ""
}
