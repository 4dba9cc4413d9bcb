package gapless

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// watch polls every source until the context ends. A source that fails is polled
// again: what it has not given over stays where it is.
func (h *hub) watch(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range h.cfg.Connected {
		if c.Source != nil {
			all.Go(func() { h.poll(ctx, c) })
		}
	}
	all.Wait()
}

func (h *hub) poll(ctx context.Context, c Connected) {
	every := time.NewTicker(h.cfg.PollEvery)
	defer every.Stop()
	cursor, failing := "", false
	for {
		next, err := c.Source.Poll(ctx, cursor, h.taker(c.Name))
		if err == nil || next != "" {
			cursor = next
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing: // told once, not at every turn
			h.cfg.Log.ErrorContext(ctx, "source cannot be read; it is tried again", slog.String("system", c.Name), slog.Any("error", err))
		case err == nil && failing:
			h.cfg.Log.InfoContext(ctx, "source is read again", slog.String("system", c.Name))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// taker takes in what a source of a system brings, as from the system itself.
func (h *hub) taker(system string) connector.Take {
	return func(ctx context.Context, r connector.Received) (connector.Taken, error) {
		var taken connector.Taken
		for answer, err := range h.flow.Take(ctx, flow.Delivery{
			From:   ledger.Principal{Name: "system/" + system, Kind: ledger.SystemKind, System: system},
			System: system, Message: r.Message, ContentType: r.ContentType, Channel: r.Channel, Body: r.Body,
		}) {
			if refused := refusal(err); refused != nil {
				return connector.Taken{Refused: refused}, nil
			}
			if err != nil {
				return connector.Taken{}, err
			}
			taken.Records = append(taken.Records, connector.TakenRecord{
				Record: answer.Record, ID: answer.ID, Status: string(answer.Outcome), Refused: answer.Refused, Held: answer.Fault,
			})
		}
		return taken, nil
	}
}

// refusal is the fault of a delivery that the same delivery would meet again; nil
// where it may be taken another time.
func refusal(err error) *fault.Fault {
	f := fault.Of(err)
	if f != nil && slices.ContainsFunc([]*fault.Reason{fault.SystemUnknown, fault.MessageUnknown, fault.TypeUnsupported, fault.NotReadable, fault.LimitExceeded}, func(r *fault.Reason) bool { return errors.Is(err, r) }) {
		return f
	}
	return nil
}
