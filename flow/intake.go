package flow

import (
	"context"
	"fmt"
	"iter"
	"mime"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/ledger"
)

// A Delivery is what came through a door: one message, a batch or a file.
type Delivery struct {
	From        ledger.Principal // who delivers; a system speaks only for itself
	System      string           // who reports; "" for CloudEvents, which name their source
	Message     string           // message of the system's mappings; event.CloudEventMessage for CloudEvents
	ContentType string           // media type, as the door learned it
	Channel     string           // "http", "file:name"
	Body        []byte
	Limits      format.Limits
}

// An Answer says what became of one message of a delivery.
type Answer struct {
	Record int    // number in a file as a person counts, or place in a batch from 1
	ID     string // the message's own id
	ledger.Result
	// Refused is set where nothing was kept: the record could not be read, or not
	// be told from others.
	Refused *fault.Fault
}

// arrival is one message with its decoded record.
type arrival struct {
	event.Message
	record map[string]any
	number int
	by     string            // who lets it go on, where it was held
	bulk   *ledger.BulkPlace // set where it is a member of bulk work
	edit   *ledger.Edit      // set where a person has edited its content
	replay *ledger.Replaying // set where it is replayed
}

// bulk is the number of records that share a commit.
const bulk = 256

// Take takes a delivery in and yields an answer for each message, in order, as
// soon as it is on record. It ends with an error where the delivery as a whole is
// refused or the ledger is away; what was answered before stays on record.
func (f *Flow) Take(ctx context.Context, d Delivery) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		records, err := f.open(d)
		if err == nil {
			err = f.running(ctx)
		}
		if err != nil {
			yield(Answer{}, err)
			return
		}
		var batch []arrival
		for record, err := range records {
			refused, a := f.arrive(d, record, err)
			if refused == nil {
				if batch = append(batch, a); len(batch) < bulk {
					continue
				}
			}
			if !f.flush(ctx, &batch, yield) {
				return
			}
			if refused != nil && !yield(Answer{Record: numberOf(record, err), Refused: refused}, nil) {
				return
			}
		}
		f.flush(ctx, &batch, yield)
	}
}

// open finds how to read a delivery and who may deliver it.
func (f *Flow) open(d Delivery) (iter.Seq2[format.Record, error], error) {
	spec := format.Spec{Kind: format.JSON}
	if d.Message != event.CloudEventMessage {
		cat := f.Catalog()
		if _, ok := cat.System(d.System); !ok {
			return nil, fault.New("flow.Take", fault.SystemUnknown, "system", "%q", d.System)
		}
		m, ok := cat.Message(d.System, d.Message)
		if !ok {
			return nil, fault.New("flow.Take", fault.MessageUnknown, "message", "%q of %s", d.Message, d.System)
		}
		if err := f.speaksFor(d.From, d.System); err != nil {
			return nil, err
		}
		var err error
		if spec, err = specFor(m, d.ContentType); err != nil {
			return nil, err
		}
	}
	return format.Split(spec, d.Body, d.Limits), nil
}

// speaksFor holds the rule of every door: a system speaks only for itself; a
// person delivers for a system as a steward of all its plants.
func (f *Flow) speaksFor(p ledger.Principal, system string) error {
	if p.System == system || p.System == "" && p.May(ledger.Steward, "") {
		return nil
	}
	if s, ok := f.Catalog().System(system); ok && p.System == "" && len(s.Plants) > 0 &&
		!slices.ContainsFunc(s.Plants, func(plant string) bool { return !p.May(ledger.Steward, plant) }) {
		return nil
	}
	return fault.New("flow.Take", fault.ForeignSource, "source", "%s does not speak for %q", p.Name, system)
}

// mediaKinds are the media types of native messages.
var mediaKinds = map[string]format.Kind{
	"application/json": format.JSON, "application/x-ndjson": format.NDJSON, "application/xml": format.XML, "text/xml": format.XML,
	"text/csv": format.CSV, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": format.XLSX,
}

// arrive reads what identifies one record. It answers a refusal where that
// cannot be established: then nothing is kept.
func (f *Flow) arrive(d Delivery, r format.Record, err error) (*fault.Fault, arrival) {
	if err != nil {
		return unreadable(err), arrival{}
	}
	a := arrival{record: r.Value, number: r.Number}
	a.ContentType, a.Channel, a.Principal, a.Received = "application/json", d.Channel, d.From.Name, f.ledger.Now()
	if d.Message == event.CloudEventMessage {
		err = f.identifyEvent(&a, d.From)
	} else {
		err = f.identifyRecord(&a, d)
	}
	if err != nil {
		if known := fault.Of(err); known != nil {
			return known, a
		}
		return fault.Wrap("flow.Take", fault.NotReadable, "", err), a
	}
	return nil, a
}

// numberOf is the number of a record, or of the one that an error is about.
func numberOf(r format.Record, err error) int {
	if e, ok := asFormatError(err); ok {
		return e.Record
	}
	return r.Number
}

// flush records a batch and yields its answers; false means that nobody wants
// more or the ledger is away.
func (f *Flow) flush(ctx context.Context, batch *[]arrival, yield func(Answer, error) bool) bool {
	arrivals := *batch
	*batch = nil
	if len(arrivals) == 1 {
		answer, err := f.one(ctx, arrivals[0])
		return yield(answer, err) && err == nil
	}
	answers, err := f.many(ctx, arrivals)
	if err != nil {
		yield(Answer{}, err)
		return false
	}
	for _, answer := range answers {
		if !yield(answer, nil) {
			return false
		}
	}
	return true
}

// attempts is how often an entry is prepared, where what it waits for arrives
// between its preparation and its commit.
const attempts = 3

// one takes one message all the way: prepared without state, decided and
// recorded inside the commit.
func (f *Flow) one(ctx context.Context, a arrival) (Answer, error) {
	for attempt := range attempts {
		e, err := f.entryAgain(ctx, a, attempt)
		if err != nil {
			return Answer{}, err
		}
		result, err := f.ledger.Record(ctx, e)
		if err != nil {
			return Answer{}, fmt.Errorf("flow.Take: %s %q of %s: %w", a.Name, a.ID, a.System, err)
		}
		if result.Outcome != ledger.Again {
			return Answer{Record: a.number, ID: a.ID, Result: result}, nil
		}
	}
	return Answer{}, fault.New("flow.Take", fault.Unavailable, "", "%s %q was overtaken %d times", a.Name, a.ID, attempts)
}

// many is one for the records of a file or a batch, which share commits.
func (f *Flow) many(ctx context.Context, arrivals []arrival) ([]Answer, error) {
	entries := make([]*ledger.Entry, len(arrivals))
	for i, a := range arrivals {
		var err error
		if entries[i], err = f.prepare(ctx, a, 0); err != nil {
			return nil, err
		}
	}
	results, err := f.ledger.RecordAll(ctx, entries)
	if err != nil {
		return nil, fmt.Errorf("flow.Take: %w", err)
	}
	answers := make([]Answer, len(arrivals))
	for i, a := range arrivals {
		answers[i] = Answer{Record: a.number, ID: a.ID, Result: results[i]}
		if results[i].Outcome == ledger.Again {
			if answers[i], err = f.one(ctx, a); err != nil {
				return nil, err
			}
		}
	}
	return answers, nil
}

// mediaType is the type without its parameters, in lower case.
func mediaType(contentType string) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(contentType))
	}
	return t
}
