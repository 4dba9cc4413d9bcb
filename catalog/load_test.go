package catalog

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// edit changes a file of a catalog: it replaces a part of its text.
type edit struct{ file, old, updated string }

// write makes or replaces a whole file.
func write(file, text string) edit { return edit{file: file, updated: text} }

// smallFS is the small catalog of testdata with edits.
func smallFS(t testing.TB, edits ...edit) fs.FS {
	t.Helper()
	folder := os.DirFS("testdata/small")
	files := fstest.MapFS{}
	err := fs.WalkDir(folder, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(folder, file)
		files[file] = &fstest.MapFile{Data: body}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		if e.old == "" {
			files[e.file] = &fstest.MapFile{Data: []byte(e.updated)}
			continue
		}
		text := string(files[e.file].Data)
		if strings.Count(text, e.old) == 0 {
			t.Fatalf("%s does not hold %q", e.file, e.old)
		}
		files[e.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, e.old, e.updated, 1))}
	}
	return files
}

// small is the small catalog of testdata with edits, which must load.
func small(t testing.TB, edits ...edit) *Catalog {
	t.Helper()
	c, findings := Load(smallFS(t, edits...))
	for _, f := range findings {
		t.Log(f)
	}
	if c == nil {
		t.Fatal("the catalog does not load")
	}
	return c
}

func TestASoundCatalogHasNoFindings(t *testing.T) {
	_, findings := Load(smallFS(t))
	if diff := cmp.Diff([]Finding(nil), findings); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsNameFileAndLine(t *testing.T) {
	const production = "contracts/production.completed.v1.yaml"
	const shiftReport = "mappings/graz-mes/shift-report.yaml"
	for name, test := range map[string]struct {
		edit edit
		want []string // each is part of one finding
	}{
		"an unknown key":                                     {edit{"kinds/lot.yaml", "standard:", "standart:"}, []string{"kinds/lot.yaml:5:1: error: unknown key standart (Known keys: definition, kind"}},
		"a repeated key":                                     {edit{"kinds/lot.yaml", "title: Lot", "title: Lot\ntitle: Los"}, []string{"kinds/lot.yaml:3:1: error: key title stands here twice, first in line 2"}},
		"a file that is not YAML":                            {write("kinds/lot.yaml", "kind: lot\n  title: [\n"), []string{"kinds/lot.yaml:2:1: error: not readable as YAML"}},
		"an empty file":                                      {write("kinds/empty.yaml", "\n"), []string{"kinds/empty.yaml: error: the file is empty"}},
		"two documents in one file":                          {edit{"kinds/lot.yaml", "standard:", "---\nstandard:"}, []string{"kinds/lot.yaml:5:1: error: the file holds more than one document"}},
		"an alias":                                           {edit{"kinds/lot.yaml", "[material, lot]", "&s [material, lot]"}, []string{"kinds/lot.yaml:4:11: error: anchors and aliases"}},
		"a list where a text belongs":                        {edit{"kinds/lot.yaml", "title: Lot", "title: [Lot]"}, []string{"kinds/lot.yaml:2:8: error: title is a list, expected a single value"}},
		"a number that YAML would read as another":           {edit{production, "value: 12.5", "value: 012"}, []string{production + ":51:99:", "012 could be a number or a text"}},
		"a name that is not the file's":                      {edit{"kinds/lot.yaml", "kind: lot", "kind: lots"}, []string{"kinds/lot.yaml:1:1: error: the file lot.yaml defines lots (Rename the file to lots.yaml"}},
		"a file in no folder of a catalog":                   {write("sorts/lot.yaml", "a: b\n"), []string{"sorts/lot.yaml: error: no such file belongs to a catalog"}},
		"a file that ends in yml":                            {write("kinds/x.yml", "a: b\n"), []string{"kinds/x.yml: error: files of a catalog end in .yaml"}},
		"a kind without segments":                            {edit{"kinds/lot.yaml", "[material, lot]", "[]"}, []string{"kinds/lot.yaml:4:1: error: a kind needs segments"}},
		"a contract in another dialect":                      {edit{production, "    note: {", "    either: {anyOf: [{type: string}]}\n    note: {"}, []string{production + ":21:14:", "anyOf is not in the contract dialect"}},
		"a field of an unknown kind":                         {edit{production, "{x-ref: work-center}", "{x-ref: line}"}, []string{`field work_center: kind "line" is not in the catalog`}},
		"a field of an unknown code list":                    {edit{production, "{x-code: scrap-reason}", "{x-code: scrap}"}, []string{"code list scrap is not in the catalog"}},
		"a relation on a field that the schema has not":      {edit{production, "to: \"outputs[].lot\"", "to: \"outputs[].batch\""}, []string{production + ":10:", "the schema has no field outputs[].batch"}},
		"a relation on a field that is no ref":               {edit{production, "to: \"outputs[].lot\"", "to: \"outputs[].role\""}, []string{"field outputs[].role is no reference"}},
		"a relation of an unknown kind":                      {edit{production, "kind: order-lot", "kind: order-batch"}, []string{production + ":10:6: error: \"order-batch\" is not on the list relation"}},
		"a fact of an unknown measure":                       {edit{production, "measure: rework", "measure: reworked"}, []string{`"reworked" is not on the list measure`}},
		"a fact of what is no quantity":                      {edit{production, "rework]}, quantity: quantity", "rework]}, quantity: role"}, []string{"field role is no quantity"}},
		"a contract without a bad example":                   {edit{"contracts/lot.released.v1.yaml", "bad:", "good: []\n  bad: []\n  x:"}, []string{"a contract needs a good and a bad example"}},
		"an example with a reason that is none":              {edit{production, "reason: contract_broken", "reason: broken"}, []string{`"broken" is no reason`}},
		"a predecessor that is not in the catalog":           {edit{"contracts/lot.released.v1.yaml", "type: [production.completed]", "type: [lot.made]"}, []string{`contracts/lot.released.v1.yaml:9:22: error: event type "lot.made" is not in the catalog`}},
		"a retention that cannot be read":                    {edit{production, "retention: 10y", "retention: for ever"}, []string{`"for ever" is no time of retention`}},
		"a lifecycle on an unknown type":                     {edit{"lifecycles/lot.yaml", "on: lot.released", "on: lot.freed"}, []string{`lifecycles/lot.yaml:6:6: error: event type "lot.freed" is not in the catalog`}},
		"a lifecycle state that is never reached":            {edit{"lifecycles/lot.yaml", "released: may be used", "released: may be used, gone: lost"}, []string{"lifecycles/lot.yaml:4:", "states.gone: no sequence of events leads to it"}},
		"an open set by a field that the contract has not":   {edit{"lifecycles/lot.yaml", "key: hold", "key: holds"}, []string{"hold.placed has no field holds", "hold.lifted has no field holds"}},
		"a policy without a case that it stops":              {edit{"policies/no-release-under-hold.yaml", "expect: stop", "expect: pass"}, []string{"no case expects stop"}},
		"a policy that does not compile":                     {edit{"policies/no-release-under-hold.yaml", "size(subject.open.holds) == 0\"", "size(subject.open.holds == 0\""}, []string{"policies/no-release-under-hold.yaml:6:", `(Write it as docs/policies.md shows under "What an expression sees" and "Functions of ours".)`}},
		"a policy with an unknown reason":                    {edit{"policies/no-release-under-hold.yaml", "reason: open_hold", "reason: held"}, []string{`policies/no-release-under-hold.yaml:8:1: error: "held" is no reason`}},
		"a policy on an unknown type":                        {edit{"policies/no-release-under-hold.yaml", "on: [lot.released]", "on: [lot.freed]"}, []string{"no event type of the catalog is lot.freed"}},
		"a policy that forbids a fact":                       {edit{"policies/no-release-under-hold.yaml", "on: [lot.released]", "on: [lot.released, production.completed]"}, []string{"production.completed is a fact: it happened and cannot be forbidden"}},
		"a local code for a code that is not on the list":    {edit{"codes/scrap-reason.yaml", "BS: black-spot", "BS: spot"}, []string{`codes/scrap-reason.yaml:7:14: error: "BS" of graz-mes stands for spot, which is not on the list`}},
		"local codes of an unknown system":                   {edit{"codes/scrap-reason.yaml", "graz-mes:", "graz:"}, []string{"codes/scrap-reason.yaml:7:3: error: system graz is not in the catalog"}},
		"a unit that was deleted":                            {edit{"codes/unit.yaml", "Stk: H87", "Stk: EV"}, []string{"codes/unit.yaml:4:"}},
		"a plant without a zone":                             {edit{"plants/graz.yaml", "zone: Europe/Vienna", "zone: \"\""}, []string{"plants/graz.yaml:3:1: error: zone: missing"}},
		"a zone that does not exist":                         {edit{"plants/graz.yaml", "Europe/Vienna", "Europe/Graz"}, []string{`"Europe/Graz" is no time zone`}},
		"shifts that overlap":                                {edit{"plants/graz.yaml", `from: "14:00", to: "22:00"`, `from: "13:00", to: "22:00"`}, []string{"plants/graz.yaml:13:5: error: shifts[1]: shifts 1 and 2 overlap"}},
		"shifts that overlap over midnight":                  {edit{"plants/graz.yaml", `from: "22:00", to: "06:00"`, `from: "22:00", to: "07:00"`}, []string{"shifts 1 and 3 overlap"}},
		"a time that no shift covers":                        {edit{"plants/graz.yaml", `from: "14:00", to: "22:00"`, `from: "15:00", to: "22:00"`}, []string{"plants/graz.yaml:11:1: warning: 60 minutes of the day"}},
		"a machine in two places":                            {edit{"plants/graz.yaml", "{work-center: L2}", "{work-center: L2, equipment: [M1]}"}, []string{"equipment M1 stands here twice"}},
		"a calendar of an unknown work center":               {edit{"plants/graz.yaml", "work-centers: [L2]", "work-centers: [L9]"}, []string{`work center "L9" is not in the hierarchy`}},
		"a system without roles":                             {edit{"systems/graz-mes.yaml", "roles: [mes]", "roles: []"}, []string{"systems/graz-mes.yaml:3:1: error: a system needs a role"}},
		"a role that is none":                                {edit{"systems/graz-mes.yaml", "roles: [mes]", "roles: [scada]"}, []string{`"scada" is no role`}},
		"a system of an unknown plant":                       {edit{"systems/graz-mes.yaml", "plants: [graz]", "plants: [wien]"}, []string{`systems/graz-mes.yaml:4:10: error: plant "wien" is not in the catalog`}},
		"an authority over an unknown type":                  {edit{"systems/lab.yaml", "[lot.*]", "[batch.*]"}, []string{`no event type of the catalog is "batch.*"`}},
		"a factor that is none":                              {edit{"units/cases.yaml", `"24"`, `"-24"`}, []string{"units/cases.yaml:2:", `"-24" is no factor`}},
		"an alternative unit of a base that is no unit":      {edit{"units/cases.yaml", "base: H87", "base: PIECE"}, []string{`base "PIECE" is no unit`}},
		"two factors at one time":                            {edit{"units/cases.yaml", "units:", "units:\n  - {material: material/M-100, unit: CASE, base: H87, factor: \"12\", version: old, valid-to: 2026-02-01}"}, []string{"unit CASE of material/M-100 has versions old and 2026-01 at the same time"}},
		"an identifier that stands for two objects":          {edit{"cross-references/graz-mes-materials.yaml", "valid-to: 2027-01-01", "valid-to: 2027-02-01"}, []string{"material 4711 of graz-mes stands for material/M-100 and material/M-200 at the same time"}},
		"a cross-reference to another kind":                  {edit{"cross-references/graz-mes-materials.yaml", "ref: material/M-100", "ref: order/1"}, []string{"order/1 is no material"}},
		"an owner for a reason that is none":                 {edit{"owners/owners.yaml", "identifier_unknown", "identity_unknown"}, []string{`"identity_unknown" is no reason`}},
		"a deadline that cannot be read":                     {edit{"slas/slas.yaml", "30m", "soon"}, []string{`slas/slas.yaml:3:25: error: "soon" is no time`}},
		"a begin that cannot be read":                        {edit{"plants/graz.yaml", "default: 2026-01-01T00:00:00+01:00", "default: 2026-01-01"}, []string{"begins-at.default"}},
		"a mapping in the folder of another system":          {edit{shiftReport, "system: graz-mes", "system: qms"}, []string{shiftReport + ":2:1: error: the folder is graz-mes, the file says system \"qms\""}},
		"a mapping of an unknown plant":                      {edit{shiftReport, "plant: graz", "plant: wien"}, []string{shiftReport + ":4:1: error: plant \"wien\" is not in the catalog"}},
		"a mapping to an unknown type":                       {edit{shiftReport, "type: production.completed", "type: production.done"}, []string{"event type production.done version 1 is not in the catalog"}},
		"a mapping to a type of another role":                {edit{shiftReport, "type: production.completed", "type: lot.released"}, []string{"system graz-mes has no authority for lot.released (Give the system the role qms"}},
		"a mapping to a kind that is not there":              {edit{shiftReport, "ref(\"order\", this.order)", "ref(\"ordr\", this.order)"}, []string{shiftReport + ":1"}},
		"a mapping with a code list that is not there":       {edit{shiftReport, "ref(\"order\", this.order)", "code(\"orders\", this.order)"}, []string{shiftReport + ":17:", "code list orders is not in the catalog"}},
		"a mapping whose case expects a reason that is none": {edit{shiftReport, "    events:\n      - slot: good\n        type: production.completed\n        data:", "    fault: {reason: missing}\n    events:\n      - slot: good\n        type: production.completed\n        data:"}, []string{"\"missing\" is no reason"}},
		"a mapping without a case":                           {edit{shiftReport, "cases:\n  - name", "# none\nx:\n  - name"}, []string{"a mapping needs a case", "unknown key x"}},
		"a mapping with an expression that does not parse":   {edit{shiftReport, "ref(\"order\", this.order)", "ref(\"order\", this.order"}, []string{shiftReport + ":1"}},
		"a mapping that calls what is not there":             {edit{shiftReport, "ref(\"order\", this.order)", "now()"}, []string{shiftReport + ":17:", `(Write it as docs/mapping.md shows under "What an expression sees" and "Functions of ours".)`}},
		"a catalog that extends what is not there":           {edit{"catalog.yaml", "title:", "extends: other\ntitle:"}, []string{`there is no catalog "other" to extend`}},
		"a replay that fewer than nobody may run":            {edit{"catalog.yaml", "title:", "replay: {approve-above: -1}\ntitle:"}, []string{"catalog.yaml:2:10: error: replay.approve-above is -1"}},
		"a file that replaces what the standard has not":     {edit{"kinds/lot.yaml", "kind: lot", "replaces: standard\nkind: lot"}, []string{"the standard catalog has no kinds/lot.yaml to replace"}},
		"a new version that refuses what the old one took":   {write("contracts/lot.released.v2.yaml", lotReleased2), []string{"contracts/lot.released.v2.yaml:", "warning: since version 1:"}},
		"a version whose file is called otherwise":           {edit{production, "version: 1", "version: 2"}, []string{"the file production.completed.v1.yaml defines production.completed.v2"}},

		"a second document that is not YAML":                {edit{"kinds/lot.yaml", "standard:", "---\nx: [\nstandard:"}, []string{"kinds/lot.yaml:5:1: error: not readable as YAML"}},
		"an unknown type in a lifecycle with another fault": {edit{"lifecycles/lot.yaml", "{on: lot.released, from: [unknown, released], to: released}", "{on: lot.freed, to: nowhere}"}, []string{`lifecycles/lot.yaml:6:6: error: event type "lot.freed" is not in the catalog`, `"nowhere" is no status of this lifecycle`}},
		"a quantity of a dimension that no unit has":        {edit{production, "{dimension: mass}", "{dimension: heaviness}"}, []string{production + ":25:26: error: /properties/gross/x-quantity/dimension: no unit measures \"heaviness\", so no value would be accepted (Write one of acceleration, ", ", mass, "}},
		"a quantity of a dimension that is spelt wrong":     {edit{production, "{dimension: mass}", "{dimension: Volumen}"}, []string{"(Write volume; docs/units.md lists the dimension of every unit.)"}},
		"a field of a mapping that must be corrected":       {edit{shiftReport, "slot: good", "slot: good/{a}/{b}"}, []string{`(Write it as docs/mapping.md shows under "The file".)`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Load(smallFS(t, test.edit))
			var all []string
			for _, f := range findings {
				all = append(all, f.String())
				if f.Remedy == "" {
					t.Errorf("no remedy: %s", f)
				}
			}
			text := strings.Join(all, "\n")
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q; findings:\n%s", want, text)
				}
			}
		})
	}
}

const lotReleased2 = `type: lot.released
version: 2
title: Lot released
definition: The lot may be used.
nature: decision
owner: quality
role: qms
subject: {kind: [lot], from: lot}
schema:
  type: object
  additionalProperties: false
  required: [lot, reason]
  properties: {lot: {x-ref: lot}, reason: {type: string}}
retention: 10y
examples:
  good: [{name: released, event: {data: {lot: lot/M-100/4711, reason: tested}}}]
  bad: [{name: no lot, event: {data: {}}, reason: contract_broken, field: lot}]
`

func TestEveryFindingOfManyFilesIsToldAtOnce(t *testing.T) {
	c, findings := Load(smallFS(t,
		edit{"kinds/lot.yaml", "standard:", "standart:"},
		edit{"kinds/order.yaml", "title: Order", "titel: Order"},
		edit{"slas/slas.yaml", "30m", "soon"},
		edit{"systems/qms.yaml", "roles: [qms]", "roles: [qa, mess]"},
	))
	if c != nil {
		t.Error("a catalog with errors was handed out")
	}
	if len(findings) < 6 {
		t.Errorf("%d findings, want at least 6: %v", len(findings), findings)
	}
}

func TestAFileThatCannotBeReadIsToldOnce(t *testing.T) {
	_, findings := Load(smallFS(t, write("contracts/lot.released.v1.yaml", "type: [\n")))
	if len(findings) != 1 {
		t.Errorf("%d findings, want one: %v", len(findings), findings)
	}
}

func TestVersionsOfAContract(t *testing.T) {
	c := small(t, write("contracts/lot.released.v2.yaml", lotReleased2))
	for _, test := range []struct{ asked, want int }{{0, 2}, {1, 1}, {2, 2}} {
		if k, ok := c.Contract("lot.released", test.asked); !ok || k.Version != test.want {
			t.Errorf("Contract(lot.released, %d) is version %d, want %d", test.asked, k.Version, test.want)
		}
	}
	if _, ok := c.Contract("lot.released", 3); ok {
		t.Error("version 3 was found")
	}
	if _, ok := c.Contract("lot.freed", 0); ok {
		t.Error("an unknown type was found")
	}
}

func TestMayAssert(t *testing.T) {
	c := small(t)
	for _, test := range []struct {
		system, typ, plant string
		want               bool
	}{
		{"graz-mes", "production.completed", "graz", true},
		{"graz-mes", "production.completed", "wien", false}, // not its plant
		{"graz-mes", "lot.released", "graz", false},         // not its role
		{"qms", "lot.released", "anywhere", true},           // no plants: all
		{"lab", "lot.released", "graz", true},
		{"lab", "hold.placed", "graz", false}, // authority instead of its role
		{"nobody", "lot.released", "graz", false},
		{"qms", "lot.freed", "graz", false},
	} {
		if got := c.MayAssert(test.system, test.typ, test.plant); got != test.want {
			t.Errorf("MayAssert(%s, %s, %s) = %v, want %v", test.system, test.typ, test.plant, got, test.want)
		}
	}
}

func TestOwnerAndDeadline(t *testing.T) {
	c := small(t)
	for _, test := range []struct {
		reason *fault.Reason
		plant  string
		owner  string
		within time.Duration
	}{
		{fault.IdentifierUnknown, "graz", "graz-master-data", 24 * time.Hour},
		{fault.IdentifierUnknown, "wien", "master-data", 24 * time.Hour},
		{fault.CodeUnknown, "graz", "engineering", 24 * time.Hour},
		{fault.ContractBroken, "graz", "operations", 8 * time.Hour},
		{fault.OpenHold, "graz", "operations", 30 * time.Minute},
	} {
		if got := c.Owner(test.reason, test.plant); got != test.owner {
			t.Errorf("Owner(%s, %s) = %s, want %s", test.reason, test.plant, got, test.owner)
		}
		if got := c.SLA(test.reason, test.plant, test.owner).within; got != test.within {
			t.Errorf("SLA(%s) = %s, want %s", test.reason, got, test.within)
		}
	}
}

func TestLocalCodesCountOnlyForTheirSystem(t *testing.T) {
	c := small(t)
	list, _ := c.Codes("scrap-reason")
	units, _ := c.Codes("unit")
	for _, test := range []struct {
		list                *CodeList
		system, local, want string
	}{
		{list, "graz-mes", "BS", "black-spot"},
		{list, "qms", "BS", ""},
		{list, "graz-mes", "black-spot", ""}, // not what the system calls it
		{units, "graz-mes", "kg", "KGM"},
		{units, "graz-mes", "KG", ""}, // a keg in Recommendation 20
	} {
		if got, _ := test.list.Canonical(test.system, test.local); got != test.want {
			t.Errorf("%s of %s is %q, want %q", test.local, test.system, got, test.want)
		}
	}
}

func TestAlternativeUnitsAndCrossReferencesAreRead(t *testing.T) {
	c := small(t)
	units := c.AlternativeUnits("material/M-100")
	if len(units) != 1 || units[0].Factor.String() != "24" || units[0].Version != "2026-01" {
		t.Errorf("alternative units: %v", units)
	}
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	var valid []event.Ref
	for _, x := range c.CrossReferences() {
		if x.ValidAt(at) {
			valid = append(valid, x.Ref)
		}
	}
	if diff := cmp.Diff([]event.Ref{"material/M-100"}, valid); diff != "" {
		t.Error(diff)
	}
}

func TestDigestIsOfContentAlone(t *testing.T) {
	base := small(t).Digest()
	if len(base) != 64 {
		t.Fatalf("digest %q", base)
	}
	if got := small(t, edit{"kinds/lot.yaml", "title: Lot", "# a comment\n\ntitle:   \"Lot\""}).Digest(); got != base {
		t.Error("a comment, blanks and quotes change the digest")
	}
	if got := small(t, edit{"kinds/lot.yaml", "title: Lot", "title: Los"}).Digest(); got == base {
		t.Error("another title does not change the digest")
	}
	if got := small(t, write("slas/more.yaml", "slas: [{class: heals, within: 1h}]\n")).Digest(); got == base {
		t.Error("another file does not change the digest")
	}
}
