package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/examples/three-plants/simulator"
	"github.com/gapless/gapless/fault"
)

// A dayAccount tells what came of a day: what --json of the demo prints.
type dayAccount struct {
	Seed    uint64 `json:"seed"`
	Orders  int    `json:"orders"` // at each plant
	Speed   int64  `json:"speed"`
	Seconds int64  `json:"seconds"`

	Reported   int   `json:"reported"` // messages that the hub acknowledged to the systems
	Messages   int64 `json:"messages"` // versions of messages on record, with the hub's own of outcomes
	Events     int64 `json:"events"`
	Duplicates int   `json:"duplicates"`
	Echoes     int64 `json:"echoes"` // told of what the hub had asked for, and made no event
	HeldFirst  int   `json:"held_at_first"`
	Held       int64 `json:"held"` // messages that are held still

	Steps          map[string]int64 `json:"steps"` // by status
	StepsApplied   int64            `json:"steps_applied"`
	StepsRefused   int64            `json:"steps_refused"`
	Superseded     int64            `json:"superseded"`
	UnderWay       int64            `json:"under_way"`
	Resumed        int              `json:"resumed"`         // commands that the operator let go on
	Causes         []cause          `json:"causes"`          // why something did not go on, and how that ended
	ExceptionsOpen int              `json:"exceptions_open"` // but for what is only late
	Exceptions     map[string]int   `json:"exceptions"`      // by reason
	DoneLate       int              `json:"done_late"`       // commands that were done later than their plan allows
	Late           int              `json:"late"`            // what is late still: commands, and reports that are awaited

	Books       []comparison `json:"books"`
	BooksEqual  bool         `json:"books_equal"` // everything is equal, or explained
	Explained   []difference `json:"explained"`
	Unexplained []difference `json:"unexplained"`
	PostedTwice int          `json:"posted_twice"`
	Twice       []string     `json:"twice"`
	Lost        int          `json:"lost"` // acknowledged and not on record, or neither equal nor explained
	Missing     []string     `json:"missing"`

	simulator.Faults
	Kills    int      `json:"kills"`
	Waiting  int      `json:"waiting"`  // messages of the systems that the hub has not acknowledged
	Verified []string `json:"verified"` // names of the checks of the ledger, all in order

	Lot      string   `json:"lot"`      // one with a hold
	Document string   `json:"document"` // one that the ERP posted though its answer was lost
	Failures []string `json:"failures"` // why the day is not as it must be
}

// What must go wrong in a day of the usual size and speed, so that its account proves
// anything. In a smaller or faster day less of it can happen.
const (
	wantedLost   = 50
	wantedLate   = 20
	wantedLagged = 20
	wantedKills  = 3

	wantedExceptions, wantedCauses = 300, 10
)

// account asks everybody what came of the day, and holds it together.
func (d *dayDemo) account(ctx context.Context) (*dayAccount, error) {
	a := &dayAccount{Seed: d.seed, Orders: d.orders, Speed: d.speed, Kills: d.kills, Resumed: d.operator.resumed, Steps: map[string]int64{}, Exceptions: map[string]int{}, Missing: []string{}}
	open, err := d.counts(ctx, a)
	if err != nil {
		return nil, err
	}
	if a.Causes, err = d.causes(ctx, open); err != nil {
		return nil, err
	}
	books, err := d.books(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.compare(ctx, a, &explainer{books, open}); err != nil {
		return nil, err
	}
	folder := filepath.Join(d.folder, "systems")
	if a.Twice, err = books.postedTwice(folder); err != nil {
		return nil, err
	}
	if err := d.journals(ctx, a, folder); err != nil {
		return nil, err
	}
	if err := d.read(ctx, "/faults", &a.Faults); err != nil {
		return nil, err
	}
	var p simulator.Progress
	if err := d.read(ctx, "/now", &p); err != nil {
		return nil, err
	}
	a.Waiting = p.Messages - p.Acknowledged
	a.explore(books)
	a.PostedTwice, a.Lost, a.BooksEqual = len(a.Twice), len(a.Missing)+len(a.Unexplained), len(a.Unexplained) == 0
	a.judge(d.orders >= simulator.DefaultOrders && d.speed == simulator.DefaultSpeed)
	if a.Verified, err = verified(ctx, d.folder); err != nil {
		a.Failures = append(a.Failures, err.Error())
	}
	a.Seconds = int64(time.Since(d.began) / time.Second)
	return a, nil
}

// counts asks the hub for counts and for what is open.
func (d *dayDemo) counts(ctx context.Context, a *dayAccount) (open []exception, err error) {
	var v api.Account
	if err := d.client.get(ctx, "/v1/account", nil, &v); err != nil {
		return nil, err
	}
	if v.Messages != nil && v.Echoes != nil {
		a.Messages, a.Echoes = *v.Messages, *v.Echoes
	}
	a.Events, a.Held, a.UnderWay = v.Events, v.Held, underWay(&v).steps
	for _, s := range v.Steps {
		a.Steps[s.Status] = s.Steps
	}
	a.StepsApplied, a.StepsRefused, a.Superseded = a.Steps["applied"], a.Steps["refused"], a.Steps["superseded"]
	if open, err = allHeld(ctx, d.client, "/v1/exceptions", values()); err != nil {
		return nil, err
	}
	all := len(open) // that something is late explains no difference: what stands in its way does
	open = slices.DeleteFunc(open, isLate)
	a.Late, a.ExceptionsOpen = all-len(open), len(open)
	for i := range open {
		a.Exceptions[open[i].Reason]++
	}
	late, err := allHeld(ctx, d.client, "/v1/exceptions", values("state", "resolved", "reason", fault.StepOverdue.Code))
	a.DoneLate = len(late)
	return open, err
}

// isLate tells whether an exception is about a time that has passed: what stands in the
// way has one of its own.
func isLate(x exception) bool {
	return x.Reason == fault.StepOverdue.Code || x.Reason == fault.ExpectMissed.Code
}

// A cause is why something did not go on by itself, and how that ended.
type cause struct {
	Reason    string `json:"reason"`
	Raised    int    `json:"raised"`
	Healed    int    `json:"healed"`    // went on by itself: what was missing came
	Corrected int    `json:"corrected"` // its source sent it again, right
	Resumed   int    `json:"resumed"`   // the operator let it go on
	Waived    int    `json:"waived"`    // the operator gave it up
	Open      int    `json:"open"`
}

// causes counts the exceptions of the day by reason, the most frequent first.
func (d *dayDemo) causes(ctx context.Context, open []exception) ([]cause, error) {
	ended, err := allHeld(ctx, d.client, "/v1/exceptions", values("state", "resolved"))
	if err != nil {
		return nil, err
	}
	waived, err := allHeld(ctx, d.client, "/v1/exceptions", values("state", "waived"))
	if err != nil {
		return nil, err
	}
	byReason := map[string]*cause{}
	for _, x := range slices.Concat(open, ended, waived) {
		if isLate(x) {
			continue
		}
		c := byReason[x.Reason]
		if c == nil {
			c = &cause{Reason: x.Reason}
			byReason[x.Reason] = c
		}
		c.Raised++
		switch {
		case x.State == "open":
			c.Open++
		case x.State == "waived":
			c.Waived++
		case d.operator.let(&x):
			c.Resumed++
		case x.Message != "" && x.Resolution != "recorded":
			c.Corrected++
		default:
			c.Healed++
		}
	}
	all := make([]cause, 0, len(byReason))
	for _, c := range byReason {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b cause) int { return cmp.Or(cmp.Compare(b.Raised, a.Raised), cmp.Compare(a.Reason, b.Reason)) })
	return all, nil
}

// compare holds the books of each system against those of the others and against the
// ledger.
func (d *dayDemo) compare(ctx context.Context, a *dayAccount, e *explainer) error {
	var told struct {
		Disagreements []simulator.Disagreement `json:"disagreements"`
	}
	if err := d.read(ctx, "/disagreements", &told); err != nil {
		return err
	}
	var production api.ProductionView
	if err := d.client.get(ctx, "/v1/reports/production", values("by", "order"), &production); err != nil {
		return err
	}
	states, err := lotStates(ctx, d.client)
	if err != nil {
		return err
	}
	for _, c := range e.books.shared() {
		a.add(c, told.Disagreements, e)
	}
	floor, differ := e.books.figures(&production)
	for _, system := range slices.Sorted(maps.Keys(floor)) {
		for _, about := range []string{"good", "scrap"} {
			a.add(comparison{System: system, What: about, Against: "ledger", Compared: floor[system]}, differ, e)
		}
	}
	lots, differ := e.books.decided(states)
	a.add(comparison{System: "qms", What: "status", Against: "ledger", Compared: lots}, differ, e)
	return nil
}

// shared are the things that the ERP and the warehouses have from the MES and from
// quality, and how many there are of each.
func (b *companyBooks) shared() []comparison {
	orders, lots, made := 0, 0, map[string]int{}
	for _, one := range b.all {
		if one.Kind == "mes" {
			orders, lots = orders+len(one.Orders), lots+len(one.Lots)
			for i := range one.Lots {
				made[one.Lots[i].Plant+"-wms"]++
			}
		}
	}
	all := []comparison{
		{System: "erp", What: "receipt", Against: "mes", Compared: lots},
		{System: "erp", What: "good", Against: "mes", Compared: orders},
		{System: "erp", What: "scrap", Against: "mes", Compared: orders},
		{System: "erp", What: "status", Against: "qms", Compared: lots},
	}
	for _, wms := range slices.Sorted(maps.Keys(made)) {
		all = append(all, comparison{System: wms, What: "status", Against: "qms", Compared: made[wms]})
	}
	return all
}

// add counts what of a comparison is equal, explained or neither.
func (a *dayAccount) add(c comparison, differ []simulator.Disagreement, e *explainer) {
	for i := range differ {
		if differ[i].System != c.System || differ[i].About != c.What {
			continue
		}
		if x := e.explain(&differ[i], c.Against); x.Reason == "" {
			c.Unexplained++
			a.Unexplained = append(a.Unexplained, x)
		} else {
			c.Explained++
			a.Explained = append(a.Explained, x)
		}
	}
	// What a system has and should not have is no part of what was to be compared.
	c.Equal = max(c.Compared-c.Explained-c.Unexplained, 0)
	a.Books = append(a.Books, c)
}

// journals holds the journals of what was acknowledged against the hub, and counts
// what the answers were.
func (d *dayDemo) journals(ctx context.Context, a *dayAccount, folder string) error {
	for _, system := range simulator.SystemNames() {
		file := filepath.Join(folder, system, "acknowledged.jsonl")
		check := &journalCheck{client: d.client, seen: map[string]string{}, Missing: []string{}}
		if err := check.file(ctx, file, d.line); err != nil {
			return fmt.Errorf("%s: %w", system, err)
		}
		for _, text := range check.Missing {
			a.Missing = append(a.Missing, system+": "+text)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the journal of %s: %w", system, err)
		}
		a.Books = append(a.Books, comparison{
			System: system, What: "messages", Against: "ledger", Compared: check.Messages + len(check.Missing), Equal: check.Messages, Unexplained: len(check.Missing),
		})
		a.Reported += check.Lines
		a.Duplicates += bytes.Count(text, []byte(`"outcome":"duplicate"`))
		a.HeldFirst += bytes.Count(text, []byte(`"outcome":"held"`))
	}
	return nil
}

// explore chooses what is worth a look: a lot with a hold, and a document of which the
// hub got no answer.
func (a *dayAccount) explore(b *companyBooks) {
	for _, one := range b.all {
		for i := range one.Lots {
			if l := &one.Lots[i]; one.Kind == "qms" && len(l.Holds) > 0 && a.Lot == "" {
				a.Lot = "lot/" + l.Material + "/" + l.Lot
			}
		}
	}
	for i := range b.erp.Postings {
		if p := &b.erp.Postings[i]; p.Late && p.Movement == simulator.Receipt && a.Document == "" {
			a.Document = "document/erp/" + p.Document
		}
	}
}

// judge says why the day is not as it must be. Of a day of the usual size it wants
// that enough has gone wrong.
func (a *dayAccount) judge(usual bool) {
	fail := func(wrong bool, format string, args ...any) {
		if wrong {
			a.Failures = append(a.Failures, fmt.Sprintf(format, args...))
		}
	}
	a.Failures = []string{}
	lost, late, lagged := wantedLost, wantedLate, wantedLagged
	if !usual {
		lost, late, lagged = 1, 0, 0
	}
	fail(a.AnswersLost < lost, "%d answers were lost, at least %d must be", a.AnswersLost, lost)
	fail(a.LatePosts < late, "%d were posted late, at least %d must be", a.LatePosts, late)
	fail(a.FindLagged < lagged, "the search missed what was posted %d times, it must at least %d times", a.FindLagged, lagged)
	fail(a.Kills < wantedKills, "the hub was killed %d times, it must be %d times", a.Kills, wantedKills)
	raised := 0
	for _, c := range a.Causes {
		raised += c.Raised
	}
	fail(usual && (raised < wantedExceptions || len(a.Causes) < wantedCauses), "%d exceptions of %d causes, there must be at least %d of %d", raised, len(a.Causes), wantedExceptions, wantedCauses)
	fail(a.PostedTwice > 0, "%d were posted twice", a.PostedTwice)
	fail(len(a.Missing) > 0, "%d were acknowledged and are not on record", len(a.Missing))
	fail(len(a.Unexplained) > 0, "%d differences between books are not explained", len(a.Unexplained))
	fail(a.Waiting > 0, "%d messages of the systems are not acknowledged", a.Waiting)
	fail(a.UnderWay > 0, "%d steps are still under way", a.UnderWay)
}

func (a *dayAccount) print(w io.Writer) {
	fmt.Fprintf(w, "\nThe day is over, after %d s.\n\n", a.Seconds)
	fmt.Fprintf(w, "Reported   %s messages of eight systems: %s were repeated, %s were echoes of what the hub had asked for,\n           %s were held at first, %d are held still\n",
		count(a.Reported), count(a.Duplicates), count(a.Echoes), count(a.HeldFirst), a.Held)
	fmt.Fprintf(w, "On record  %s messages, %s events\n", count(a.Messages), count(a.Events))
	fmt.Fprintf(w, "Asked for  %s\n", countsText(a.Steps))
	fmt.Fprintf(w, "Late       %d commands were done later than their plan allows, %d are late still\n", a.DoneLate, a.Late)
	fmt.Fprintf(w, "Open       %d: %s\n\n", a.ExceptionsOpen, cmp.Or(countsText(a.Exceptions), "nothing"))
	causes := newTable("what did not go on", ">raised", ">healed", ">sent again", ">resumed", ">waived", ">open")
	for _, c := range a.Causes {
		causes.add(c.Reason, count(c.Raised), count(c.Healed), count(c.Corrected), count(c.Resumed), count(c.Waived), count(c.Open))
	}
	causes.write(w, "")
	fmt.Fprintln(w)
	t := newTable("books of", "what", "against", ">compared", ">equal", ">explained", ">unexplained")
	for _, c := range a.Books {
		t.add(c.System, c.What, c.Against, count(c.Compared), count(c.Equal), count(c.Explained), count(c.Unexplained))
	}
	t.write(w, "")
	fmt.Fprintln(w)
	for _, x := range append(slices.Clone(a.Unexplained), a.Explained...) {
		fmt.Fprintf(w, "%s: %s of %s is %s, %s has %s\n  %s\n", x.System, x.About, cmp.Or(x.Lot, x.Order), cmp.Or(x.Got, "nothing"), x.Against, cmp.Or(x.Want, "nothing"),
			cmp.Or(x.Because, "not explained"))
	}
	for _, text := range slices.Concat(a.Twice, a.Missing) {
		fmt.Fprintln(w, text)
	}
	fmt.Fprintf(w, "\nWhat went wrong with the ERP, as its own journal says: %d answers lost, %d posted after the client had given up,\n%d searches that missed what was there, %d refusals, %d requests while it was down. The hub was killed %d times.\n",
		a.AnswersLost, a.LatePosts, a.FindLagged, a.Refusals, a.DownRefused, a.Kills)
	fmt.Fprintf(w, "Verified: %d checks of the ledger, all in order.\n\n", len(a.Verified))
	fmt.Fprintf(w, "posted_twice=%d lost=%d unexplained=%d\n", a.PostedTwice, a.Lost, len(a.Unexplained))
}

// countsText is "2,096 applied, 3 reversed", the largest first.
func countsText[N int | int64](counts map[string]N) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = count(counts[name]) + " " + name
	}
	return strings.Join(parts, ", ")
}
