package connector

import (
	"context"

	"github.com/gapless/gapless/fault"
)

// A Source brings in native messages of one system: what a connector fetches or
// is sent, not what comes by the hub's own API.
type Source interface {
	// Poll looks once for what has come and hands each delivery to take, one at a
	// time and in order. It tells the outside system that a delivery is taken
	// only after take has returned without error; else the delivery comes again. So
	// does one after a crash: the ledger knows repetitions. A take that fails with
	// fault.Unavailable ends the poll; another error must not stop what else came,
	// where the source can go on behind it.
	//
	// The cursor is what the poll before has returned, "" for the first; a source
	// that needs none returns "". It holds with an error too: "" then is none.
	Poll(ctx context.Context, cursor string, take Take) (next string, err error)
}

// A Take takes one delivery in. An error says that not all of it is on record.
// A refusal is an answer: see Taken.
type Take func(ctx context.Context, r Received) (Taken, error)

// A Received is one delivery: bytes as they came, of one or several messages.
type Received struct {
	Message     string // of the system's mappings
	ContentType string // media type
	Channel     string // where it came from, for people: "file:monthlyReports_201811.csv"
	Body        []byte
}

// A Taken says what became of a delivery.
type Taken struct {
	// Refused is set where nothing of the delivery was kept and sending the same
	// again would not help: no such message, content that cannot be read at all.
	Refused *fault.Fault

	Records []TakenRecord // one for each record, in order
}

// A TakenRecord says what became of one record of a delivery.
type TakenRecord struct {
	Record  int          // number in the file as a person counts
	ID      string       // the message's own id
	Status  string       // recorded, duplicate, corrected, held; "" where it was refused
	Refused *fault.Fault // set where nothing of it was kept
	Held    *fault.Fault // set where it is kept and waits
}

// Complete says whether everything was kept.
func (t Taken) Complete() bool {
	if t.Refused != nil {
		return false
	}
	for _, r := range t.Records {
		if r.Refused != nil {
			return false
		}
	}
	return true
}
