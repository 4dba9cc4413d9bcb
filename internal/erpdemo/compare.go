package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// A reading is the ERP's books as they are, read over its API.
type reading struct {
	stock       map[erp.Spot]event.Decimal
	orders      map[string]*made
	productions []erp.Production
	documents   []erp.Document
}

func (d *demo) read(ctx context.Context) (*reading, error) {
	moves, err := erp.Moves(ctx, d.server.client)
	if err != nil {
		return nil, err
	}
	r := &reading{stock: map[erp.Spot]event.Decimal{}, orders: map[string]*made{}}
	for _, m := range moves {
		r.post(m)
	}
	if r.productions, err = erp.Productions(ctx, d.server.client); err != nil {
		return nil, err
	}
	r.documents, err = erp.Documents(ctx, d.server.client)
	return r, err
}

// post counts one movement.
func (r *reading) post(m erp.Move) {
	r.add(erp.Spot{Location: m.From, Item: m.Item, Lot: m.Lot}, m.Quantity.Neg())
	r.add(erp.Spot{Location: m.To, Item: m.Item, Lot: m.Lot}, m.Quantity)
	if m.Order != "" {
		r.ofOrder(m)
	}
}

func (r *reading) add(at erp.Spot, quantity event.Decimal) { r.stock[at] = r.stock[at].Add(quantity) }

func (r *reading) ofOrder(m erp.Move) {
	o := r.orders[m.Order]
	if o == nil {
		o = &made{inputs: map[string]event.Decimal{}}
		r.orders[m.Order] = o
	}
	switch {
	case !m.Output:
		o.inputs[m.Item] = o.inputs[m.Item].Add(m.Quantity)
	case strings.HasSuffix(m.To, "-"+string(erp.Scrap)):
		o.scrap = o.scrap.Add(m.Quantity)
	default:
		o.good = o.good.Add(m.Quantity)
	}
}

// A verdict is what came of the comparison.
type verdict struct {
	different []string // everything that is not equal
	doubled   []string // posted more than once
	missing   []string // not posted, or less than that
	page      strings.Builder
}

func (v *verdict) line(equal bool, text string, args ...any) {
	mark := "  "
	if !equal {
		mark = "! "
		v.different = append(v.different, fmt.Sprintf(text, args...))
	}
	fmt.Fprintf(&v.page, mark+text+"\n", args...)
}

// compare holds the ERP's books against those of this program and against the hub's
// figures, writes all of it into a file, and prints what differs and the last line.
func (d *demo) compare(ctx context.Context) error {
	r, err := d.read(ctx)
	if err != nil {
		return err
	}
	v := &verdict{}
	d.compareOrders(v, r)
	d.compareStock(v, r)
	for _, part := range []func(context.Context, *verdict, *reading) error{d.compareOwnStock, d.compareFigures, d.compareFacts} {
		if err := part(ctx, v, r); err != nil {
			return err
		}
	}
	d.compareDocuments(v, r)
	return d.tell(ctx, v, r)
}

func (d *demo) tell(ctx context.Context, v *verdict, r *reading) error {
	file := filepath.Join(d.folder, "books.txt")
	if err := os.WriteFile(file, []byte(v.page.String()), 0o600); err != nil {
		return err
	}
	if err := d.listOpen(ctx); err != nil {
		return err
	}
	d.say("compared %d orders and %d places of stock with the ERP's books: %s", len(d.books.orders), len(r.stock), file)
	for _, list := range []struct {
		name  string
		lines []string
	}{{"different", v.different}, {"doubled", v.doubled}, {"missing", v.missing}} {
		for _, text := range list.lines {
			fmt.Fprintf(d.out, "%s: %s\n", list.name, text)
		}
	}
	if d.faults != nil {
		d.faults.tell(d)
	}
	fmt.Fprintf(d.out, "erp_equal: %t doubled: %d missing: %d\n", len(v.different) == 0, len(v.doubled), len(v.missing))
	if len(v.different)+len(v.doubled)+len(v.missing) > 0 {
		return errUnequal
	}
	if d.faults != nil {
		return d.faults.complete()
	}
	return nil
}

// compareOrders compares every order: good, scrap, and each input.
func (d *demo) compareOrders(v *verdict, r *reading) {
	fmt.Fprintln(&v.page, "by order: good, scrap and inputs as reported, and as the ERP has them")
	for _, number := range slices.Sorted(maps.Keys(d.books.orders)) {
		want, got := d.books.orders[number], r.orders[number]
		if got == nil {
			got = &made{}
		}
		v.line(want.good.Equal(got.good) && want.scrap.Equal(got.scrap), "%-12s good %s %s  scrap %s %s", number, want.good, got.good, want.scrap, got.scrap)
		reported, posted := want.good.Add(want.scrap), got.good.Add(got.scrap)
		switch reported.Cmp(posted) {
		case -1:
			v.doubled = append(v.doubled, fmt.Sprintf("%s gave %s, and %s was received", number, reported, posted))
		case 1:
			v.missing = append(v.missing, fmt.Sprintf("%s gave %s, and %s was received", number, reported, posted))
		}
		items := maps.Clone(want.inputs)
		maps.Copy(items, got.inputs)
		for _, item := range slices.Sorted(maps.Keys(items)) {
			v.line(want.inputs[item].Equal(got.inputs[item]), "%-12s input %s %s %s", number, item, want.inputs[item], got.inputs[item])
		}
	}
	for _, p := range r.productions {
		_, reported := d.books.orders[p.Number]
		switch {
		case reported && p.State != "done":
			v.missing = append(v.missing, fmt.Sprintf("%s is %s", p.Number, p.State))
		case !reported && (p.State == "running" || p.State == "done"):
			v.line(false, "%s is %s, and nothing was reported of it", p.Number, p.State)
		}
	}
}

// compareStock compares every place of the plants, by item and lot.
func (d *demo) compareStock(v *verdict, r *reading) {
	fmt.Fprintln(&v.page, "by location, item and lot: as counted here, and as the ERP has it")
	spots := maps.Clone(d.books.stock)
	maps.Copy(spots, r.stock)
	for _, at := range slices.SortedFunc(maps.Keys(spots), func(a, b erp.Spot) int {
		return strings.Compare(a.Location+" "+a.Item+" "+a.Lot, b.Location+" "+b.Item+" "+b.Lot)
	}) {
		if !strings.HasPrefix(at.Location, "P") || ofFloor(at.Location) {
			continue
		}
		want, got := d.books.stock[at], r.stock[at]
		v.line(want.Equal(got), "%-10s %-12s %-16s %s %s", at.Location, at.Item, at.Lot, want, got)
	}
}

// compareOwnStock compares what the ERP itself says lies in its storages, by item.
func (d *demo) compareOwnStock(ctx context.Context, v *verdict, _ *reading) error {
	fmt.Fprintln(&v.page, "by storage and item: as counted here, and as the ERP sums it up")
	for _, plant := range erp.Plants() {
		for _, place := range []erp.Place{erp.Storage, erp.Hold, erp.Rejected, erp.Output} {
			location := place.At(plant.Code)
			got, err := erp.Stock(ctx, d.server.client, location)
			if err != nil {
				return err
			}
			want := map[string]event.Decimal{}
			for at, quantity := range d.books.stock {
				if at.Location == location {
					want[at.Item] = want[at.Item].Add(quantity)
				}
			}
			items := maps.Clone(want)
			maps.Copy(items, got)
			for _, item := range slices.Sorted(maps.Keys(items)) {
				v.line(want[item].Equal(got[item]), "%-10s %-12s %s %s", location, item, want[item], got[item])
			}
		}
	}
	return nil
}

// compareFigures compares what the hub has on record of the moulding plant, by order and
// by item, with the ERP's productions. What has not come to its end is in the hub alone.
func (d *demo) compareFigures(ctx context.Context, v *verdict, r *reading) error {
	for _, by := range []string{"order", "item"} {
		if by == "item" && d.limit > 0 {
			continue
		}
		var page struct {
			Rows []struct{ Key, Good, Rejected string }
		}
		if err := d.hub.get(ctx, "/v1/reports/production", url.Values{"by": {by}, "plant": {"p400"}}, &page); err != nil {
			return err
		}
		good, scrap := map[string]event.Decimal{}, map[string]event.Decimal{}
		for number, account := range d.books.orders {
			if posted := r.orders[number]; account.plant == erp.MouldingPlant && posted != nil {
				key := map[string]string{"order": "order/" + number, "item": "material/" + account.item}[by]
				good[key], scrap[key] = good[key].Add(posted.good), scrap[key].Add(posted.scrap)
			}
		}
		fmt.Fprintf(&v.page, "moulding plant by %s: good and rejected on record in the hub, and in the ERP's productions\n", by)
		for _, row := range page.Rows {
			_, posted := good[row.Key]
			recorded, rejected := must(row.Good), must(row.Rejected)
			if !posted && (d.limit > 0 || recorded.IsZero() && rejected.IsZero()) {
				continue
			}
			v.line(recorded.Equal(good[row.Key]) && rejected.Equal(scrap[row.Key]), "%-24s good %s %s  rejected %s %s", row.Key, recorded, good[row.Key], rejected, scrap[row.Key])
			delete(good, row.Key)
		}
		for key := range good {
			v.line(false, "%s is in the ERP's productions, and not in the hub's figures", key)
		}
	}
	return nil
}

// compareFacts counts what the hub took from the ERP: what others did there is a fact,
// and what it had posted itself is none.
func (d *demo) compareFacts(ctx context.Context, v *verdict, _ *reading) error {
	fmt.Fprintln(&v.page, "facts that the ERP told: as many as others made there, and on record")
	for _, fact := range []struct {
		typ  string
		want int
	}{{"stock.moved", foreignMoves}, {"inventory.adjusted", foreignCounts}} {
		var page struct{ Events []map[string]any }
		if err := d.hub.get(ctx, "/v1/feed", url.Values{"type": {fact.typ}, "limit": {"1000"}}, &page); err != nil {
			return err
		}
		v.line(len(page.Events) == fact.want, "%-20s %d %d", fact.typ, fact.want, len(page.Events))
	}
	return nil
}

var keyOfOurs = regexp.MustCompile(`^[0-9a-f]{32}\b`)

// compareDocuments looks for keys under which more than one document was done, and for
// drafts of ours that somebody could still go on with.
func (d *demo) compareDocuments(v *verdict, r *reading) {
	done := map[string][]string{}
	for _, document := range r.documents {
		key := keyOfOurs.FindString(document.Reference)
		switch {
		case key == "":
		case document.State == "done":
			done[key] = append(done[key], document.Number)
		default:
			v.line(false, "%s carries the key of a command and is %s: it is neither done nor cancelled", document.Number, document.State)
		}
	}
	for key, numbers := range done {
		if len(numbers) > 1 {
			v.doubled = append(v.doubled, fmt.Sprintf("%s were done under the key %s", strings.Join(numbers, " and "), key))
		}
	}
	fmt.Fprintf(&v.page, "%d documents carry a key of a command, each done once\n", len(done))
}

// waitForFacts waits until the hub has read what others did in the ERP.
func (d *demo) waitForFacts(ctx context.Context) error {
	for range 120 {
		v := &verdict{}
		if err := d.compareFacts(ctx, v, nil); err != nil {
			return err
		}
		if len(v.different) == 0 {
			return nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("the hub has not read within a minute what others did in the ERP")
}
