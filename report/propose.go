package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// A Proposal is an object that a system may mean by an identifier that nobody has
// explained, and that messages wait for. It is for a person to confirm: the hub never
// takes a likeness for the truth.
type Proposal struct {
	System  string
	Kind    string
	ID      string // as the system writes it
	Waiting int64  // messages

	Ref     event.Ref
	Because string    // in what they are alike: `tryton calls it "RM 1001"`
	Known   time.Time // since when what it rests on is on record; zero: it stands in the catalog
}

// mostUnexplained bounds the identifiers that are looked at.
const mostUnexplained = 1000

// Proposals are the objects that unexplained identifiers may mean, by system, kind and
// identifier, the strongest reason for each object: another system calls it alike, its
// ref is alike, or a text of its reference data is. Letters and digits count, in
// capitals and without leading zeros.
func Proposals(ctx context.Context, l *ledger.Ledger, cat *catalog.Catalog) ([]Proposal, error) {
	var p proposing
	err := l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
		p = proposing{unexplained: map[alike][]Proposal{}, found: map[proposed]Proposal{}}
		if err := p.readUnexplained(ctx, r); err != nil || len(p.unexplained) == 0 {
			return err
		}
		for _, x := range cat.CrossReferences() {
			p.named(x.System, x.Kind, x.ID, x.Ref, time.Time{})
		}
		for _, kind := range p.kinds {
			if err := p.readIdentifiers(ctx, r, kind); err != nil {
				return err
			}
			if err := p.readReference(ctx, r, kind); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := make([]Proposal, 0, len(p.found))
	for _, x := range p.found {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(a.System, b.System), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Ref, b.Ref))
	})
	return all, nil
}

// alike is what identifiers of a kind have in common that are alike.
type alike struct{ kind, text string }

// proposed is one proposal: an identifier and an object.
type proposed struct {
	system, kind, id string
	ref              event.Ref
}

// proposing is one search under way.
type proposing struct {
	kinds       []string
	unexplained map[alike][]Proposal // without an object
	found       map[proposed]Proposal
}

const crossReferenceWait = "cross-reference:"

func (p *proposing) readUnexplained(ctx context.Context, r *ledger.Reader) error {
	query := "select wanted, count(*) from waits where wanted >= $1 and wanted < $2 group by wanted order by wanted limit $3"
	return r.Query(ctx, query, []any{crossReferenceWait, "cross-reference;", mostUnexplained}, func(row ledger.Row) error {
		var wanted string
		x := Proposal{}
		if err := row.Scan(&wanted, &x.Waiting); err != nil {
			return err
		}
		parts := strings.SplitN(strings.TrimPrefix(wanted, crossReferenceWait), "/", 3)
		if len(parts) != 3 {
			return fmt.Errorf("report.Proposals: %q is no wait for an identifier", wanted)
		}
		x.System, x.Kind, x.ID = parts[0], parts[1], parts[2]
		if text := likeness(x.ID); text != "" {
			p.unexplained[alike{x.Kind, text}] = append(p.unexplained[alike{x.Kind, text}], x)
			if !slices.Contains(p.kinds, x.Kind) {
				p.kinds = append(p.kinds, x.Kind)
			}
		}
		return nil
	})
}

// readIdentifiers looks at what systems call objects of a kind, and at their refs.
func (p *proposing) readIdentifiers(ctx context.Context, r *ledger.Reader, kind string) error {
	query := "select system, id, ref, recorded from cross_references where kind = $1 and withdrawn = 0 order by recorded"
	return r.Query(ctx, query, []any{kind}, func(row ledger.Row) error {
		var system, id string
		var ref event.Ref
		var recorded int64
		if err := row.Scan(&system, &id, &ref, &recorded); err != nil {
			return err
		}
		p.named(system, kind, id, ref, time.UnixMicro(recorded))
		return nil
	})
}

// readReference looks at the reference data about objects of a kind.
func (p *proposing) readReference(ctx context.Context, r *ledger.Reader, kind string) error {
	query := "select ref, recorded, body from reference where ref >= $1 and ref < $2 and withdrawn = 0 order by ref, recorded"
	return r.Query(ctx, query, []any{kind + "/", kind + "0"}, func(row ledger.Row) error {
		var ref event.Ref
		var recorded int64
		var text []byte
		if err := row.Scan(&ref, &recorded, &text); err != nil {
			return err
		}
		known := time.UnixMicro(recorded)
		p.own(kind, ref, known)
		var body map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&body); err != nil {
			return fmt.Errorf("report.Proposals: reference data about %s: %w", ref, err)
		}
		for _, field := range slices.Sorted(maps.Keys(body)) {
			if value, ok := body[field].(string); ok {
				p.propose(kind, value, ref, fmt.Sprintf("its %s is %q", field, value), known)
			}
		}
		return nil
	})
}

// named proposes an object for what a system calls it, and for its own ref.
func (p *proposing) named(system, kind, id string, ref event.Ref, known time.Time) {
	p.propose(kind, id, ref, fmt.Sprintf("%s calls it %q", system, id), known)
	p.own(kind, ref, known)
}

// own proposes an object for what its ref ends in.
func (p *proposing) own(kind string, ref event.Ref, known time.Time) {
	if segments := ref.Segments(); len(segments) > 0 {
		p.propose(kind, segments[len(segments)-1], ref, "its ref is alike", known)
	}
}

// propose proposes an object for every unexplained identifier that a text is like. The
// first reason counts: the strongest are read first.
func (p *proposing) propose(kind, text string, ref event.Ref, because string, known time.Time) {
	for _, x := range p.unexplained[alike{kind, likeness(text)}] {
		key := proposed{x.System, x.Kind, x.ID, ref}
		if _, ok := p.found[key]; !ok {
			x.Ref, x.Because, x.Known = ref, because, known
			p.found[key] = x
		}
	}
}

// likeness is what is compared of an identifier; "" where it has no letter and no digit.
func likeness(id string) string {
	kept := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, id)
	return strings.TrimLeft(kept, "0")
}
