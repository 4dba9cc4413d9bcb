package mouldingplant

import (
	"fmt"
	"math/big"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
)

// loaded is the plant's catalog without findings.
func loaded(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, findings := catalog.Load(Catalog())
	for _, f := range findings {
		t.Errorf("%s", f)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

func TestTheCasesOfTheCatalogPass(t *testing.T) {
	cases := map[string]int{}
	for _, result := range loaded(t).Test() {
		if !result.Passed {
			t.Errorf("%s", result)
		}
		if strings.Contains(result.File, "mappings/") {
			cases[filepath.Base(result.File)]++
		}
	}
	for _, s := range sources() {
		if name := s.message + ".yaml"; cases[name] < 2 {
			t.Errorf("%s has %d cases, want one that passes and one that fails", name, cases[name])
		}
	}
}

// A taken is what the rows of a month become by the catalog alone, without a
// ledger: mapped, held against the contracts, judged by the policies that need no
// state, and counted from the facts that figures are made of.
type taken struct {
	catalog *catalog.Catalog
	bills   map[event.Ref]any
	known   map[string]bool // identities
	refused int             // rows that cannot be read
	warned  int             // rows of which nothing was made
	events  map[string]int  // by type
	lots    map[event.Ref]bool
	noLot   int // facts of consumption without a lot
	totals  Totals
}

// take takes every file of a month in the order given.
func take(t *testing.T, files []File) *taken {
	t.Helper()
	k := &taken{
		catalog: loaded(t), bills: map[event.Ref]any{}, known: map[string]bool{},
		events: map[string]int{}, lots: map[event.Ref]bool{}, totals: newTotals(),
	}
	for _, f := range files {
		k.file(t, f)
	}
	return k
}

func (k *taken) file(t *testing.T, f File) {
	t.Helper()
	message, ok := k.catalog.Message(f.System, f.Message)
	if !ok {
		t.Fatalf("the catalog has no message %s of %s", f.Message, f.System)
	}
	if name := filepath.Base(f.Path); !slices.ContainsFunc(message.Definition.Files, func(pattern string) bool {
		matches, err := path.Match(pattern, name)
		return matches && err == nil
	}) {
		t.Errorf("%s: the mapping of %s names the files %v", name, f.Message, message.Definition.Files)
	}
	m := message.Mapping
	kind := format.Kind(strings.TrimPrefix(filepath.Ext(f.Path), "."))
	spec, ok := m.Format(kind)
	if !ok {
		t.Fatalf("%s of %s does not come as %s", f.Message, f.System, kind)
	}
	body, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	for record, err := range format.Split(spec, body, format.Limits{}) {
		at := fmt.Sprintf("%s row %d", filepath.Base(f.Path), record.Number)
		switch {
		case err != nil && strings.Contains(err.Error(), "#REF!"):
			k.refused++
		case err != nil:
			t.Errorf("%s: %v", at, err)
		default:
			k.row(t, at, m, record.Value)
		}
	}
}

func (k *taken) row(t *testing.T, at string, m *mapping.Mapping, record map[string]any) {
	t.Helper()
	identity, err := m.Identify(record)
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	if key := m.Message() + " " + identity; k.known[key] {
		t.Errorf("%s: its identity %s is another row's too", at, identity)
	} else {
		k.known[key] = true
	}
	wanted, err := m.Lookups(record)
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	lookups := map[string]any{}
	for _, l := range wanted {
		if body, ok := k.bills[l.Ref]; ok {
			lookups[l.Name] = body
		}
	}
	outputs, err := m.Apply(record, lookups)
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	if m.Message() == "shift-report" {
		k.totals.Rows++
	}
	for _, o := range outputs {
		k.output(t, at+", slot "+o.Slot, m.System(), o)
	}
}

// output takes one event as far as it goes without a ledger.
func (k *taken) output(t *testing.T, at, system string, o mapping.Output) {
	t.Helper()
	k.events[o.Type]++
	contract, ok := k.catalog.Contract(o.Type, o.Version)
	if !ok || !k.catalog.MayAssert(system, o.Type, "moulding") {
		t.Fatalf("%s: %s version %d: contract %t, and %s may not assert it", at, o.Type, o.Version, ok, system)
	}
	_, faults := contract.Validate(o.Data)
	for _, f := range faults {
		t.Errorf("%s: %v", at, f)
	}
	subject, f := contract.Subject(event.Ref(o.Subject), o.Data)
	if f != nil {
		t.Errorf("%s: %v", at, f)
	}
	k.judge(t, at, &event.Event{Type: o.Type, Version: o.Version, System: system, Plant: "moulding", Subject: subject, Occurred: o.Occurred, Data: o.Data})
	facts, err := contract.Facts(o.Data, func(q event.Quantity, material, lot event.Ref) (event.Quantity, string, error) {
		return event.Base(q, k.catalog.AlternativeUnits(material), material, lot, o.Occurred.From)
	})
	if err != nil {
		t.Errorf("%s: %v", at, err)
	}
	for _, fact := range facts {
		k.count(t, fact, o.Occurred.From)
	}
	if o.Type == "bom.changed" {
		k.bills[subject] = o.Data
	}
}

// judge lets nothing stand against an event but the warning that it reports nothing.
func (k *taken) judge(t *testing.T, at string, e *event.Event) {
	t.Helper()
	for _, v := range k.catalog.Policies().Judge(policy.BeforeQueue, policy.Input{Event: catalog.PolicyEvent(e)}) {
		switch {
		case !v.Stops():
		case v.Policy == "production-not-empty" && v.Effect == policy.Warn:
			k.warned++
		default:
			t.Errorf("%s: policy %s: %s", at, v.Policy, v.Message)
		}
	}
}

// count adds a fact to the totals.
func (k *taken) count(t *testing.T, fact event.Fact, occurred time.Time) {
	t.Helper()
	var made Count
	switch fact.Measure {
	case "good":
		made.Good = scaledTo(t, fact.Base, "H87", 0)
		made.Total = made.Good
	case "scrap":
		made.Rejected = scaledTo(t, fact.Base, "H87", 0)
		made.Total = made.Rejected
		k.totals.ByReason[fact.Reason] += made.Rejected
	case "consumed":
		k.totals.ResinMilligrams[last(fact.Material)] += scaledTo(t, fact.Base, "KGM", 6)
		if fact.Lot == "" {
			k.noLot++
		} else {
			k.lots[fact.Lot] = true
		}
		return
	default:
		t.Errorf("a fact of measure %s", fact.Measure)
	}
	plant, ok := k.catalog.Plant("moulding")
	if !ok {
		t.Fatal("the catalog has no plant moulding")
	}
	day, shift := plant.ShiftOf(fact.WorkCenter, occurred)
	if shift == "" {
		t.Errorf("%v is in no shift", occurred)
	}
	k.totals.Count = k.totals.plus(made)
	for _, by := range []struct {
		counts map[string]Count
		key    string
	}{
		{k.totals.ByItem, last(fact.Material)},
		{k.totals.ByOrder, last(fact.Order)},
		{k.totals.ByMachine, last(fact.WorkCenter)},
		{k.totals.ByDay, day},
	} {
		by.counts[by.key] = by.counts[by.key].plus(made)
	}
}

// scaledTo is a quantity as a whole number of so many decimals of its unit.
func scaledTo(t *testing.T, q event.Quantity, unit string, digits int) int64 {
	t.Helper()
	n, rest, err := q.Value.Scaled(digits)
	if err != nil || !rest.IsZero() || q.Unit != unit {
		t.Errorf("%v is no whole number of %d decimals in %s: %v", q, digits, unit, err)
	}
	return n
}

// last is the last segment of a ref.
func last(ref event.Ref) string { return string(ref[strings.LastIndex(string(ref), "/")+1:]) }

// compare holds what was taken against the control totals, and the events
// against the rows that they come from.
func (k *taken) compare(t *testing.T, want Totals) {
	t.Helper()
	got := k.totals
	got.IdleRows, got.ZeroRows, got.OrdersPlaced = k.events["equipment.state.changed"], k.warned, k.events["order.released"]
	got.ResinLots, got.FailedFormulas = len(k.lots), k.refused
	for _, made := range got.ByOrder {
		if made.Total > 0 {
			got.OrdersProduced++
		}
	}
	got.SharedShifts = want.SharedShifts // two rows of a shift are two messages, and nothing adds them up
	if want.ByItem == nil {
		got.ByItem, got.ByOrder, got.ByMachine, got.ByDay, got.ResinMilligrams = nil, nil, nil, nil, nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-counted +taken):\n%s", diff)
	}
	for typ, should := range map[string]int{
		"production.completed": want.Rows - want.IdleRows,
		"material.consumed":    want.Rows - want.IdleRows - want.ZeroRows,
	} {
		if k.events[typ] != should {
			t.Errorf("%d %s, want %d", k.events[typ], typ, should)
		}
	}
}

func TestEveryRowOfAMadeUpMonthBecomesItsEvents(t *testing.T) {
	for seed := range uint64(3) {
		dir, want := madeUp(t, seed)
		files, err := Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		take(t, files).compare(t, want)
	}
}

func TestEveryRowOfTheRealMonthBecomesItsEvents(t *testing.T) {
	dir := plantData(t)
	files, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	k := take(t, files)
	k.compare(t, RealTotals())
	if k.noLot != 15 { // of 661 rows that made something
		t.Errorf("%d consumptions without a lot, want 15", k.noLot)
	}
	if diff := cmp.Diff(recount(t, dir).ResinMilligrams, k.totals.ResinMilligrams); diff != "" {
		t.Errorf("resin in milligrams (-files +taken):\n%s", diff)
	}
}

func TestARowIsTheSameMessageAsWorkbookAndAsCSV(t *testing.T) {
	for _, plant := range []struct {
		name string
		dir  func(t *testing.T) string
	}{
		{"of the made-up month", func(t *testing.T) string { t.Helper(); dir, _ := madeUp(t, 4); return dir }},
		{"of the real month", plantData},
	} {
		t.Run(plant.name, func(t *testing.T) {
			dir, c, compared := plant.dir(t), loaded(t), 0
			for _, path := range append(glob(t, dir, "orders/*.xlsx"), optional(t, dir, "master-data/*.xlsx")...) {
				f := fileOf(t, path)
				m, _ := c.Mapping(f.System, f.Message)
				workbook, table := digests(t, m, path), digests(t, m, strings.TrimSuffix(path, ".xlsx")+".csv")
				if diff := cmp.Diff(table, workbook); diff != "" {
					t.Errorf("%s (-csv +xlsx):\n%s", filepath.Base(path), diff)
				}
				compared += len(table)
			}
			if compared < 70 {
				t.Errorf("%d rows compared, want every order at least", compared)
			}
		})
	}
}

// optional are the files of a pattern, none too.
func optional(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func fileOf(t *testing.T, path string) File {
	t.Helper()
	for _, s := range sources() {
		if strings.HasPrefix(filepath.Base(path), s.prefix) {
			return File{path, s.system, s.message}
		}
	}
	t.Fatalf("%s belongs to no message", path)
	return File{}
}

// digests are the identity and digest of every row that can be read.
func digests(t *testing.T, m *mapping.Mapping, path string) []string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := m.Format(format.Kind(strings.TrimPrefix(filepath.Ext(path), ".")))
	var all []string
	for record, err := range format.Split(spec, body, format.Limits{}) {
		if err != nil {
			continue // counted elsewhere
		}
		identity, err := m.Identify(record.Value)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := m.Digest(record.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, identity+" "+digest)
	}
	return all
}

// TestABillHoldsWithTheOrders is why the bill is read as kilograms for 10,000
// parts: parts ordered by it give the kilograms that the order asks for, rounded
// to whole ones. Of 74 orders one is rounded down, and two ask for less; the files
// do not say why.
func TestABillHoldsWithTheOrders(t *testing.T) {
	dir := plantData(t)
	bills := recountBills(t, dir)
	var differ []string
	for _, path := range glob(t, dir, "orders/*.csv") {
		for _, o := range readCSV(t, path) {
			needed := big.NewRat(whole(t, o["itemQuantity"])*bills[o["itemCode"]+"/"+o["plasticResinCode"]], 1_000_000)
			asked, ok := new(big.Rat).SetString(o["plasticResinQuantity"])
			if !ok {
				t.Fatalf("order %s asks for %q kg of resin", o["poNo"], o["plasticResinQuantity"])
			}
			if off := asked.Sub(asked, needed); off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
				differ = append(differ, o["poNo"])
			}
		}
	}
	slices.Sort(differ)
	if diff := cmp.Diff([]string{"IM1811030", "IM1811032", "IM1811065"}, differ); diff != "" {
		t.Errorf("orders that ask for another amount (-want +got):\n%s", diff)
	}
}
