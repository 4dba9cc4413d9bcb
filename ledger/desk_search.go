package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// An AmountFilter chooses exceptions by what is at stake of a measure, or of any.
type AmountFilter struct {
	Measure string         // "" for any
	Than    string         // of AmountThans
	Amount  event.Quantity // in a base unit
}

// AmountThans are how an amount may be compared.
func AmountThans() []string { return []string{">=", ">", "<=", "<", "="} }

// DeskWords is how many words one search may have, of what an exception says of itself
// and as many of its message.
const DeskWords = 8

// A find is something that exceptions are found by: rows of a table that holds it beside
// message and version.
type find struct {
	table string
	where string // with ? for the values
	asked string // the same of one exception, by which no index but that of exceptions can be gone through; "" for where
	args  []any
}

// fewFound is how many exceptions are looked at one by one because something is found of
// them. Of what more have, an exception that is looked at for another reason is asked.
const fewFound = 5_000

// addFinds adds everything that a filter wants found. What the fewest have leads to them;
// where all of it is said of many, they are looked at in their order: enough for a page
// are soon found.
func (l *Ledger) addFinds(ctx context.Context, c *conditions, f *DeskFilter) error {
	finds, err := l.finds(f)
	if err != nil || len(finds) == 0 {
		return err
	}
	first, fewest := -1, fewFound+1
	for i := range finds {
		n, err := l.found(ctx, &finds[i])
		if err != nil {
			return err
		}
		if n < fewest {
			first, fewest = i, n
		}
	}
	if first >= 0 {
		x := &finds[first]
		c.first = c.filled("(select distinct message, version from "+x.table+" where "+x.where+") f cross join ", x.args)
		c.add("x.message = f.message and x.version = f.version")
	}
	for i := range finds {
		if i != first {
			c.asks(&finds[i])
		}
	}
	return nil
}

// asks adds that something is found of an exception that is looked at.
func (c *conditions) asks(x *find) {
	c.add("exists (select 1 from "+x.table+" w where w.message = x.message and w.version = x.version and "+cmp.Or(x.asked, x.where)+")", x.args...)
}

// found is how many rows there are, at most one more than fewFound.
func (l *Ledger) found(ctx context.Context, x *find) (n int, err error) {
	c := &conditions{dialect: l.store.dialect}
	query := c.filled(fmt.Sprintf("select count(*) from (select 1 from %s where %s limit %d) as few", x.table, x.where, fewFound+1), x.args)
	err = l.each(ctx, query, c.args, func(r Row) error { return r.Scan(&n) })
	return n, err
}

// finds is what a filter wants found.
func (l *Ledger) finds(f *DeskFilter) (all []find, err error) {
	err = eachWord("text", f.Text, func(word string) error {
		if strings.Contains(word, "/") { // the beginning of a ref, as it is written
			all = append(all, beginning("exception_refs", "ref", word))
			return nil
		}
		if word = trimmed(word); word == "" {
			return fault.New("ledger.Desk", fault.InvalidRequest, "text", "%.60q has no word to search for", f.Text)
		}
		all = append(all, beginning("exception_words", "word", word))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachWord("content", f.Content, func(word string) error {
		if word = trimmed(word); word == "" {
			return fault.New("ledger.Desk", fault.InvalidRequest, "content", "%.60q has no word to search for", f.Content)
		}
		x := beginning("exception_contents", "word", word)
		if f.ContentPlants != nil {
			x.where, x.args = x.where+" and "+l.store.dialect.isIn("plant", "?"), append(x.args, l.store.dialect.list(f.ContentPlants))
		}
		all = append(all, x)
		return nil
	})
	if err != nil || f.Amount == nil {
		return all, err
	}
	x, err := f.Amount.find()
	return append(all, x), err
}

// beginning finds what begins with a text.
func beginning(table, column, text string) find {
	return find{table: table, where: column + " >= ? and " + column + " < ?", args: []any{text, text + "\U0010FFFF"}}
}

// eachWord goes through the words of a text, between blanks.
func eachWord(field, text string, do func(word string) error) error {
	all := strings.Fields(text)
	if len(all) > DeskWords {
		return fault.New("ledger.Desk", fault.InvalidRequest, field, "%d words; search for %d at most", len(all), DeskWords)
	}
	for _, word := range all {
		if err := do(word); err != nil {
			return err
		}
	}
	return nil
}

// find finds exceptions by what is at stake. What was raised by a program that did not
// keep amounts in order is not found.
func (f *AmountFilter) find() (find, error) {
	if !slices.Contains(AmountThans(), f.Than) {
		return find{}, fault.New("ledger.Desk", fault.InvalidRequest, "amount", "%.40q; compare by one of %s", f.Than, strings.Join(AmountThans(), " "))
	}
	x := find{
		table: "exception_amounts", where: "unit = ? and place <> '' and place " + f.Than + " ?",
		asked: "coalesce(unit, '') = ? and place <> '' and coalesce(place, '') " + f.Than + " ?", args: []any{f.Amount.Unit, f.Amount.Value.Ordered()},
	}
	if f.Measure != "" {
		x.where, x.asked, x.args = x.where+" and measure = ?", x.asked+" and measure = ?", append(x.args, f.Measure)
	}
	return x, nil
}
