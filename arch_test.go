package gapless_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gapless/gapless"

// drawing is the picture of docs/ARCHITECTURE.md: for each package of ours, the
// packages of ours that it may import. Imports point down only.
var drawing = map[string][]string{
	"event":       {},
	"fault":       {"event"},
	"format":      {},
	"mapping":     {"event", "fault", "format"},
	"policy":      {"event", "fault"},
	"transaction": {"event"},
	"catalog":     {"event", "fault", "format", "mapping", "policy", "transaction"},
	"connector":   {"event", "fault"},

	"connector/connectortest": {"connector", "fault"},
	"connector/simulated":     {"connector", "event", "fault"},
	"connector/guard":         {"connector", "fault"}, // how requests leave
	"connector/rest":          {"connector", "connector/guard", "event", "fault", "mapping"},
	"connector/tryton":        {"connector", "connector/guard", "event", "fault"},
	"connector/file":          {"connector", "fault"},

	"alert":  {"catalog", "connector/guard", "fault"}, // channels to people
	"ledger": {"event", "fault"},
	"flow":   {"event", "fault", "format", "mapping", "policy", "transaction", "catalog", "connector", "ledger", "alert"},
	"report": {"event", "fault", "catalog", "ledger"},
	"api":    {"alert", "event", "fault", "format", "mapping", "policy", "catalog", "ledger", "flow", "report"},
	"":       {"alert", "api", "catalog", "connector", "connector/file", "connector/rest", "connector/simulated", "connector/tryton", "event", "fault", "flow", "ledger", "mapping", "report"}, // the assembly

	"examples/moulding-plant":         {"catalog", "event"},
	"examples/three-plants":           {},
	"examples/tryton":                 {},
	"examples/three-plants/simulator": {"event"}, // a company's systems know nothing of a hub
	"cmd/gapless":                     {"", "alert", "api", "catalog", "event", "examples/moulding-plant", "examples/three-plants", "examples/three-plants/simulator", "fault", "flow", "format", "ledger", "mapping", "policy", "report", "transaction"},
	"event/internal/unitgen":          {"event"},
	"internal/testsummary":            {},
	"internal/benchtable":             {},
	"internal/testpostgres":           {},                                   // databases of tests
	"internal/erp":                    {"event", "examples/moulding-plant"}, // a witness of what the connector did: no code of it
	"internal/erpseed":                {"internal/erp"},
	"internal/erpdemo":                {"catalog", "event", "internal/erp"},
}

// technologies says which packages may know an outside technology, and why the
// others must not.
var technologies = map[string]struct {
	allowed []string
	why     string
}{
	"database/sql":                          {[]string{"ledger", "internal/testpostgres"}, "one package writes SQL; readers go through ledger.Read"},
	"github.com/jackc/pgx/v5":               {[]string{"ledger", "internal/testpostgres"}, "the database is the ledger's secret"},
	"modernc.org/sqlite":                    {[]string{"ledger"}, "the database is the ledger's secret"},
	"github.com/pressly/goose/v3":           {[]string{"ledger"}, "the schema is the ledger's"},
	"net/http":                              {[]string{"api", "", "cmd/gapless", "examples/three-plants/simulator", "alert", "connector/guard", "connector/rest", "connector/tryton", "connector/connectortest", "internal/erp", "internal/erpdemo"}, "the core and the engines know no network"},
	"net":                                   {[]string{"alert", "api", "", "cmd/gapless", "examples/three-plants/simulator", "connector/guard", "connector/rest", "connector/tryton", "connector/connectortest", "internal/erp", "internal/erpdemo"}, "the core and the engines know no network"},
	"github.com/danielgtaylor/huma/v2":      {[]string{"api"}, "the face is one package"},
	"github.com/redpanda-data/benthos/v4":   {[]string{"mapping"}, "the mapping language is one package's choice"},
	"cel.dev/cel-go":                        {[]string{"policy"}, "the policy language is one package's choice"},
	"github.com/santhosh-tekuri/jsonschema": {[]string{"catalog"}, "schemas are validated by the contract"},
	"github.com/wneessen/go-mail":           {[]string{"alert"}, "e-mail leaves by one channel"},
	"github.com/xuri/excelize/v2":           {[]string{"format", "examples/moulding-plant"}, "file formats are read in one place"},
	"github.com/spf13/cobra":                {[]string{"cmd/gapless"}, "the command line decides nothing"},
	"github.com/quagmt/udecimal":            {[]string{"event", "policy"}, "decimals are event.Decimal"},
	"golang.org/x/oauth2":                   {[]string{"connector/rest"}, "who we are to a system is its connector's secret"},
	"github.com/prometheus/client_golang":   {[]string{"api", ""}, "metrics leave by the face"},
}

// pure are the packages of the core: no clock, disk, network or process.
var pure = []string{"event", "fault", "format", "mapping", "policy", "transaction"}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// short is a package of ours by its folder.
func short(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestPackagesImportOnlyWhatTheDrawingAllows(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := short(p.ImportPath)
		allowed, drawn := drawing[name]
		if !drawn {
			t.Errorf("package %q is not in the drawing: put it into arch_test.go and docs/ARCHITECTURE.md", name)
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := short(imported); ours && !slices.Contains(allowed, other) {
				t.Errorf("%q imports %q, which the drawing does not allow", name, other)
			}
		}
	}
}

func TestEachTechnologyIsKnownOnlyWhereItBelongs(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := short(p.ImportPath)
		for _, imported := range p.Imports {
			for technology, rule := range technologies {
				if imported != technology && !strings.HasPrefix(imported, technology+"/") || strings.HasPrefix(imported, "net/") && technology == "net" {
					continue
				}
				if !slices.Contains(rule.allowed, name) {
					t.Errorf("%q imports %s: %s", name, imported, rule.why)
				}
			}
		}
	}
}

func TestTheCoreReachesNothingOutside(t *testing.T) {
	forbidden := []string{"os", "os/exec", "net", "net/http", "database/sql", "time/tzdata", "log", "log/slog"}
	for _, p := range packages(t) {
		name, _ := short(p.ImportPath)
		if !slices.Contains(pure, name) {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%q imports %s; the core is given everything", name, imported)
			}
		}
	}
}
