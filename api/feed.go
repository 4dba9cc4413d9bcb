package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"time"

	"github.com/gapless/gapless/ledger"
)

type feedIn struct {
	Asker
	After Cursor  `query:"after" doc:"Cursor behind which to go on, as the last answer named it; the beginning where nothing is said"`
	Limit Limit   `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
	Plant Several `query:"plant" doc:"Only events of these plants"`
	Type  Several `query:"type" doc:"Only events of these types"`
	Wait  Wait    `query:"wait" doc:"How long to wait for the first event where there is none yet"`
}

// Cursor is the opaque text of a place in the feeds.
type Cursor string

// Feed is a page of the feed.
type Feed struct {
	Events []map[string]any `json:"events" nullable:"false" doc:"In the JSON form of CloudEvents 1.0, in the order of each plant's feed"`
	Cursor string           `json:"cursor" doc:"Give it as after for what follows"`
}

// longestWait bounds a long poll.
const longestWait = time.Minute

func (a *API) feed(ctx context.Context, who caller, in *feedIn) (Feed, error) {
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return Feed{}, err
	}
	wait, err := in.Wait.duration("wait", longestWait)
	if err != nil {
		return Feed{}, err
	}
	after, err := ledger.ParseCursor(string(in.After))
	if err != nil {
		return Feed{}, err
	}
	plants, err := who.scope.narrow(in.Plant.list())
	if err != nil {
		return Feed{}, err
	}
	filter := ledger.FeedFilter{Plants: plants, Types: in.Type.list(), Limit: limit}
	deadline := a.cfg.Clock().Add(wait)
	for {
		moved := a.ledger().Moved() // before reading, so that no commit falls between
		events, next, err := a.ledger().Feed(ctx, after, filter)
		if err != nil {
			return Feed{}, err
		}
		left := deadline.Sub(a.cfg.Clock())
		if len(events) > 0 || left <= 0 || !a.pause(ctx, moved, left) {
			return feedPage(events, next), nil
		}
		after = next
	}
}

func feedPage(events []ledger.StoredEvent, next ledger.Cursor) Feed {
	page := Feed{Events: make([]map[string]any, len(events)), Cursor: next.String()}
	for i := range events {
		page.Events[i] = events[i].CloudEvent()
	}
	return page
}

// stream follows the feed as server-sent events (HTML Living Standard, section
// 9.2). The id of each is the cursor behind it, so that a client that comes back
// with Last-Event-ID goes on where it was.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	s, err := a.openStream(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	s.w, s.control = w, http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s.follow(r.Context())
}

// stream is one client that follows the feed.
type stream struct {
	api           *API
	authorization string
	after         ledger.Cursor
	plants        []string // that were asked for
	filter        ledger.FeedFilter
	w             http.ResponseWriter
	control       *http.ResponseController
}

func (a *API) openStream(r *http.Request) (*stream, error) {
	query := r.URL.Query()
	s := &stream{api: a, authorization: r.Header.Get("Authorization"), plants: Several(query.Get("plant")).list()}
	p, err := a.principal(r.Context(), s.authorization)
	if err != nil {
		return nil, err
	}
	s.filter = ledger.FeedFilter{Types: Several(query.Get("type")).list(), Limit: 500}
	if err := s.narrow(p); err != nil {
		return nil, err
	}
	if err := onlyParameters(r, "after", "plant", "type"); err != nil {
		return nil, err
	}
	from := query.Get("after")
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		from = last
	}
	s.after, err = ledger.ParseCursor(from)
	return s, err
}

// narrow limits the stream to what its reader may see of what was asked for.
func (s *stream) narrow(p ledger.Principal) error {
	scope, err := s.api.scopeOf(p)
	if err == nil {
		s.filter.Plants, err = scope.narrow(s.plants)
	}
	return err
}

// ended tells why the stream may not go on: its key has ended, or what it shows is no
// longer its reader's to see. What else the reader may see now counts from here.
func (s *stream) ended(ctx context.Context) (why string) {
	p, err := s.api.authenticate(ctx, s.authorization)
	if err != nil {
		return "the key is no longer valid"
	}
	if s.narrow(p) != nil {
		return "the caller no longer sees what was asked for"
	}
	return ""
}

// follow sends events until the client goes, the server stops or the key ends.
func (s *stream) follow(ctx context.Context) {
	a := s.api
	beat := a.cfg.Clock().Add(a.heartbeat)
	for s.flush() {
		moved := a.ledger().Moved()
		events, next, err := a.ledger().Feed(ctx, s.after, s.filter)
		if err != nil {
			if ctx.Err() == nil {
				s.comment("the feed cannot be read: " + a.problem(ctx, err).Reason)
				s.flush()
			}
			return
		}
		if !s.send(events) {
			return
		}
		s.after = next
		if !a.cfg.Clock().Before(beat) {
			if why := s.ended(ctx); why != "" {
				s.comment(why)
				s.flush()
				return
			}
			s.comment("still here")
			beat = a.cfg.Clock().Add(a.heartbeat)
		}
		if len(events) > 0 {
			continue
		}
		if !s.flush() || !a.pause(ctx, moved, beat.Sub(a.cfg.Clock())) {
			return
		}
	}
}

// send writes events; false where the client is gone.
func (s *stream) send(events []ledger.StoredEvent) bool {
	at := maps.Clone(s.after)
	if at == nil {
		at = ledger.Cursor{}
	}
	for i := range events {
		e := &events[i]
		at[e.Plant] = e.Position
		data, err := json.Marshal(e.CloudEvent())
		if err != nil {
			return false // what was read from canonical JSON always marshals
		}
		if _, err := fmt.Fprintf(s.w, "id: %s\ndata: %s\n\n", at.String(), data); err != nil {
			return false
		}
	}
	return true
}

func (s *stream) comment(text string) { fmt.Fprintf(s.w, ": %s\n\n", text) }

// flush sends what is written; false where the client is gone.
func (s *stream) flush() bool {
	_ = s.control.SetWriteDeadline(s.api.cfg.Clock().Add(writeTimeout)) // a recorder of tests has none
	return s.control.Flush() == nil
}

// ConsumerIn names a consumer.
type ConsumerIn struct {
	Asker
	Consumer string `path:"consumer" doc:"Name that the caller gives to one of its readers; every principal has its own"`
}

type acknowledgeIn struct {
	ConsumerIn
	Body acknowledgement
}

// acknowledgement says how far a consumer has come.
type acknowledgement struct {
	Cursor string `json:"cursor" doc:"Cursor of the last event that the consumer has dealt with"`
}

// Acknowledged is how far a consumer has come.
type Acknowledged struct {
	Consumer string `json:"consumer"`
	Cursor   string `json:"cursor" doc:"Cursor of the last event that the consumer has dealt with; empty where it never said"`
}

// consumerName is the form of the names of consumers.
var consumerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// consumer is the name under which a caller's reader is kept.
func (in *ConsumerIn) consumer(who caller) (string, error) {
	if !consumerName.MatchString(in.Consumer) {
		return "", invalid("consumer", "%.80q is no name: small letters, digits and . _ -, at most 64", in.Consumer)
	}
	return who.Name + "/" + in.Consumer, nil
}

func (a *API) acknowledged(ctx context.Context, who caller, in *ConsumerIn) (Acknowledged, error) {
	name, err := in.consumer(who)
	if err != nil {
		return Acknowledged{}, err
	}
	c, err := a.ledger().Acknowledged(ctx, name)
	if err != nil || len(c) == 0 {
		return Acknowledged{Consumer: in.Consumer}, err
	}
	return Acknowledged{Consumer: in.Consumer, Cursor: c.String()}, nil
}

func (a *API) acknowledge(ctx context.Context, who caller, in *acknowledgeIn) (Acknowledged, error) {
	name, err := in.consumer(who)
	if err != nil {
		return Acknowledged{}, err
	}
	if err := required("cursor", in.Body.Cursor); err != nil {
		return Acknowledged{}, err
	}
	c, err := ledger.ParseCursor(in.Body.Cursor)
	if err != nil {
		return Acknowledged{}, err
	}
	head, err := a.ledger().Head(ctx)
	if err != nil {
		return Acknowledged{}, err
	}
	for plant, position := range c {
		if last := head[plant]; !who.scope.sees(plant) || last == 0 || position > last {
			return Acknowledged{}, invalid("cursor", "it is not a cursor that the feed gave to this caller")
		}
	}
	return Acknowledged{Consumer: in.Consumer, Cursor: c.String()}, a.ledger().Acknowledge(ctx, who.Name, name, c)
}
