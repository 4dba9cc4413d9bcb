package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gapless/gapless/event"
)

// A Rehearsal is what would follow from an entry, were it recorded now.
type Rehearsal struct {
	Decision
	Held      bool                 // the message is held at the moment
	Waived    bool                 // a person has given it up
	Stand     int                  // events that stand for the message
	Before    map[string]Statement // what it would correct or reverse, by event key
	Known     map[string]Step      // steps on record that the decision moves, by key
	Performed []Step               // steps that the events of the message have caused, those that no longer stand too
}

// Rehearse tells for each entry what would follow from it alone. It loads what a commit
// would load and asks Decide, in one consistent view, and takes no lock: nothing is
// written, and nobody waits.
func (l *Ledger) Rehearse(ctx context.Context, entries []*Entry) ([]Rehearsal, error) {
	all, err := l.rehearse(ctx, entries)
	if len(entries) > 1 && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) { // more than one read may look at
		half := len(entries) / 2
		if all, err = l.Rehearse(ctx, entries[:half]); err != nil {
			return nil, err
		}
		rest, err := l.Rehearse(ctx, entries[half:])
		return append(all, rest...), err
	}
	return all, err
}

func (l *Ledger) rehearse(ctx context.Context, entries []*Entry) ([]Rehearsal, error) {
	l.passGate()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var all []Rehearsal
	err := l.store.readers.view(ctx, func(s *session) (err error) {
		all, err = l.rehearseOn(ctx, s, entries)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.Rehearse: %w", err)
	}
	return all, nil
}

// rehearseOn is Rehearse within one view.
func (l *Ledger) rehearseOn(ctx context.Context, s *session, entries []*Entry) (all []Rehearsal, err error) {
	t := &transaction{session: s, ledger: l, batch: &batch{}, now: l.cfg.Clock().UnixMicro(), feeds: map[string]*feed{}}
	for _, e := range entries {
		t.batch.items = append(t.batch.items, &item{entry: e, key: e.Message.Key()})
	}
	if err := t.seeFeeds(ctx); err != nil {
		return nil, err
	}
	if t.w, err = t.load(ctx); err != nil {
		return nil, err
	}
	all = make([]Rehearsal, len(entries))
	for i, it := range t.batch.items {
		t.w.Last = t.feeds[it.entry.Message.Plant].last
		all[i] = t.rehearsed(it, l.cfg.Decide(t.w, it.entry))
	}
	if err := t.addPerformed(ctx, all); err != nil {
		return nil, err
	}
	return all, nil
}

// seeFeeds reads where the feeds of the batch end. One that does not exist yet is empty.
func (t *transaction) seeFeeds(ctx context.Context) error {
	var plants []string
	for _, it := range t.batch.items {
		plant := it.entry.Message.Plant
		plants = append(plants, plant)
		t.feeds[plant] = &feed{plant: plant}
	}
	return t.in(ctx, "select plant, last from feeds where ", "plant", plants, func(r Row) error {
		var f feed
		err := r.Scan(&f.plant, &f.last)
		t.feeds[f.plant] = &f
		return err
	})
}

// rehearsed is a decision with what it moves, as that stands.
func (t *transaction) rehearsed(it *item, d Decision) Rehearsal {
	in := t.w.Inbox[it.key]
	r := Rehearsal{Decision: d, Held: in.Held, Waived: in.Waived, Before: map[string]Statement{}, Known: map[string]Step{}}
	for _, key := range t.w.ByMessage[it.key] {
		if t.w.Statements[key].Change != event.Reversal {
			r.Stand++
		}
	}
	for i := range d.Drafts {
		if before, ok := t.w.Statements[d.Drafts[i].Key]; ok {
			r.Before[before.Key] = before
		}
	}
	for i := range d.Following.Steps {
		if s, ok := t.w.Steps[d.Following.Steps[i].Key]; ok {
			r.Known[s.Key] = s
		}
	}
	return r
}

// addPerformed reads the steps that the events of the messages have caused, alone or
// with others.
func (t *transaction) addPerformed(ctx context.Context, all []Rehearsal) error {
	of := map[string]int{} // place of the entry, by statement
	var statements []string
	for i, it := range t.batch.items {
		for _, key := range t.w.ByMessage[it.key] {
			for n := 1; n <= t.w.Statements[key].Statement; n++ {
				id := event.StatementID(key, n)
				of[id] = i
				statements = append(statements, id)
			}
		}
	}
	if len(statements) == 0 {
		return nil
	}
	members := map[string][]string{} // statements by step
	err := t.in(ctx, "select step, statement from step_members where ", "statement", statements, func(r Row) error {
		var step, statement string
		err := r.Scan(&step, &statement)
		members[step] = append(members[step], statement)
		return err
	})
	if err != nil {
		return err
	}
	t.w.Steps = map[string]Step{}
	if err := t.loadSteps(ctx, "s.cause", statements); err != nil {
		return err
	}
	for _, key := range sortedKeys(t.w.Steps) {
		members[key] = append(members[key], t.w.Steps[key].Cause)
	}
	if err := t.loadSteps(ctx, "c.key", sortedKeys(members)); err != nil {
		return err
	}
	for _, key := range sortedKeys(members) {
		var told []int
		for _, statement := range members[key] {
			if i, ok := of[statement]; ok && !slices.Contains(told, i) {
				told = append(told, i)
				all[i].Performed = append(all[i].Performed, t.w.Steps[key])
			}
		}
	}
	return nil
}
