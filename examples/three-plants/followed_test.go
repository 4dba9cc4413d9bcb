package threeplants

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/examples/three-plants/simulator"
)

// A plan as far as this test reads it.
type plan struct {
	Plan      string
	Reactions map[string]struct {
		On, From, In []string
		Ensure       string
		Do           struct{ System, Command string }
		Amend, Undo  struct{ Command string }
	}
}

func parse(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func filesOf(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

// TestEveryCommandOfThePlansIsMappedForEverySystem holds what is prepared together:
// a plan that names a command has a mapping of it for each system with the role.
func TestEveryCommandOfThePlansIsMappedForEverySystem(t *testing.T) {
	cat, _ := catalog.Load(Catalog())
	if cat == nil {
		t.Fatal("the catalog is not in order")
	}
	var wanted []string
	for _, file := range filesOf(t, "catalog.followed/plans/*.yaml") {
		var p plan
		parse(t, file, &p)
		if p.Plan+".yaml" != filepath.Base(file) {
			t.Errorf("%s defines %q", file, p.Plan)
		}
		for _, r := range p.Reactions {
			for _, typ := range append(r.On, r.From...) {
				if _, ok := cat.Contract(typ, 1); !ok {
					t.Errorf("%s: there is no event type %s", file, typ)
				}
			}
			for _, role := range append(r.In, r.Do.System) {
				for _, s := range cat.Systems() {
					if slices.Contains(s.Roles, role) {
						wanted = append(wanted, commands(s.System, r.Ensure, r.Do.Command, r.Amend.Command, r.Undo.Command)...)
					}
				}
			}
		}
	}
	var mapped []string
	for _, file := range filesOf(t, "catalog.followed/mappings/*/*.yaml") {
		var m struct{ System, Command, Request string }
		parse(t, file, &m)
		mapped = append(mapped, m.System+"/"+m.Command)
		if got := fmt.Sprintf("catalog.followed/mappings/%s/%s.yaml", m.System, m.Command); got != filepath.ToSlash(file) || m.Request == "" {
			t.Errorf("%s maps %s of %s", file, m.Command, m.System)
		}
	}
	slices.Sort(wanted)
	slices.Sort(mapped)
	if wanted = slices.Compact(wanted); !slices.Equal(wanted, mapped) {
		t.Errorf("the plans need\n%s\nmapped are\n%s", strings.Join(wanted, "\n"), strings.Join(mapped, "\n"))
	}
}

func commands(system string, names ...string) []string {
	var all []string
	for _, name := range names {
		if name != "" {
			all = append(all, system+"/"+name)
		}
	}
	return all
}

func TestTheCatalogThatIsFollowedNamesTheAddressesOfTheSystems(t *testing.T) {
	folder, addresses := t.TempDir(), map[string]string{}
	for i, system := range simulator.SystemNames() {
		addresses[system] = fmt.Sprintf("http://127.0.0.1:%d", 2000+i)
	}
	if err := WriteFollowed(folder, addresses); err != nil {
		t.Fatal(err)
	}
	for system, address := range addresses {
		var s struct {
			System    string
			Connector struct{ URL string }
		}
		parse(t, filepath.Join(folder, "systems", system+".yaml"), &s)
		if want := address; s.System != system || s.Connector.URL != want && system != "qms" {
			t.Errorf("%s is reached at %q, want %s", system, s.Connector.URL, want)
		}
	}
	if len(filesOf(t, folder+"/plans/*.yaml")) != 3 || len(filesOf(t, folder+"/mappings/erp/*.yaml")) != 9 {
		t.Error("plans or mappings are missing")
	}
}
