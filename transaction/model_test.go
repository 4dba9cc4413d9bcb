package transaction_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// modelPlan receives and stores what is made, one by amendment, the other by undoing
// it and doing it anew, and states the status in two systems.
func modelPlan() transaction.PlanDefinition {
	def := lotPlan()
	def.Reactions["store"] = transaction.Reaction{
		On: []string{"production.completed"}, Do: &transaction.Do{System: "wms", Command: "put-away"},
		Undo: &transaction.Undo{Command: "take-out"}, After: []string{"receive"},
	}
	def.Complete.Applied = []string{"receive", "store"}
	return def
}

// A report is a statement with what the simulated systems need of it.
type report struct {
	transaction.Happened
	quantity int
	data     map[string]any
}

// A history is the statements of every event, in their order. No two events have
// one ordering.
type history [][]report

func drawHistory(t *rapid.T, types []string) history {
	var all history
	n := rapid.IntRange(1, 7).Draw(t, "events")
	orderings := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7}).Draw(t, "orderings")
	for i := range n {
		key, typ := fmt.Sprint("event-", i), rapid.SampledFrom(types).Draw(t, "type")
		data := held(rapid.SampledFrom([]string{"H1", "H2"}).Draw(t, "hold"))
		statements := rapid.IntRange(1, 3).Draw(t, "statements")
		reversed := statements > 1 && rapid.Bool().Draw(t, "reversed")
		var chain []report
		for s := 1; s <= statements; s++ {
			r := report{data: data, quantity: 10*i + s, Happened: transaction.Happened{
				Key: key, ID: fmt.Sprint(key, ".", s), Statement: s, Type: typ, Plant: "graz", Ordering: fmt.Sprint(orderings[i]),
				Occurred: time.Date(2026, 3, orderings[i], 0, 0, 0, 0, time.UTC), Refs: []event.Ref{"order/1", "lot/M/1"},
			}}
			switch {
			case s == statements && reversed:
				r.Change = event.Reversal
			case s > 1:
				r.Change = event.Correction
			}
			chain = append(chain, r)
		}
		all = append(all, chain)
	}
	return all
}

// A simSystem is a system that performs commands and knows their keys: a keyed one
// takes a key twice without effect, a findable one would do it twice.
type simSystem struct {
	keyed    bool
	done     map[string]bool           // by command key
	quantity map[string]map[string]int // by reaction and event
	status   string
	bare     bool // goods came in since the status was stated
}

// A landing is a command that has left and has not arrived: it will, or never does.
type landing struct {
	step  transaction.Step
	never bool
}

// A sim is a hub with one transaction and the systems that it commands. What is in
// memory only is lost in a crash; the instance and the systems are not.
type sim struct {
	t         *rapid.T
	plan      *transaction.Plan
	lifecycle *transaction.Lifecycle
	in        transaction.Instance
	newest    map[string]report
	reports   map[string]report // by statement id
	arrived   int64
	systems   map[string]*simSystem
	flying    []landing
	answers   []string // keys of applied steps, to be answered again
}

func newSim(t *rapid.T, plan *transaction.Plan, lifecycle *transaction.Lifecycle, keyed bool) *sim {
	s := &sim{t: t, plan: plan, lifecycle: lifecycle, in: transaction.Instance{Key: "lot/M/1"}, newest: map[string]report{}, reports: map[string]report{}, systems: map[string]*simSystem{}}
	for _, name := range []string{"erp", "wms"} {
		s.systems[name] = &simSystem{keyed: keyed, done: map[string]bool{}, quantity: map[string]map[string]int{"receive": {}, "store": {}}}
	}
	return s
}

func (s *sim) world() transaction.World {
	state := s.lifecycle.Initial()
	for _, r := range slices.SortedFunc(maps.Values(s.newest), func(a, b report) int { return cmp.Compare(a.Ordering, b.Ordering) }) {
		if r.Change != event.Reversal {
			state, _ = s.lifecycle.Fold(state, transaction.LifecycleEvent{ID: r.ID, Type: r.Type, Data: r.data})
		}
	}
	return transaction.World{State: state, Resolve: func(role, _ string, _ time.Time) (string, bool) { return role, true }}
}

func asJSON(t *rapid.T, in transaction.Instance) string {
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// turn makes one change, decides, and holds what must hold at any time.
func (s *sim) turn(change func(transaction.Instance) transaction.Instance) {
	before, text := s.in, asJSON(s.t, s.in)
	changed := change(s.in)
	changedText := asJSON(s.t, changed)
	s.in = s.plan.Next(changed, s.world())
	if asJSON(s.t, before) != text || asJSON(s.t, changed) != changedText {
		s.t.Fatal("an argument was changed")
	}
	again := s.plan.Next(s.in, s.world())
	if diff := gocmp.Diff(s.in, again); diff != "" {
		s.t.Fatalf("asking again changes something:\n%s", diff)
	}
	keys := map[string]bool{}
	for i, step := range s.in.Steps {
		if keys[step.Key] {
			s.t.Fatalf("two steps have one key: %+v", step)
		}
		keys[step.Key] = true
		if i < len(before.Steps) && before.Steps[i].Key != step.Key {
			s.t.Fatal("a step was taken out")
		}
		if step.Status == transaction.StepHeld {
			s.t.Fatalf("held: %+v", step)
		}
	}
}

func (s *sim) note(r report) {
	if known := s.newest[r.Key]; known.Statement < r.Statement {
		s.newest[r.Key] = r
	}
	s.reports[r.ID] = r
	s.arrived++
	r.Position = s.arrived
	s.turn(func(in transaction.Instance) transaction.Instance { return s.plan.Note(in, r.Happened) })
}

func (s *sim) settle(key string, status transaction.StepStatus) {
	s.turn(func(in transaction.Instance) transaction.Instance {
		return s.plan.Settle(in, key, transaction.Result{Status: status})
	})
}

// crash loses what is in memory: the state is read back.
func (s *sim) crash() {
	text, err := json.Marshal(s.in)
	if err != nil {
		s.t.Fatal(err)
	}
	var back transaction.Instance
	if err := json.Unmarshal(text, &back); err != nil {
		s.t.Fatal(err)
	}
	if diff := gocmp.Diff(s.in, back); diff != "" {
		s.t.Fatalf("it does not read back:\n%s", diff)
	}
	s.in = back
}

// due is the step that may go out to a system: the first of its lane by ordering.
// While an attempt is on its way there is none; what was accepted does not stop a
// newer status.
func (s *sim) due(system string) (transaction.Step, bool) {
	var due []transaction.Step
	for _, step := range s.in.Steps {
		switch {
		case step.System != system:
		case step.Status == transaction.StepSent:
			return transaction.Step{}, false
		case step.Status == transaction.StepDue:
			due = append(due, step)
		}
	}
	if len(due) == 0 {
		return transaction.Step{}, false
	}
	return slices.MinFunc(due, func(a, b transaction.Step) int { return cmp.Compare(a.Ordering, b.Ordering) }), true
}

// lands is the arrival of a command at its system.
func (s *sim) lands(step transaction.Step) {
	system := s.systems[step.System]
	if system.done[step.Key] {
		if !system.keyed {
			s.t.Fatalf("applied twice: %+v", step)
		}
		return
	}
	system.done[step.Key] = true
	if step.Wanted != "" {
		s.inOrder(step)
		system.status, system.bare = step.Wanted, false
		return
	}
	have, cause, basis := system.quantity[step.Reaction][step.Event], s.reports[step.Cause].quantity, s.reports[step.Basis].quantity
	switch step.Kind {
	case transaction.KindDo:
		if have != 0 {
			s.t.Fatalf("done twice for one event: %+v", step)
		}
		if step.Reaction == "store" && s.systems["erp"].quantity["receive"][step.Event] == 0 {
			s.t.Fatalf("stored before it is received: %+v", step)
		}
		have = cause
	case transaction.KindAmend:
		if have != basis {
			s.t.Fatalf("amended from %d, and %d is in effect: %+v", basis, have, step)
		}
		have += cause - basis
	case transaction.KindUndo:
		if have != basis {
			s.t.Fatalf("undone from %d, and %d is in effect: %+v", basis, have, step)
		}
		if step.Reaction == "receive" && s.systems["wms"].quantity["store"][step.Event] != 0 {
			s.t.Fatalf("the receipt was taken back before the storage: %+v", step)
		}
		have = 0
	}
	system.quantity[step.Reaction][step.Event] = have
	system.bare = system.bare || step.Kind != transaction.KindUndo
}

// inOrder holds that a status is stated after the goods that were decided before it.
func (s *sim) inOrder(status transaction.Step) {
	for _, step := range s.in.Steps {
		if step.Key == status.Key {
			return
		}
		if step.Reaction == "receive" && step.Kind == transaction.KindDo && step.Status != transaction.StepApplied && step.Status != transaction.StepReversed && !step.Status.Dead() {
			s.t.Fatalf("stated before the goods of %s are there, which are %s", step.Cause, step.Status)
		}
	}
}

// perform sends the due step of a system, and draws what becomes of it.
func (s *sim) perform(system string) {
	step, ok := s.due(system)
	if !ok {
		return
	}
	s.settle(step.Key, transaction.StepSent)
	step, _ = s.in.Step(step.Key)
	switch rapid.SampledFrom([]string{"applied", "lost", "late", "never", "refused", "accepted", "crash"}).Draw(s.t, "answer") {
	case "applied":
		s.lands(step)
		s.applied(step.Key)
	case "lost":
		s.lands(step)
	case "late":
		s.flying = append(s.flying, landing{step, false})
	case "never", "crash":
		s.flying = append(s.flying, landing{step, true})
	case "refused":
		s.settle(step.Key, transaction.StepRefused)
	case "accepted":
		s.settle(step.Key, transaction.StepAccepted)
		s.flying = append(s.flying, landing{step, false})
	}
	if rapid.Bool().Draw(s.t, "crash") {
		s.crash()
	}
}

func (s *sim) applied(key string) {
	s.answers = append(s.answers, key)
	s.settle(key, transaction.StepApplied)
}

// land lets the oldest flying command arrive, or be known never to arrive.
func (s *sim) land() {
	if len(s.flying) == 0 {
		return
	}
	i := rapid.IntRange(0, len(s.flying)-1).Draw(s.t, "landing")
	l := s.flying[i]
	s.flying = slices.Delete(s.flying, i, i+1)
	if !l.never {
		s.lands(l.step)
	}
}

// find asks after every step of which nothing is known, where nothing can land any more.
func (s *sim) find() {
	for _, step := range slices.Clone(s.in.Steps) {
		flying := slices.ContainsFunc(s.flying, func(l landing) bool { return l.step.Key == step.Key })
		switch {
		case !step.Status.InFlight() || flying:
		case s.systems[step.System].done[step.Key]:
			s.applied(step.Key)
		default:
			s.settle(step.Key, transaction.StepDue)
		}
	}
}

// resume lets refused steps go out again, as a person does.
func (s *sim) resume() {
	for _, step := range slices.Clone(s.in.Steps) {
		if step.Status == transaction.StepRefused {
			s.settle(step.Key, transaction.StepDue)
		}
	}
}

// finish lets everything come to an end without further faults.
func (s *sim) finish() {
	for range 200 {
		for len(s.flying) > 0 {
			s.land()
		}
		s.find()
		s.resume()
		idle := true
		for _, system := range []string{"erp", "wms"} {
			if step, ok := s.due(system); ok {
				idle = false
				s.settle(step.Key, transaction.StepSent)
				s.lands(step)
				s.applied(step.Key)
			}
		}
		if idle {
			return
		}
	}
	s.t.Fatalf("it comes to no end: %+v", s.in.Steps)
}

// applied is what is in effect in the systems.
type inEffect struct {
	Quantity map[string]map[string]int // by reaction and event
	Status   map[string]string
}

func (s *sim) inEffect() inEffect {
	all := inEffect{map[string]map[string]int{"receive": {}, "store": {}}, map[string]string{}}
	for name, system := range s.systems {
		all.Status[name] = system.status
		for reaction, events := range system.quantity {
			for key, quantity := range events {
				if quantity != 0 {
					all.Quantity[reaction][key] = quantity
				}
			}
		}
	}
	return all
}

// wanted is what must be in effect, worked out from the history alone.
func (s *sim) wanted(h history) inEffect {
	all := inEffect{map[string]map[string]int{"receive": {}, "store": {}}, map[string]string{"erp": "", "wms": ""}}
	decided := false
	for _, chain := range h {
		last := chain[len(chain)-1]
		switch {
		case last.Type != "production.completed":
			decided = true
		case last.Change != event.Reversal:
			all.Quantity["receive"][last.Key], all.Quantity["store"][last.Key] = last.quantity, last.quantity
		}
	}
	if !decided {
		return all
	}
	status := "quality"
	switch state := s.world().State; {
	case len(state.Open["holds"]) > 0, state.Status == "rejected":
		status = "blocked"
	case state.Status == "released":
		status = "free"
	}
	all.Status["erp"], all.Status["wms"] = status, status
	return all
}

// The model: whatever the order in which events come, repeated, with crashes
// between any two steps, answers lost and late, refusals and what is accepted for
// later: what is in effect in the end is what the history asks for, nothing is
// applied twice, and nothing is forgotten.
func TestAnyOrderOfEventsAndAnswersLeadsToTheSameEffect(t *testing.T) {
	def := modelPlan()
	edit(&def, "status", func(r *transaction.Reaction) { r.Again = []string{"receive"} })
	holdModel(t, def, "production.completed", "production.completed", "lot.released", "lot.rejected", "hold.placed", "hold.lifted")
}

// The same where only a status is stated: one that is stated late must not win.
func TestAnyOrderOfDecisionsAndAnswersLeadsToTheSameStatus(t *testing.T) {
	holdModel(t, only(lotPlan(), "status", "erp", "wms"), "lot.released", "hold.placed", "hold.lifted")
}

func holdModel(t *testing.T, def transaction.PlanDefinition, types ...string) {
	plan, lifecycle := compiledPlan(t, def), compiled(t, stockLot())
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, types)
		s := newSim(t, plan, lifecycle, rapid.Bool().Draw(t, "keyed"))
		next := make([]int, len(h)) // statement of each event that comes next
		for range rapid.IntRange(10, 60).Draw(t, "turns") {
			switch rapid.SampledFrom([]string{"note", "note", "repeat", "perform", "perform", "perform", "land", "find", "resume", "answer", "crash"}).Draw(t, "turn") {
			case "note":
				if i := rapid.IntRange(0, len(h)-1).Draw(t, "event"); next[i] < len(h[i]) {
					s.note(h[i][next[i]])
					next[i]++
				}
			case "repeat":
				if i := rapid.IntRange(0, len(h)-1).Draw(t, "event"); next[i] > 0 {
					s.note(h[i][rapid.IntRange(0, next[i]-1).Draw(t, "statement")])
				}
			case "perform":
				s.perform(rapid.SampledFrom([]string{"erp", "wms"}).Draw(t, "system"))
			case "land":
				s.land()
			case "find":
				s.find()
			case "resume":
				s.resume()
			case "answer":
				if len(s.answers) > 0 {
					s.settle(rapid.SampledFrom(s.answers).Draw(t, "answer"), transaction.StepApplied)
				}
			case "crash":
				s.crash()
			}
		}
		for i, chain := range h {
			for ; next[i] < len(chain); next[i]++ {
				s.note(chain[next[i]])
			}
		}
		s.finish()
		if diff := gocmp.Diff(s.wanted(h), s.inEffect()); diff != "" {
			t.Fatalf("what is in effect (-want +got):\n%s", diff)
		}
		if erp := s.systems["erp"]; erp.status != "" && erp.bare {
			t.Fatal("goods came in after the status was stated, and have none")
		}
		inOrder := newSim(t, plan, lifecycle, true)
		slices.SortFunc(h, func(a, b []report) int { return cmp.Compare(a[0].Ordering, b[0].Ordering) })
		for _, chain := range h {
			for _, r := range chain {
				inOrder.note(r)
				inOrder.finish()
			}
		}
		if diff := gocmp.Diff(inOrder.inEffect(), s.inEffect()); diff != "" {
			t.Fatalf("in order and without faults it would be (-want +got):\n%s", diff)
		}
		for _, step := range s.in.Steps {
			if !step.Status.Settled() {
				t.Fatalf("forgotten: %+v", step)
			}
		}
	})
}

// Whatever is noted and settled in whatever order, sensible or not, under whatever
// modes and systems: what turn holds is held, but for what needs a person.
func TestAnythingMayBeNotedAndSettled(t *testing.T) {
	statuses := []transaction.StepStatus{
		transaction.StepSent, transaction.StepAccepted, transaction.StepApplied, transaction.StepPartlyApplied, transaction.StepRefused,
		transaction.StepDue, transaction.StepHeld, transaction.StepWaived, transaction.StepSuperseded, "nonsense",
	}
	amended, undone := compiledPlan(t, modelPlan()), modelPlan()
	edit(&undone, "receive", func(r *transaction.Reaction) { r.Amend, r.Undo = nil, nil })
	collected := modelPlan()
	edit(&collected, "receive", func(r *transaction.Reaction) {
		r.Collect = &transaction.Collect{Until: []string{"hold.placed"}, Count: 2, Within: "1h"}
	})
	plans := []*transaction.Plan{amended, compiledPlan(t, undone), compiledPlan(t, collected), compiledPlan(t, collected)}
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, []string{"production.completed", "lot.released", "hold.placed"})
		p, in := rapid.SampledFrom(plans).Draw(t, "plan"), transaction.Instance{Key: "lot/M/1"}
		for range rapid.IntRange(1, 40).Draw(t, "turns") {
			before, text := in, asJSON(t, in)
			switch kind := rapid.SampledFrom([]string{"note", "settle", "settle", "close", "move"}).Draw(t, "turn"); {
			case kind == "note":
				chain := rapid.SampledFrom(h).Draw(t, "event")
				r := rapid.SampledFrom(chain).Draw(t, "statement").Happened
				r.Plant, r.Disputed = rapid.SampledFrom([]string{"graz", "wien"}).Draw(t, "plant"), rapid.Bool().Draw(t, "disputed")
				in = p.Note(in, r)
			case kind == "settle" && len(in.Steps) > 0:
				key := rapid.SampledFrom(in.Steps).Draw(t, "step").Key
				in = p.Settle(in, key, transaction.Result{Status: rapid.SampledFrom(statuses).Draw(t, "status"), Reason: "so", Documents: []string{"1"}})
			case kind == "close" && len(in.Bundles) > 0:
				in = p.Close(in, rapid.SampledFrom(in.Bundles).Draw(t, "bundle").Key)
			case kind == "move":
				if moved, err := rapid.SampledFrom(plans).Draw(t, "plan").Refold(in, transaction.World{}); err == nil {
					in = moved
				}
			}
			w := drawWorld(t)
			next := p.Next(in, w)
			if asJSON(t, before) != text {
				t.Fatal("an argument was changed")
			}
			if diff := gocmp.Diff(next, p.Next(next, w)); diff != "" {
				t.Fatalf("asking again changes something:\n%s", diff)
			}
			keys := map[string]bool{}
			for i, step := range next.Steps {
				if keys[step.Key] {
					t.Fatalf("two steps have one key: %+v", step)
				}
				keys[step.Key] = true
				if step.Status == transaction.StepDue && (step.System == "" || step.Command == "") {
					t.Fatalf("due, and nothing can perform it: %+v", step)
				}
				if i < len(in.Steps) && (in.Steps[i].Key != step.Key || in.Steps[i].System != "" && in.Steps[i].System != step.System) {
					t.Fatalf("a step was taken out, or left its system: %+v", step)
				}
			}
			var back transaction.Instance
			if err := json.Unmarshal([]byte(asJSON(t, next)), &back); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(next, back); diff != "" {
				t.Fatalf("it does not read back:\n%s", diff)
			}
			in = next
		}
	})
}

func drawWorld(t *rapid.T) transaction.World {
	mode := rapid.SampledFrom([]transaction.Mode{transaction.ModeLive, transaction.ModeLive, transaction.ModeShadow, transaction.ModeOff}).Draw(t, "mode")
	systems := map[string]string{}
	for _, plant := range []string{"graz", "wien"} {
		for _, role := range []string{"erp", "wms"} {
			systems[role+plant] = rapid.SampledFrom([]string{"one", "other", "none", "unknown"}).Draw(t, "system")
		}
	}
	w := transaction.World{
		State: transaction.State{Status: rapid.SampledFrom([]string{"released", "rejected", "unknown"}).Draw(t, "state")},
		Mode:  func(string, string) transaction.Mode { return mode },
		Resolve: func(role, plant string, _ time.Time) (string, bool) {
			switch system := systems[role+plant]; system {
			case "none":
				return "", true
			case "unknown":
				return "", false
			default:
				return system, true
			}
		},
	}
	if rapid.Bool().Draw(t, "held") {
		w.State.Open = map[string][]string{"holds": {"H"}}
	}
	return w
}
