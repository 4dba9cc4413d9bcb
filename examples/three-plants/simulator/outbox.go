package simulator

import (
	"encoding/json"
	"sync"
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

// head is the message that is next.
func (o *outbox) head() (outgoing, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return outgoing{}, false
	}
	return o.waiting[0], true
}

// acknowledge takes the head out, once its answer is in the journal.
func (o *outbox) acknowledge(a *Acknowledged) error {
	if err := o.journal.add(a); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting, o.sent = o.waiting[1:], o.sent+1
	return nil
}

// counts are all messages and those of them that are acknowledged.
func (o *outbox) counts() (all, sent int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all, o.sent
}

func (o *outbox) close() error { return o.journal.close() }
