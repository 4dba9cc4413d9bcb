package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	causes  []string // keys of the events behind a step: what they say is still to be read
	refs    []event.Ref
	facts   []event.Fact
	texts   []string
	content []content
}

// content is what a message says.
type content struct {
	source string // id of the version
	plant  string
	body   []byte
}

// noteMessage keeps what is known of a message that is held.
func (t *transaction) noteMessage(e *Entry, r *fault.Fault, m *keyed) {
	n := raisedAbout{key: m.Key(), version: m.Version, content: []content{{m.StatementID(), m.Plant, m.Body}}, refs: slices.Clone(e.Refs), facts: slices.Clone(e.Facts), texts: []string{m.Key(), m.ID, r.Field, r.Explanation()}}
	for i := range e.Drafts {
		n.refs = append(n.refs, e.Drafts[i].Refs...)
		n.facts = append(n.facts, e.Drafts[i].Facts...)
	}
	n.refs = append(n.refs, r.Ref)
	t.noted = append(t.noted, n)
}

// noteStep keeps what is known of a step that stands still.
func (t *transaction) noteStep(s *Step, version int, r *fault.Fault) {
	statements := s.Members
	if len(statements) == 0 {
		statements = []string{s.Cause}
	}
	var causes []string
	for _, id := range statements {
		if key, _, err := event.ParseStatementID(id); err == nil { // else verify tells that it is not on record
			causes = append(causes, key)
		}
	}
	refs := append([]event.Ref{s.Object}, s.Lanes...)
	t.noted = append(t.noted, raisedAbout{key: s.Key, version: version, causes: causes, refs: refs, texts: []string{s.Key, r.Field, r.Explanation()}})
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
	return t.insertAll(ctx, []*table{exceptionRefsTable, exceptionWordsTable, exceptionAmountsTable, exceptionContentsTable}, rows)
}

// notedCause is an event behind steps that stand still.
type notedCause struct {
	refs    []event.Ref
	facts   []event.Fact
	content content
}

// readCauses adds to noted steps what the events behind them say: of a bundle, all.
func (t *transaction) readCauses(ctx context.Context) error {
	var keys []string
	for i := range t.noted {
		keys = append(keys, t.noted[i].causes...)
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	causes := map[string]*notedCause{} // by key
	if err := errors.Join(t.readEvents(ctx, slices.Compact(keys), causes), t.readContents(ctx, causes)); err != nil {
		return err
	}
	for i := range t.noted {
		n := &t.noted[i]
		for _, key := range n.causes {
			if c := causes[key]; c != nil {
				n.refs, n.facts, n.content = append(n.refs, c.refs...), append(n.facts, c.facts...), append(n.content, c.content)
			}
		}
	}
	return nil
}

// newestOf reads events by key: the newest statement of each, which is at stake now.
const newestOf = " from event_keys k join events e on e.plant = k.plant and e.position = k.position and e.recorded = k.recorded"

func (t *transaction) readEvents(ctx context.Context, keys []string, causes map[string]*notedCause) error {
	err := t.in(ctx, "select k.key, e.plant, e.message, e.derived"+newestOf+" where ", "k.key", keys, func(r Row) error {
		var key string
		var text []byte
		c := &notedCause{}
		if err := r.Scan(&key, &c.content.plant, &c.content.source, &text); err != nil {
			return err
		}
		var d derived
		err := json.Unmarshal(text, &d)
		c.refs, causes[key] = d.Refs, c
		return err
	})
	if err != nil {
		return err
	}
	return t.in(ctx, "select k.key, "+factColumns+newestOf+" join facts f on f.plant = e.plant and f.position = e.position and f.recorded = e.recorded where f.sign = 1 and ", "k.key", keys, func(r Row) error {
		var key string
		f, err := scanFact(r, &key)
		if c := causes[key]; err == nil && c != nil {
			c.facts = append(c.facts, f)
		}
		return err
	})
}

// readContents adds to causes what their messages say, as far as it is still there.
func (t *transaction) readContents(ctx context.Context, causes map[string]*notedCause) error {
	var keys []string
	for _, c := range causes {
		key, _, err := event.ParseStatementID(c.content.source)
		if err != nil {
			return fmt.Errorf("ledger.readContents: %w", err)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	contents := map[string][]byte{}
	err := t.in(ctx, "select m.key, m.version, c.body from messages m join contents c on c.recorded = m.recorded and c.key = m.key where ", "m.key", slices.Compact(keys), func(r Row) error {
		var key string
		var version int
		var body []byte
		err := r.Scan(&key, &version, &body)
		contents[event.StatementID(key, version)] = body
		return err
	})
	for _, c := range causes {
		c.content.body = contents[c.content.source]
	}
	return err
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
	to[exceptionContentsTable] = append(to[exceptionContentsTable], n.contentRows()...)
	for _, word := range wordsOf(mostWords, texts...) {
		to[exceptionWordsTable] = append(to[exceptionWordsTable], []any{word, n.key, int64(n.version)})
	}
	var sums []Amount
	for _, f := range n.facts {
		sums = addAmount(sums, Amount{f.Measure, f.Base.Value, f.Base.Unit})
	}
	for _, a := range sums {
		to[exceptionAmountsTable] = append(to[exceptionAmountsTable], amountRow(n.key, int64(n.version), &a))
	}
}

// contentRows are the words of all content behind an exception, each once and bounded.
func (n *raisedAbout) contentRows() [][]any {
	var rows [][]any
	seen := map[string]bool{}
	for i := range n.content {
		c := &n.content[i]
		for _, word := range contentWords(c.body) {
			if len(rows) == mostContentWords {
				return rows
			}
			if !seen[word] {
				seen[word] = true
				rows = append(rows, []any{word, n.key, int64(n.version), c.plant, c.source})
			}
		}
	}
	return rows
}

// amountRow is a row of what is at stake. What is too large for a whole number of
// millionths is all residue.
func amountRow(key string, version int64, a *Amount) []any {
	scaled, residue, err := a.Value.Scaled(FactDigits)
	if err != nil {
		scaled, residue = 0, a.Value
	}
	rest := ""
	if !residue.IsZero() {
		rest = residue.String()
	}
	return []any{key, version, a.Measure, a.Unit, a.Value.String(), a.Value.Ordered(), scaled, rest}
}

// How much of the texts of one exception is found by: what is longer is prose of a
// system, and its end says little.
const (
	mostWords        = 100
	longestWord      = 64
	mostContentWords = 200     // of raw content
	mostContent      = 1 << 16 // bytes of it that are looked at
)

// contentWords are the words of raw content: of JSON those of its values, of anything else
// all of them. Content in another encoding than UTF-8 has none.
func contentWords(body []byte) []string {
	if len(body) > mostContent {
		body = body[:mostContent] // is no JSON any more: its names are among the words
	}
	numbered := json.NewDecoder(bytes.NewReader(body))
	numbered.UseNumber()
	var value any
	if err := numbered.Decode(&value); err == nil && !numbered.More() {
		return wordsOf(mostContentWords, textsIn(value, nil)...)
	}
	if body = bytes.ToValidUTF8(body, nil); bytes.IndexByte(body, 0) >= 0 {
		return nil
	}
	return wordsOf(mostContentWords, string(body))
}

// textsIn are the texts and numbers of a JSON value, behind others.
func textsIn(value any, all []string) []string {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range sortedKeys(v) {
			all = textsIn(v[name], all)
		}
	case []any:
		for _, x := range v {
			all = textsIn(x, all)
		}
	case string:
		all = append(all, v)
	case json.Number:
		all = append(all, v.String())
	}
	return all
}

// wordsOf are the words of texts in small letters, each once and so many at most: what stands between
// blanks, and its parts of letters and digits alone.
func wordsOf(most int, texts ...string) []string {
	seen := map[string]bool{}
	var all []string
	add := func(word string) {
		if len(word) > 1 && len(word) <= longestWord && !seen[word] && len(all) < most {
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
