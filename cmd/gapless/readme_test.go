package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheReadmeShowsWhatComes(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs the demo and a hub: not among the short tests")
	}
	p := &pageReader{t: t, folder: t.TempDir(), stop: func() {}}
	defer func() { p.stop() }()
	for _, b := range readGuide(t, "../README.md") {
		if b[1] == "console" {
			p.console(b[2])
		}
	}
}

func TestTheReadmeLeadsNowhereThatIsNotThere(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) == 0 {
		t.Fatal("no links were found")
	}
	for _, link := range links {
		if strings.HasPrefix(link[1], "https://") {
			continue
		}
		if _, err := os.Stat(filepath.Join("../..", link[1])); err != nil {
			t.Error(err)
		}
	}
}
