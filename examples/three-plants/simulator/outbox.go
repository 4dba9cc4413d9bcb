package simulator

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// An outbox is what a system has to report, in order, and the journal of what was
// acknowledged: `gapless journal` reads it.
type outbox struct {
	system  string
	journal *journal

	mu      sync.Mutex
	acked   map[string]bool
	waiting []outgoing
	sent    int           // acknowledged
	all     int           // put in
	more    chan struct{} // holds a token where something may wait
}

type outgoing struct {
	key string // line of the journal and place in it
	Message
}

// Acknowledged is one line of a journal of acknowledgements.
type Acknowledged struct {
	File     string `json:"file"` // the message by its name
	Row      int    `json:"row"`
	Key      string `json:"key"` // line and place in books.jsonl, where the message stands
	ID       string `json:"id"`
	Outcome  string `json:"outcome"`
	Message  string `json:"message"`
	Plant    string `json:"plant,omitempty"`
	Position int64  `json:"position,omitempty"`
	Recorded string `json:"recorded,omitempty"`
	Attempts int    `json:"attempts"`
}

func openOutbox(name, system string) (*outbox, error) {
	o := &outbox{system: system, acked: map[string]bool{}, more: make(chan struct{}, 1)}
	var err error
	o.journal, err = openJournal(name, func(text []byte) error {
		var a Acknowledged
		if err := json.Unmarshal(text, &a); err != nil {
			return err
		}
		o.acked[a.Key], o.sent = true, o.sent+1
		return nil
	})
	return o, err
}

// put adds a message, unless it is acknowledged already.
func (o *outbox) put(key string, m Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all++
	if o.acked[key] {
		return
	}
	o.waiting = append(o.waiting, outgoing{key, m})
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.more <- struct{}{}:
	default: // a token is there already
	}
}

// next is the first message whose time has come, at a time of the day. Where there
// is none, it is how long the next one still has; negative where none waits.
func (o *outbox) next(now time.Time) (m outgoing, ok bool, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait = -1
	for _, m := range o.waiting {
		left := m.After.Sub(now)
		if left <= 0 {
			return m, true, 0
		}
		if wait < 0 || left < wait {
			wait = left
		}
	}
	return outgoing{}, false, wait
}

// acknowledge takes a message out, once its answer is in the journal.
func (o *outbox) acknowledge(a *Acknowledged) error {
	if err := o.journal.add(a); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = slices.DeleteFunc(o.waiting, func(m outgoing) bool { return m.key == a.Key })
	o.sent++
	return nil
}

// counts are all messages and those of them that are acknowledged.
func (o *outbox) counts() (all, sent int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all, o.sent
}

func (o *outbox) close() error { return o.journal.close() }
