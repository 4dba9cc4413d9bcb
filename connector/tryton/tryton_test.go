package tryton_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
)

// A suited System has keys of its own for every run, where those of the suite are
// always the same: the books of a real server are never empty.
type suited struct {
	connector.System
	*outside
}

func (s suited) own(cmd connector.Command) connector.Command {
	cmd.Key = s.name(cmd.Key)
	return cmd
}

// Perform performs it under the key of this run.
func (s suited) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	return s.System.Perform(ctx, s.own(cmd))
}

// Find asks for it under the key of this run.
func (s suited) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	return s.System.Find(ctx, s.own(cmd))
}

// counted is a server of which the suite sees the counts.
type counted struct {
	*outside
	client *tryton.Client
	asked  map[string]string // keys of the suite, by those of this run
}

// Expect makes the next count, or the next question for one, meet a trouble. What
// comes before anything is done befalls the making of the draft, what comes
// afterwards the posting.
func (c counted) Expect(call connectortest.Call, kind connectortest.Trouble) <-chan struct{} {
	switch {
	case call == connectortest.Finding:
		return c.meet("stock.inventory.search_read", kind)
	case slices.Contains([]connectortest.Trouble{connectortest.LostBefore, connectortest.Busy, connectortest.Inside, connectortest.Redirect}, kind):
		return c.meet("stock.inventory.create", kind)
	}
	return c.meet("stock.inventory.confirm", kind)
}

// Books are the counts that were posted.
func (c counted) Books() []connectortest.Entry {
	var all []struct{ Number string }
	var entries []connectortest.Entry
	for run, asked := range c.asked {
		q := tryton.Query{Domain: []any{[]any{"number", "like", run + "%"}, []any{"state", "=", "done"}}, Fields: []string{"number"}}
		if err := c.client.SearchRead(context.Background(), "stock.inventory", q, &all); err != nil {
			c.t.Fatal(err)
		}
		for _, i := range all {
			entries = append(entries, connectortest.Entry{Key: asked, Document: connector.Document{Number: i.Number, Kind: "inventory"}})
		}
	}
	return entries
}

func TestItKeepsThePromisesOfASystem(t *testing.T) {
	troubles := connectortest.Troubles()
	if testing.Short() {
		troubles = slices.DeleteFunc(troubles, func(k connectortest.Trouble) bool {
			return k == connectortest.Silent || k == connectortest.Drip // they wait
		})
	}
	connectortest.Run(t, func(t *testing.T) connectortest.Subject {
		timeout := 2 * time.Second
		if environment(t) != nil {
			timeout = 15 * time.Second // a real server takes its time
		}
		e := open(t, func(c *tryton.Config) { c.Timeout, c.Limit = timeout, 1<<20 })
		outside := counted{outside: e.outside, client: e.client, asked: map[string]string{}}
		command := func(date string) func(key string) connector.Command {
			return func(key string) connector.Command {
				outside.asked[e.outside.name(key)[:32]] = key[:32]
				return connector.Command{Name: "count", Plant: "P300", Subject: "location/P300-IN", Request: map[string]any{
					"do": "count", "location": "P300-IN", "date": date,
					"lines": []any{map[string]any{"product": "PK-2002", "quantity": json.Number("3"), "unit": "m"}},
				}}
			}
		}
		return connectortest.Subject{
			System: suited{e.system, e.outside}, Traits: e.system.Traits(), Outside: outside,
			Command: command(""), Refusable: command(e.month(-3)), Reason: fault.PeriodClosed, Words: "you must reopen period",
			Troubles: troubles, Patience: timeout + 5*time.Second, Secrets: []string{e.outside.password("hub")},
		}
	})
}
