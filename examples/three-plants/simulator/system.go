package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A line is one change in the journal of a system.
type line struct {
	N        int             `json:"n"`
	At       time.Time       `json:"at"`            // of the day
	Act      string          `json:"act,omitempty"` // that it is because of
	Kind     string          `json:"kind"`
	Note     json.RawMessage `json:"note"`
	Messages []Message       `json:"messages,omitempty"`
}

// A system keeps its books in its journal. All changes pass one lock: what is asked
// of the books is true until what follows from it is written.
type system struct {
	name  string
	clock *clock

	mu      sync.Mutex
	books   books
	journal *journal
	lines   int
	acts    map[string]bool // done
	last    time.Time       // of the day, of the last act
	broken  error           // the journal takes nothing any more

	outbox *outbox
}

// openSystem rebuilds a system from its folder.
func openSystem(folder, name string, b books) (*system, error) {
	dir := filepath.Join(folder, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	s := &system{name: name, books: b, acts: map[string]bool{}, last: dayBegins}
	var err error
	if s.outbox, err = openOutbox(filepath.Join(dir, "acknowledged.jsonl"), name); err != nil {
		return nil, err
	}
	s.journal, err = openJournal(filepath.Join(dir, "books.jsonl"), func(text []byte) error {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		return s.take(&l)
	})
	if err != nil {
		return nil, errors.Join(err, s.outbox.close())
	}
	return s, nil
}

// take folds a line that is in the journal.
func (s *system) take(l *line) error {
	if err := s.books.fold(l.Kind, l.Note); err != nil {
		return fmt.Errorf("%s, line %d: %w", s.name, l.N, err)
	}
	s.lines = l.N
	if l.Act != "" {
		s.acts[l.Act] = true
		if l.At.After(s.last) {
			s.last = l.At
		}
	}
	for i, m := range l.Messages {
		s.outbox.put(fmt.Sprintf("%d.%d", l.N, i), m)
	}
	return nil
}

// write makes a change count. The caller holds the lock.
func (s *system) write(at time.Time, act string, c change) error {
	if s.broken != nil {
		return s.broken
	}
	note, err := json.Marshal(c.note)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	l := &line{N: s.lines + 1, At: at, Act: act, Kind: c.kind, Note: note, Messages: c.messages}
	if s.broken = s.journal.add(l); s.broken != nil {
		return s.broken
	}
	s.broken = s.take(l)
	return s.broken
}

// do does what the script says, once.
func (s *system) do(a *Act) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acts[a.ID] {
		return nil
	}
	c, err := s.books.act(a, s.clock.now())
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", s.name, a.ID, a.Does, err)
	}
	return s.write(a.At, a.ID, c)
}

// with runs something on the books while nothing else changes them.
func (s *system) with(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do()
}

// fault is why the journal takes nothing any more.
func (s *system) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// did tells whether an act is done.
func (s *system) did(act string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acts[act]
}

func (s *system) normal() Books {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.books.normal()
}

func (s *system) close() error { return errors.Join(s.journal.close(), s.outbox.close()) }
