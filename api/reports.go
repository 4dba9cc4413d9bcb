package api

import (
	"context"
	"time"

	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// FiguresIn are the parameters that choose what a report is about.
type FiguresIn struct {
	Asker
	By    string  `query:"by" enum:"day,item,lot,machine,operation,order,reason,shift,work-center" doc:"What figures are grouped by; item where nothing is said"`
	Plant Several `query:"plant" doc:"Only these plants"`
	From  Day     `query:"from" doc:"First production day"`
	To    Day     `query:"to" doc:"Last production day"`
	AsOf  string  `query:"as_of" doc:"As of this place: the cursor of another report, or a time (RFC 3339) at which it was on record; now where nothing is said"`
}

// query reads the parameters. The position is fixed here, so that it names no
// plant that the caller may not see.
func (a *API) query(ctx context.Context, who caller, in *FiguresIn) (q report.Query, err error) {
	if who.Kind != ledger.PersonKind {
		return q, forbidden("figures are for people: they need the role viewer")
	}
	q.By = report.Dimension(in.By)
	if q.By == "" {
		q.By = "item"
	}
	if q.From, err = in.From.text("from"); err != nil {
		return q, err
	}
	if q.To, err = in.To.text("to"); err != nil {
		return q, err
	}
	if q.Plants, err = who.scope.narrow(in.Plant.list()); err != nil {
		return q, err
	}
	for _, plant := range in.Plant.list() {
		if err := a.known(ctx, who.scope, plant); err != nil {
			return q, err
		}
	}
	at, err := a.position(ctx, in.AsOf)
	q.AsOf = who.scope.within(at, q.Plants)
	return q, err
}

// position is a place in all feeds: a cursor, a time, or now.
func (a *API) position(ctx context.Context, asOf string) (ledger.Cursor, error) {
	if asOf == "" {
		return a.ledger().Head(ctx)
	}
	if at, err := time.Parse(time.RFC3339Nano, asOf); err == nil {
		return a.ledger().At(ctx, at)
	}
	c, err := ledger.ParseCursor(asOf)
	if err != nil {
		return nil, invalid("as_of", "%.60q is neither a cursor nor a time of the form 2026-03-02T06:00:00+01:00 (+ is %%2B in a URL)", asOf)
	}
	return c, nil
}

func (a *API) production(ctx context.Context, who caller, in *FiguresIn) (ProductionView, error) {
	q, err := a.query(ctx, who, in)
	if err != nil {
		return ProductionView{}, err
	}
	p, err := report.ProductionReport(ctx, a.ledger(), q)
	return productionView(&p), err
}

type detailsIn struct {
	FiguresIn
	Key   string `query:"key" doc:"The group to open, as the report names it; all where nothing is said"`
	Limit Limit  `query:"limit" doc:"1 to 10000, 1000 where nothing is said"`
}

// Details are the facts behind a figure.
type Details struct {
	Details []DetailView `json:"details" nullable:"false" doc:"In the order of the feed, those taken back included: they add up to the figure"`
	AsOf    string       `json:"as_of" doc:"Cursor of the position"`
	More    bool         `json:"more,omitempty" doc:"There are more than the limit"`
}

func (a *API) details(ctx context.Context, who caller, in *detailsIn) (Details, error) {
	limit, err := in.Limit.upTo(10_000, 1_000)
	if err != nil {
		return Details{}, err
	}
	q, err := a.query(ctx, who, &in.FiguresIn)
	if err != nil {
		return Details{}, err
	}
	q.Key = in.Key
	found, err := report.Details(ctx, a.ledger(), q, limit+1)
	if err != nil {
		return Details{}, err
	}
	page := Details{Details: []DetailView{}, AsOf: q.AsOf.String(), More: len(found) > limit}
	for i := range found[:min(limit, len(found))] {
		page.Details = append(page.Details, detailView(&found[i]))
	}
	return page, nil
}

// Account is what is on record, in counts.
type Account struct {
	AsOf     string           `json:"as_of" doc:"Cursor of the position"`
	Messages *int64           `json:"messages,omitempty" doc:"Versions of messages kept; only for those who see all plants"`
	Echoes   *int64           `json:"echoes,omitempty" doc:"Messages that told of what the hub had asked for, and so made no event; only for those who see all plants"`
	Events   int64            `json:"events" doc:"Statements in the feeds of the caller's plants, corrections and reversals included"`
	Plants   map[string]int64 `json:"plants" doc:"Statements by plant"`
	Held     int64            `json:"held" doc:"Open exceptions"`
	HeldBy   []HeldCountView  `json:"held_by" nullable:"false"`
	Steps    []StepTotalView  `json:"steps,omitempty" nullable:"false" doc:"What systems had to do, by status; only for those who see all plants"`
	Outcomes *Outcomes        `json:"outcomes,omitempty" doc:"Since the program began, through this door; only for those who see all plants"`
}

// StepTotalView counts the commands with one status.
type StepTotalView struct {
	Status string `json:"status"`
	Steps  int64  `json:"steps"`
	Oldest string `json:"oldest" format:"date-time" doc:"When the first of them was decided"`
}

// Outcomes count what became of messages.
type Outcomes struct {
	Recorded  int64 `json:"recorded"`
	Corrected int64 `json:"corrected"`
	Duplicate int64 `json:"duplicate"`
	Held      int64 `json:"held"`
	Refused   int64 `json:"refused"`
}

func (a *API) account(ctx context.Context, who caller, _ *Asker) (Account, error) {
	head, err := a.ledger().Head(ctx)
	if err != nil {
		return Account{}, err
	}
	head = who.scope.within(head, nil)
	v := Account{AsOf: head.String(), Plants: head, HeldBy: []HeldCountView{}}
	for _, last := range head {
		v.Events += last
	}
	held, err := a.ledger().CountHeld(ctx, "message")
	if err != nil {
		return v, err
	}
	for _, h := range held {
		if who.scope.seesMessage(h.System, h.Plant) {
			v.Held += h.Open
			v.HeldBy = append(v.HeldBy, heldCountView(h))
		}
	}
	if !who.scope.all {
		return v, nil
	}
	totals, err := a.ledger().Count(ctx)
	if err != nil {
		return v, err
	}
	v.Messages, v.Echoes = &totals.Messages, &totals.Echoes
	steps, err := a.ledger().StepTotals(ctx)
	if err != nil {
		return v, err
	}
	for _, s := range steps {
		v.Steps = append(v.Steps, StepTotalView{Status: string(s.Status), Steps: s.Steps, Oldest: utc(s.Oldest)})
	}
	t := &a.tally
	v.Outcomes = &Outcomes{t.recorded.Load(), t.corrected.Load(), t.duplicate.Load(), t.held.Load(), t.refused.Load()}
	return v, nil
}

// CatalogView names the revision in force.
type CatalogView struct {
	Catalog  string         `json:"catalog"`
	Title    string         `json:"title"`
	Version  string         `json:"version,omitempty"`
	Revision string         `json:"revision" doc:"Digest of its content"`
	Counts   map[string]int `json:"counts" doc:"Definitions by folder"`

	Messages []CatalogMessage `json:"messages" nullable:"false" doc:"Native messages by system and name"`
}

// CatalogMessage is a message that a system may send, and how to know its files.
type CatalogMessage struct {
	System  string   `json:"system"`
	Message string   `json:"message"`
	Title   string   `json:"title,omitempty"`
	Files   []string `json:"files,omitempty" nullable:"false" doc:"Patterns of the names of files that hold it: * stands for any text"`
}

func (a *API) catalog(_ context.Context, _ caller, _ *Asker) (CatalogView, error) {
	c := a.flow.Catalog()
	messages := []CatalogMessage{}
	for _, m := range c.Messages() {
		messages = append(messages, CatalogMessage{System: m.System, Message: m.Definition.Message, Title: m.Definition.Title, Files: m.Definition.Files})
	}
	return CatalogView{
		Catalog: c.Header.Catalog, Title: c.Title, Version: c.Version, Revision: c.Digest(),
		Counts: map[string]int{
			"kinds": len(c.Kinds()), "contracts": len(c.Contracts()), "lifecycles": len(c.Lifecycles()), "codes": len(c.CodeLists()),
			"systems": len(c.Systems()), "plants": len(c.Plants()), "mappings": len(c.Messages()), "cross-references": len(c.CrossReferences()), "plans": len(c.Plans()),
		},
		Messages: messages,
	}, nil
}
