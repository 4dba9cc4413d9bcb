package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// moveMessage is the name of the messages by which open transactions move to another
// version of their plan.
const moveMessage = "plan-changed"

// movesAtOnce is how many transactions move in one commit, at most.
const movesAtOnce = 64

// moveOpen moves the transactions that are not complete to the plans of the catalog in
// force, where another version has decided their steps. One that was moved says so by its
// version, so that a hub that is started again goes on where it stood. What cannot move is
// held for a person.
func (f *Flow) moveOpen(ctx context.Context) {
	for _, plan := range f.Catalog().Plans() {
		for _, name := range planNames(f.Catalog(), plan) {
			if err := f.moveAll(ctx, plan, name); err != nil && ctx.Err() == nil {
				f.log.WarnContext(ctx, "transactions cannot move to the new plan now; they do when the hub is started again", slog.String("plan", name), slog.Any("error", err))
			}
		}
	}
}

// planNames are the names that the transactions of a plan are kept under.
func planNames(cat *catalog.Catalog, plan *transaction.Plan) []string {
	var names []string
	for _, p := range cat.Plants() {
		names = append(names, planOf(transactionID(plan, "", p.Plant)))
		if homeOf(plan, p.Plant) == "" {
			break // one for all plants
		}
	}
	return names
}

func (f *Flow) moveAll(ctx context.Context, plan *transaction.Plan, name string) error {
	version := f.Catalog().PlanDigest(plan.Name())
	for after := ""; ctx.Err() == nil; {
		open, err := f.ledger.OpenTransactions(ctx, name, version, after, movesAtOnce)
		if err != nil || len(open) == 0 {
			return err
		}
		entries := make([]*ledger.Entry, len(open))
		for i := range open {
			a, err := f.moving(&open[i], version)
			if err != nil {
				return err
			}
			entries[i] = f.moveEntry(a, true)
		}
		if _, err := f.ledger.RecordAll(ctx, entries); err != nil {
			return fmt.Errorf("flow.moveAll: %w", err)
		}
		after = open[len(open)-1].ID()
	}
	return nil
}

// moving is the message that asks a transaction, as it stands, to move to a version of
// its plan.
func (f *Flow) moving(t *ledger.StoredTransaction, version string) (arrival, error) {
	stands := strconv.FormatInt(t.Changed.UnixMicro(), 10)
	record := map[string]any{"transaction": t.ID(), "version": version, "changed": stands}
	a := arrival{record: record}
	a.System, a.Name, a.ID = hubSystem, moveMessage, strings.Join([]string{t.ID(), version, stands}, " ")
	a.Plant, a.ContentType, a.Channel, a.Principal, a.Received = t.Plant, "application/json", "release", "hub@"+f.node, f.ledger.Now()
	var err error
	if a.Body, err = event.Canonical(record); err != nil {
		return a, fmt.Errorf("flow.moving: %w", err)
	}
	if a.Digest, err = event.Digest(record); err != nil {
		return a, fmt.Errorf("flow.moving: %w", err)
	}
	return a, nil
}

// moveEntry makes the entry of such a message. One that no longer counts, because another
// version is in force or the transaction was moved since, moves nothing: what it was held
// for ends.
func (f *Flow) moveEntry(a arrival, counts bool) *ledger.Entry {
	cat := f.Catalog()
	e := newEntry(cat)
	e.Message = a.Message
	id, _ := a.record["transaction"].(string)
	name, _, _ := strings.Cut(planOf(id), "@")
	if plan, ok := cat.Plan(name); ok && counts && cat.PlanDigest(name) == a.record["version"] {
		e.Refolds = []ledger.Refold{{Transaction: id, Types: plan.Types()}}
	}
	return e
}

// movesPlan tells whether a message that was kept asks a transaction to move.
func (a *arrival) movesPlan() bool { return a.System == hubSystem && a.Name == moveMessage }

// moveAgain is the entry by which a transaction that was held tries to move once more.
func (f *Flow) moveAgain(ctx context.Context, a arrival) (*ledger.Entry, error) {
	id, _ := a.record["transaction"].(string)
	_, object, _ := strings.Cut(id, " ")
	all, err := f.ledger.TransactionsOf(ctx, event.Ref(object))
	if err != nil {
		return nil, err
	}
	counts := slices.ContainsFunc(all, func(t ledger.StoredTransaction) bool {
		return t.ID() == id && strconv.FormatInt(t.Changed.UnixMicro(), 10) == a.record["changed"]
	})
	e := f.moveEntry(a, counts)
	e.By, e.Bulk = a.by, a.bulk
	return e, nil
}

// refold moves a transaction to the plan in force, inside the commit: it notes the events
// on record that only this version is about, and decides anew. The error is a Fault where
// a step was performed that this version would not have sent.
func (f *follower) refold(x *ledger.Refold) error {
	known, ok := f.d.w.Transactions[x.Transaction]
	name, home, _ := strings.Cut(planOf(x.Transaction), "@")
	plan, found := f.d.cat.Plan(name)
	if !ok || !found || known.Version == f.d.cat.PlanDigest(name) {
		return nil // another node was faster
	}
	in, err := f.instance(plan, known.Object, home)
	if err != nil {
		return err
	}
	about := f.d.w.About(known.Object, plan.Types())
	for i := range about {
		if e := &about[i]; home == "" || e.Plant == home {
			in.now = plan.Note(in.now, f.d.happened(plan, reachedKey{key: known.Object}, e, e.Position))
		}
	}
	moved, err := plan.Refold(in.now, f.d.world(in))
	if _, changed := errors.AsType[*transaction.PlanChanged](err); changed {
		stop := fault.New("flow.refold", fault.PlanChanged, "", "%s: %v", x.Transaction, err)
		stop.Ref = known.Object
		return stop
	}
	if err != nil {
		return fmt.Errorf("flow.refold: %s: %w", x.Transaction, err)
	}
	in.now, in.version = moved, f.d.cat.PlanDigest(name)
	return nil
}
