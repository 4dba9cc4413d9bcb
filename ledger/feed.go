package ledger

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gapless/gapless/fault"
)

// Cursor is a place in the feeds of several plants: the position of the last
// event read of each. Callers keep its text and do not look inside.
type Cursor map[string]int64

// String is the opaque text of a cursor.
func (c Cursor) String() string {
	b, err := json.Marshal(map[string]int64(c))
	if err != nil {
		return "" // a map of integers always marshals
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

var errNoPosition = errors.New("positions begin with 1")

// ParseCursor reads the text of a cursor; the empty text is the beginning.
func ParseCursor(s string) (Cursor, error) {
	c := Cursor{}
	if s == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, (*map[string]int64)(&c))
	}
	for _, position := range c {
		if position < 0 { // a feed would be looked through from there
			err = errNoPosition
		}
	}
	if err != nil {
		return nil, fault.New("ledger.ParseCursor", fault.InvalidRequest, "cursor", "%.60q is no cursor of this hub; leave it out to read from the beginning", s)
	}
	return c, nil
}

// Head is the cursor behind the last event of every feed at this moment: what a
// report means by "as of now".
func (l *Ledger) Head(ctx context.Context) (Cursor, error) {
	c := Cursor{}
	err := l.each(ctx, "select plant, last from feeds where last > 0", nil, func(r Row) error {
		var plant string
		var last int64
		err := r.Scan(&plant, &last)
		c[plant] = last
		return err
	})
	return c, err
}

// At is the cursor behind the last event that was recorded at or before a time.
func (l *Ledger) At(ctx context.Context, t time.Time) (Cursor, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return nil, err
	}
	c := Cursor{}
	for plant, last := range head {
		position, err := l.positionAt(ctx, plant, last, micros(t))
		if err != nil {
			return nil, err
		}
		if position > 0 {
			c[plant] = position
		}
	}
	return c, nil
}

// positionAt finds the last position recorded at or before a time by halving:
// positions and times rise together.
func (l *Ledger) positionAt(ctx context.Context, plant string, last, us int64) (int64, error) {
	low, high := int64(0), last // the answer is in [low, high]
	for low < high {
		middle := (low + high + 1) / 2
		var recorded int64
		err := l.each(ctx, "select recorded from events where plant = $1 and position = $2", []any{plant, middle}, func(r Row) error { return r.Scan(&recorded) })
		if err != nil {
			return 0, err
		}
		if recorded != 0 && recorded <= us {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}

// FeedFilter chooses what a consumer reads.
type FeedFilter struct {
	Plants []string // none: all
	Types  []string // none: all
	Limit  int      // at most so many events; default 100, at most 1,000
}

// Feed reads events behind a cursor in the order of each plant's feed, and the
// cursor behind what it has looked at. No events and an unmoved cursor mean that
// there is nothing new: wait for Moved.
func (l *Ledger) Feed(ctx context.Context, after Cursor, f FeedFilter) ([]StoredEvent, Cursor, error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = min(max(f.Limit, 100), 1000)
	}
	head, err := l.Head(ctx)
	if err != nil {
		return nil, nil, err
	}
	next := Cursor{}
	maps.Copy(next, after)
	var all []StoredEvent
	for _, plant := range sortedKeys(head) {
		if len(f.Plants) > 0 && !slices.Contains(f.Plants, plant) {
			continue
		}
		for next[plant] < head[plant] && len(all) < f.Limit {
			page, last, err := l.feedPage(ctx, plant, next[plant], head[plant], f, f.Limit-len(all))
			if err != nil {
				return nil, nil, err
			}
			all = append(all, page...)
			next[plant] = last
		}
	}
	return all, next, nil
}

// feedPage reads a stretch of one feed. Positions have no holes, so a page that
// is not full has looked at everything up to its end.
func (l *Ledger) feedPage(ctx context.Context, plant string, after, head int64, f FeedFilter, limit int) ([]StoredEvent, int64, error) {
	end := min(head, after+5000)
	var page []StoredEvent
	condition, args := "", []any{plant, after, end}
	if len(f.Types) > 0 {
		condition = " and " + l.store.dialect.isIn("e.type", "$4")
		args = append(args, l.store.dialect.list(f.Types))
	}
	err := l.each(ctx, storedEventQuery+fmt.Sprintf("where e.plant = $1 and e.position > $2 and e.position <= $3%s order by e.position limit %d", condition, limit),
		args, func(r Row) error {
			e, err := scanStoredEvent(r)
			page = append(page, e)
			return err
		})
	if err != nil {
		return nil, 0, err
	}
	if len(page) == limit {
		end = page[len(page)-1].Position
	}
	return page, end, nil
}

// Acknowledge keeps how far a consumer has come. A position beyond the end of a
// plant's feed is refused: no event there can have been read yet.
func (l *Ledger) Acknowledge(ctx context.Context, principal, consumer string, c Cursor) error {
	return l.act(ctx, Act{Principal: principal, Act: "consumer.acknowledged", Subject: "consumer/" + consumer, Detail: c.String()},
		func(ctx context.Context, s *session, at time.Time) error {
			if err := s.withinFeeds(ctx, c); err != nil {
				return err
			}
			for _, plant := range sortedKeys(c) {
				if err := s.exec(ctx, `insert into cursors (consumer, plant, position, moved) values ($1, $2, $3, $4)
					on conflict (consumer, plant) do update set position = excluded.position, moved = excluded.moved`,
					consumer, plant, c[plant], micros(at)); err != nil {
					return err
				}
			}
			return nil
		})
}

// withinFeeds refuses a cursor that no feed has led to.
func (s *session) withinFeeds(ctx context.Context, c Cursor) error {
	for _, plant := range sortedKeys(c) {
		var last int64
		err := s.each(ctx, "select last from feeds where plant = $1", []any{plant}, func(r Row) error { return r.Scan(&last) })
		if err != nil {
			return err
		}
		if c[plant] < 0 || c[plant] > last {
			return fault.New("ledger.Acknowledge", fault.InvalidRequest, "cursor", "position %d of plant %.80q is none of its feed, which ends at %d", c[plant], plant, last)
		}
	}
	return nil
}

// Acknowledged is how far a consumer has come; empty where it never said.
func (l *Ledger) Acknowledged(ctx context.Context, consumer string) (Cursor, error) {
	c := Cursor{}
	err := l.each(ctx, "select plant, position from cursors where consumer = $1", []any{consumer}, func(r Row) error {
		var plant string
		var position int64
		err := r.Scan(&plant, &position)
		c[plant] = position
		return err
	})
	return c, err
}

// act hands a write that is not a message to the committer.
func (l *Ledger) act(ctx context.Context, a Act, write func(ctx context.Context, s *session, at time.Time) error) error {
	return l.actAs(ctx, &act{row: a, write: write})
}

func (l *Ledger) actAs(ctx context.Context, a *act) error {
	it := &item{act: a}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return err
	}
	return it.err
}
