package mapping

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// receiveGoods is the file of a command, as a catalog has it.
func receiveGoods() CommandDefinition {
	return CommandDefinition{
		Command: "receive-goods", System: "erp", Title: "Goods from production are received",
		Request: `let out = this.event.data.outputs.0
root.method = "POST"
root.path = ["postings", external(this.subject)]
root.headers = {"Idempotency-Key": this.key}
root.body.material = external($out.material)
root.body.reference = "lot " + external(this.subject) + " of " + this.plant.string()
root.body.quantity = $out.quantity.value
root.body.unit = external_unit($out.quantity.unit)
root.body.date = this.posting_date`,
		Find: `root.method = "GET"
root.path = ["postings"]
root.query.key = this.key`,
		Answers: []AnswerRule{
			{When: `this.status == 201 && this.body.document != null`, Outcome: "applied", Documents: `{"number": this.body.document.number, "kind": "goods-receipt"}`},
			{When: `this.status == 422 && this.body.code.has_prefix("M7")`, Outcome: "refused", Reason: "period_closed", Text: `this.body.code + ": " + this.body.message`},
		},
		Found: []AnswerRule{
			{When: `this.status == 200 && this.body.postings.length() > 0`, Outcome: "applied", Documents: `this.body.postings.map_each(this.without("at"))`},
			{When: `this.status == 200 && this.body.postings.length() == 0`, Outcome: "absent"},
		},
	}
}

func commandEnvironment() Environment {
	return Environment{Locals: func(list, code string) []string {
		return map[string][]string{"unit/H87": {"PCE"}, "unit/KGM": {"KG", "kg"}, "scrap-reason/wrinkle": {"WR"}}[list+"/"+code]
	}}
}

func compileCommand(t *testing.T, def CommandDefinition) *Command {
	t.Helper()
	m, err := CompileCommand(def, commandEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// received is a canonical command.
func received(unit string) map[string]any {
	return map[string]any{
		"key": strings.Repeat("ab", 32), "command": "receive-goods", "plant": "graz", "subject": "lot/M-100/4711", "posting_date": "2026-03-02",
		"event": map[string]any{"type": "production.completed", "data": map[string]any{
			"outputs": []any{map[string]any{"material": "material/M-100", "quantity": map[string]any{"value": "72", "unit": unit}}},
		}},
	}
}

func TestACommandBecomesARequestInTheSystemsOwnTerms(t *testing.T) {
	m := compileCommand(t, receiveGoods())
	command := received("H87")
	request, err := m.Apply(command)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(received("H87"), command); diff != "" {
		t.Errorf("the command was changed:\n%s", diff)
	}
	if diff := cmp.Diff([]event.Ref{"lot/M-100/4711", "material/M-100"}, Externals(request)); diff != "" {
		t.Error(diff)
	}
	var places []string
	resolved := ResolveExternal(request, func(place string, ref event.Ref) string {
		places = append(places, place)
		return map[event.Ref]string{"lot/M-100/4711": "L/4711", "material/M-100": "100-00"}[ref]
	})
	want := map[string]any{
		"method": "POST", "path": []any{"postings", "L/4711"},
		"headers": map[string]any{"Idempotency-Key": strings.Repeat("ab", 32)},
		"body":    map[string]any{"material": "100-00", "reference": "lot L/4711 of graz", "quantity": "72", "unit": "PCE", "date": "2026-03-02"},
		"find":    map[string]any{"method": "GET", "path": []any{"postings"}, "query": map[string]any{"key": strings.Repeat("ab", 32)}},
	}
	if diff := cmp.Diff(want, resolved); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"body/material", "body/reference", "path/1"}, places); diff != "" {
		t.Error(diff)
	}
	if len(Externals(request)) != 2 || len(Externals(resolved)) != 0 {
		t.Error("resolving has changed the request, or left a marker")
	}
}

func TestARequestThatCannotBeMadeSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name    string
		request string
		command map[string]any
		reason  *fault.Reason
		detail  string
	}{
		{"a unit that the system has no name for", "", received("MTR"), fault.CodeUnknown, `"MTR"`},
		{"a unit that it has two names for", "", received("KGM"), fault.CodeUnknown, "KG and kg"},
		{"no ref", `root.a = external("4711")`, received("H87"), fault.RefInvalid, "kind/segment"},
		{"no object at all", `root.a = external(this.event.data.lot)`, received("H87"), fault.FieldMissing, "absent"},
		{"what external gave was changed", `root.a = external(this.subject).uppercase()`, received("H87"), fault.MappingFailed, "as it is"},
		{"what external gave was cut", `root.a = external(this.subject).slice(0, 5)`, received("H87"), fault.MappingFailed, "as it is"},
		{"a text", `root = "a"`, received("H87"), fault.MappingFailed, "object"},
		{"control characters in the data", "", map[string]any{"plant": "g\x02lot/1\x03"}, fault.NotSendable, "control"},
	} {
		t.Run(c.name, func(t *testing.T) {
			def := receiveGoods()
			if c.request != "" {
				def.Request = c.request
			}
			_, err := compileCommand(t, def).Apply(c.command)
			if !errors.Is(err, c.reason) || !strings.Contains(err.Error(), c.detail) {
				t.Error(err)
			}
		})
	}
}

func TestAnAnswerMeansWhatTheFirstRuleSays(t *testing.T) {
	m := compileCommand(t, receiveGoods())
	ofSystem, err := CompileAnswers([]AnswerRule{{When: `this.status == 503 && this.headers.server == "gateway"`, Outcome: "not-done", Reason: "system_down"}}, "answers", PerformOutcomes())
	if err != nil {
		t.Fatal(err)
	}
	object := func(pairs ...any) map[string]any {
		o := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			o[pairs[i].(string)] = pairs[i+1]
		}
		return o
	}
	for _, c := range []struct {
		name   string
		answer map[string]any
		want   Judged
	}{
		{"applied", object("status", int64(201), "body", object("document", object("number", "50"))), Judged{Rule: 0, Outcome: "applied", Documents: []JudgedDocument{{"50", "goods-receipt"}}}},
		{"refused", object("status", int64(422), "body", object("code", "M7053", "message", "period closed")), Judged{Rule: 1, Outcome: "refused", Reason: "period_closed", Text: "M7053: period closed"}},
		{"a refusal that no rule knows", object("status", int64(422), "body", object("code", "X1")), Judged{Rule: 4, Outcome: "refused", Reason: "unclassified_refusal"}},
		{"a success that is not the one that rules describe", object("status", int64(200), "body", object("ok", true)), Judged{Rule: 5, Outcome: "unknown"}},
		{"a page", object("status", int64(201), "text", "<html>"), Judged{Rule: 5, Outcome: "unknown"}},
		{"the system's own rule", object("status", int64(503), "headers", object("server", "gateway")), Judged{Rule: 0, Outcome: "not-done", Reason: "system_down"}},
		{"a failure", object("status", int64(503)), Judged{Rule: 5, Outcome: "unknown"}},
		{"not let in", object("status", int64(401)), Judged{Rule: 0, Outcome: "not-done", Reason: "credentials_refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := m.Judge(c.answer, ofSystem)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, c := range []struct {
		name   string
		answer map[string]any
		want   string
	}{
		{"found", object("status", int64(200), "body", object("postings", []any{object("number", "50", "at", "x")})), "applied"},
		{"not found", object("status", int64(200), "body", object("postings", []any{})), "absent"},
		{"another answer is no absence", object("status", int64(200), "body", object()), "unknown"},
		{"nor is a page", object("status", int64(200), "text", "<html>"), "unknown"},
	} {
		t.Run("the question: "+c.name, func(t *testing.T) {
			if got, err := m.JudgeFound(c.answer); err != nil || got.Outcome != c.want {
				t.Errorf("%s, %v", got.Outcome, err)
			}
		})
	}
}

func TestWithoutRulesASuccessIsApplied(t *testing.T) {
	for _, applies := range []bool{true, false} {
		if _, err := CompileAnswers(standardRules(applies), "standard", PerformOutcomes()); err != nil {
			t.Fatal(err)
		}
	}
	def := receiveGoods()
	def.Answers = nil
	m := compileCommand(t, def)
	for status, want := range map[int64]string{200: "applied", 202: "accepted", 204: "applied", 207: "unknown", 302: "unknown", 404: "refused", 408: "unknown", 429: "not-done", 500: "unknown", 0: "unknown"} {
		got, err := m.Judge(map[string]any{"status": status}, nil)
		if err != nil || got.Outcome != want {
			t.Errorf("%d: %s, %v", status, got.Outcome, err)
		}
	}
	if got, _ := m.Judge(map[string]any{"status": int64(200), "text": "<html>"}, nil); got.Outcome != "unknown" {
		t.Errorf("a page is %s", got.Outcome)
	}
}

func TestARuleThatCannotBeEvaluatedMeansThatNobodyKnows(t *testing.T) {
	def := receiveGoods()
	def.Answers = []AnswerRule{{When: `this.body.ok`, Outcome: "applied", Documents: `this.body.docs`}}
	m := compileCommand(t, def)
	for name, body := range map[string]map[string]any{
		"a condition that is no condition": {"ok": "yes"},
		"documents without a number":       {"ok": true, "docs": []any{map[string]any{"kind": "x"}}},
		"documents that are no objects":    {"ok": true, "docs": []any{"50"}},
		"a number that is an object":       {"ok": true, "docs": []any{map[string]any{"number": map[string]any{}}}},
	} {
		if got, err := m.Judge(map[string]any{"status": int64(200), "body": body}, nil); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLinesSayWhatBecameOfEach(t *testing.T) {
	def := receiveGoods()
	def.Answers = []AnswerRule{{When: `this.status == 207`, Outcome: "partly-applied", Lines: `this.body.lines`}}
	m := compileCommand(t, def)
	answer := func(outcome string) map[string]any {
		return map[string]any{"status": int64(207), "body": map[string]any{"lines": []any{
			map[string]any{"line": int64(10), "outcome": "applied"}, map[string]any{"line": int64(20), "outcome": outcome, "reason": "lot_missing", "text": "no lot"},
		}}}
	}
	got, err := m.Judge(answer("refused"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]JudgedLine{{Line: "10", Outcome: "applied"}, {"20", "refused", "lot_missing", "no lot"}}, got.Lines); diff != "" {
		t.Error(diff)
	}
	def.Answers[0].Outcome, def.Answers[0].Reason = "refused", "stock_insufficient" // a refusal may name who is to blame
	if got, err := compileCommand(t, def).Judge(answer("refused"), nil); err != nil || len(got.Lines) != 2 || got.Lines[1].Line != "20" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := m.Judge(answer("perhaps"), nil); err == nil {
		t.Error("an outcome that there is not is taken")
	}
}

func TestCasesOfACommandTellWhatCameOutOtherwise(t *testing.T) {
	m := compileCommand(t, withCases(receiveGoods()))
	for _, r := range m.Test(nil) {
		if !r.OK() {
			t.Errorf("%s: %v", r.Name, r.Differences)
		}
	}
	if missing := m.Uncovered(); len(missing) > 0 {
		t.Errorf("not covered: %v", missing)
	}
	def := withCases(receiveGoods())
	def.Cases[0].External = nil
	def.Cases[0].Request["method"] = "PUT"
	def.Cases[1].Answers = def.Cases[1].Answers[:1]
	def.Cases[1].Answers[0].Outcome = "refused"
	def.Cases[2].Fault.Reason = "ref_invalid"
	m = compileCommand(t, def)
	var told []string
	for _, r := range m.Test(nil) {
		told = append(told, r.Differences...)
	}
	for _, part := range []string{"lot/M-100/4711 is not given", "request/method", `answers[0].outcome: "refused" is expected, it gave "applied"`, "ref_invalid is expected"} {
		if !slices.ContainsFunc(told, func(line string) bool { return strings.Contains(line, part) }) {
			t.Errorf("nothing tells of %s: %v", part, told)
		}
	}
	if diff := cmp.Diff([]string{"answers[1]", "found[0]", "found[1]"}, m.Uncovered()); diff != "" {
		t.Error(diff)
	}
}

func withCases(def CommandDefinition) CommandDefinition {
	def.Cases = []CommandCase{
		{
			Name: "a lot is received", Command: received("H87"), External: map[string]string{"lot/M-100/4711": "L4711", "material/M-100": "100"},
			Request: map[string]any{
				"method": "POST", "path": []any{"postings", "L4711"}, "headers": map[string]any{"Idempotency-Key": strings.Repeat("ab", 32)},
				"body": map[string]any{"material": "100", "reference": "lot L4711 of graz", "quantity": "72", "unit": "PCE", "date": "2026-03-02"},
				"find": map[string]any{"method": "GET", "path": []any{"postings"}, "query": map[string]any{"key": strings.Repeat("ab", 32)}},
			},
		},
		{Name: "answers", Answers: []AnswerCase{
			{Answer: map[string]any{"status": 201, "body": map[string]any{"document": map[string]any{"number": "50"}}}, Outcome: "applied", Documents: []map[string]string{{"number": "50", "kind": "goods-receipt"}}},
			{Answer: map[string]any{"status": 422, "body": map[string]any{"code": "M7053", "message": "closed"}}, Outcome: "refused", Reason: "period_closed", Text: "M7053: closed"},
			{Found: map[string]any{"status": 200, "body": map[string]any{"postings": []any{map[string]any{"number": "50"}}}}, Outcome: "applied", Documents: []map[string]string{{"number": "50"}}},
			{Found: map[string]any{"status": 200, "body": map[string]any{"postings": []any{}}}, Outcome: "absent"},
		}},
		{Name: "a unit without a name", Command: received("MTR"), Fault: &ExpectedFault{Reason: "code_unknown"}},
	}
	return def
}

func TestACommandThatCannotBeMeantIsRefusedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*CommandDefinition)
		field  string
	}{
		{"no request", func(d *CommandDefinition) { d.Request = "" }, "request"},
		{"no name", func(d *CommandDefinition) { d.Command = "" }, "command"},
		{"a function of messages", func(d *CommandDefinition) { d.Request = `root.a = local("lot", this.plant)` }, "request"},
		{"a question without rules", func(d *CommandDefinition) { d.Found = nil }, "found"},
		{"rules without a question", func(d *CommandDefinition) { d.Find = "" }, "find"},
		{"the place of the question", func(d *CommandDefinition) { d.Request += "\nroot.find.path = \"x\"" }, "request"},
		{"an outcome that there is not", func(d *CommandDefinition) { d.Answers[0].Outcome = "perhaps" }, "answers[0].outcome"},
		{"a refusal without a reason", func(d *CommandDefinition) { d.Answers[1].Reason = "" }, "answers[1].reason"},
		{"a reason that there is not", func(d *CommandDefinition) { d.Answers[1].Reason = "bad_mood" }, "answers[1].reason"},
		{"applied for a reason", func(d *CommandDefinition) { d.Answers[0].Reason = "lot_missing" }, "answers[0].reason"},
		{"a rule that hides those behind it", func(d *CommandDefinition) { d.Answers[0].When = "" }, "answers[0].when"},
		{"partly without lines", func(d *CommandDefinition) { d.Answers[0].Outcome = "partly-applied" }, "answers[0].lines"},
		{"applied with lines", func(d *CommandDefinition) { d.Answers[0].Lines = "this.body.lines" }, "answers[0].lines"},
		{"applied is no question's absent", func(d *CommandDefinition) { d.Found[1].Outcome = "not-done" }, "found[1].outcome"},
		{"a function in an answer rule", func(d *CommandDefinition) { d.Answers[0].When = `external(this.body.x) == "a"` }, "answers[0].when"},
		{"a case of nothing", func(d *CommandDefinition) { d.Cases = []CommandCase{{Name: "x"}} }, "cases[0].command"},
		{"a case without what comes out", func(d *CommandDefinition) { d.Cases = []CommandCase{{Name: "x", Command: map[string]any{}}} }, "cases[0].request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			def := receiveGoods()
			c.change(&def)
			_, err := CompileCommand(def, commandEnvironment())
			wrong, ok := errors.AsType[*DefinitionError](err)
			if !ok || wrong.Field != c.field {
				t.Errorf("%v, want a fault of %s", err, c.field)
			}
		})
	}
}
