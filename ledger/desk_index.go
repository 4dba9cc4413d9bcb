package ledger

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// raisedAbout is what an exception is found by and what is at stake, as the commit that
// raises it knows it.
type raisedAbout struct {
	key     string
	version int
	step    bool // what its cause says is still to be read
	refs    []event.Ref
	facts   []event.Fact
	texts   []string
}

// noteMessage keeps what is known of a message that is held.
func (t *transaction) noteMessage(e *Entry, r *fault.Fault, m *keyed) {
	n := raisedAbout{key: m.Key(), version: m.Version, refs: slices.Clone(e.Refs), facts: slices.Clone(e.Facts), texts: []string{m.Key(), m.ID, r.Field, r.Explanation()}}
	for i := range e.Drafts {
		n.refs = append(n.refs, e.Drafts[i].Refs...)
		n.facts = append(n.facts, e.Drafts[i].Facts...)
	}
	n.refs = append(n.refs, r.Ref)
	t.noted = append(t.noted, n)
}

// noteStep keeps what is known of a step that stands still.
func (t *transaction) noteStep(s *Step, version int, r *fault.Fault) {
	refs := append([]event.Ref{s.Object}, s.Lanes...)
	t.noted = append(t.noted, raisedAbout{key: s.Key, version: version, step: true, refs: refs, texts: []string{s.Key, r.Field, r.Explanation()}})
}

// noteExpectation keeps what is known of an expectation that was missed.
func (t *transaction) noteExpectation(x *Late) {
	t.noted = append(t.noted, raisedAbout{key: x.About, refs: []event.Ref{x.Object()}, texts: []string{x.About, x.Name, x.Fault.Explanation()}})
}

// writeNoted writes what the exceptions of this commit are found by. It runs when the
// events are written, because the cause of a step may be of the same commit.
func (t *transaction) writeNoted(ctx context.Context) error {
	if len(t.noted) == 0 {
		return nil
	}
	if err := t.readCauses(ctx); err != nil {
		return err
	}
	rows := map[*table][][]any{}
	seen := map[string]bool{}
	for i := len(t.noted) - 1; i >= 0; i-- { // the last word of a commit about one exception counts
		n := &t.noted[i]
		if id := event.StatementID(n.key, n.version); !seen[id] {
			seen[id] = true
			n.rows(rows)
		}
	}
	return t.insertAll(ctx, []*table{exceptionRefsTable, exceptionWordsTable, exceptionAmountsTable}, rows)
}

// readCauses adds to noted steps what the events behind them say.
func (t *transaction) readCauses(ctx context.Context) error {
	var keys []string
	for i := range t.noted {
		if t.noted[i].step {
			keys = append(keys, t.noted[i].key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	type cause struct {
		plant              string
		position, recorded int64
		refs               []event.Ref
	}
	causes := map[string]cause{}
	err := t.in(ctx, "select s.key, e.plant, e.position, e.recorded, e.derived from steps s join events e on e.plant = s.plant and e.position = s.position where ",
		"s.key", slices.Compact(keys), func(r Row) error {
			var key string
			var c cause
			var text []byte
			if err := r.Scan(&key, &c.plant, &c.position, &c.recorded, &text); err != nil {
				return err
			}
			var d derived
			err := json.Unmarshal(text, &d)
			c.refs = d.Refs
			causes[key] = c
			return err
		})
	if err != nil {
		return err
	}
	for i := range t.noted {
		n := &t.noted[i]
		c, ok := causes[n.key]
		if !n.step || !ok {
			continue
		}
		n.refs = append(n.refs, c.refs...)
		if n.facts, err = loadFacts(ctx, t.session, c.plant, c.position, c.recorded); err != nil {
			return err
		}
	}
	return nil
}

// rows gathers the rows of one exception.
func (n *raisedAbout) rows(to map[*table][][]any) {
	slices.Sort(n.refs)
	texts := slices.Clone(n.texts)
	for _, ref := range slices.Compact(n.refs) {
		if ref == "" {
			continue
		}
		to[exceptionRefsTable] = append(to[exceptionRefsTable], []any{string(ref), n.key, int64(n.version)})
		texts = append(texts, ref.Segments()...)
	}
	for _, word := range wordsOf(texts...) {
		to[exceptionWordsTable] = append(to[exceptionWordsTable], []any{word, n.key, int64(n.version)})
	}
	var sums []Amount
	for _, f := range n.facts {
		sums = addAmount(sums, Amount{f.Measure, f.Base.Value, f.Base.Unit})
	}
	for _, a := range sums {
		to[exceptionAmountsTable] = append(to[exceptionAmountsTable], []any{n.key, int64(n.version), a.Measure, a.Unit, a.Value.String()})
	}
}

// How much of the texts of one exception is found by: what is longer is prose of a
// system, and its end says little.
const (
	mostWords   = 100
	longestWord = 64
)

// wordsOf are the words of texts in small letters, each once: what stands between
// blanks, and its parts of letters and digits alone.
func wordsOf(texts ...string) []string {
	seen := map[string]bool{}
	var all []string
	add := func(word string) {
		if len(word) > 1 && len(word) <= longestWord && !seen[word] && len(all) < mostWords {
			seen[word] = true
			all = append(all, word)
		}
	}
	for _, text := range texts {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool {
			return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`"'`+"`"+`,;()[]{}<>`, r)
		}) {
			word = trimmed(word)
			add(word)
			for _, part := range strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
				add(part)
			}
		}
	}
	return all
}

// trimmed is a word in small letters without what stands around it.
func trimmed(word string) string {
	return strings.ToLower(strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }))
}
