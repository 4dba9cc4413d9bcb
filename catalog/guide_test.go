package catalog

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// guidePath is the guide for the engineers who write catalogs.
const guidePath = "../docs/catalog.md"

// guideFile is an example of the guide that is a whole file of a catalog: its
// first line names it.
var guideFile = regexp.MustCompile("(?s)```yaml\n# ([a-z0-9./-]+\\.yaml)\n(.*?)```")

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guidePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRemediesNameWhatThePagesHave holds the sections that remedies send people
// to against the headings of the pages.
func TestRemediesNameWhatThePagesHave(t *testing.T) {
	quoted := regexp.MustCompile(`"([^"]+)"`)
	for _, page := range []string{"docs/mapping.md", "docs/policies.md"} {
		text, err := os.ReadFile("../" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, remedy := range []string{lookUp(page, "title", 0), lookUp(page, "cases[0].name", 0), lookUp(page, "events[0].map", 3)} {
			for _, section := range quoted.FindAllStringSubmatch(remedy, -1) {
				if !strings.Contains(string(text), "\n## "+section[1]+"\n") {
					t.Errorf("%s: the page has no such section", remedy)
				}
			}
		}
	}
	if !strings.Contains(readGuide(t), "\n## Lifecycles\n") {
		t.Error("the guide has no section on lifecycles")
	}
}

func TestTheExamplesOfTheGuideAreOneCatalogThatLintsAndHolds(t *testing.T) {
	files := fstest.MapFS{}
	shown := map[string]bool{}
	for _, m := range guideFile.FindAllStringSubmatch(readGuide(t), -1) {
		files[m[1]] = &fstest.MapFile{Data: []byte(m[2])}
		folder, _, _ := strings.Cut(m[1], "/")
		shown[folder] = true
	}
	for _, folder := range folders() {
		if !shown[folder] {
			t.Errorf("the guide shows no file of %s", folder)
		}
	}
	c, findings := Load(files)
	for _, f := range findings {
		t.Error(f)
	}
	if c == nil {
		return
	}
	for _, r := range c.Test() {
		if !r.Passed {
			t.Error(r)
		}
	}
}

func TestTheGuideNamesEveryPolicyOfTheStandardCatalog(t *testing.T) {
	guide := readGuide(t)
	c, findings := Load(Standard())
	if c == nil {
		t.Fatal(findings)
	}
	for name := range c.policyByName {
		if !strings.Contains(guide, "`"+name+"`") {
			t.Errorf("policy %s is missing in %s", name, guidePath)
		}
	}
}
