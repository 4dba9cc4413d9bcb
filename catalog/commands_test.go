package catalog

import (
	"strings"
	"testing"

	"github.com/gapless/gapless/mapping"
)

// erp is a system that is reached over HTTP, with a command.
const (
	erpSystem = `system: erp
title: ERP
roles: [erp]
connector:
  kind: rest
  url: https://erp.example.com/api
  class: findable
  settles: 30s
  timeout: 10s
  concurrency: 4
  rate: 50/s
  auth: {kind: basic, user: gapless, secret: env:ERP_SECRET}
  answers:
    - {when: 'this.body.code == "LOCK"', outcome: refused, reason: record_locked, text: this.body.message}
`
	erpCommand = `command: receive-goods
system: erp
title: What was made is received
request: |
  root.method = "POST"
  root.path = ["postings"]
  root.headers = {"Idempotency-Key": this.key}
  root.body = {
    "lot": external(this.subject),
    "unit": external_unit(this.event.data.quantity.unit),
    "quantity": this.event.data.quantity.value,
  }
find: |
  root.path = ["postings"]
  root.query.key = this.key
answers:
  - {when: this.status == 201, outcome: applied, documents: '{"number": this.body.number}'}
found:
  - {when: this.body.postings.length() > 0, outcome: applied, documents: this.body.postings}
  - {when: this.body.postings.length() == 0, outcome: absent}
cases:
  - name: a lot
    command: {key: k, subject: lot/M-100/1, event: {data: {quantity: {value: "72", unit: H87}}}}
    external: {lot/M-100/1: L1}
    request:
      method: POST
      path: [postings]
      headers: {Idempotency-Key: k}
      body: {lot: L1, unit: PCE, quantity: "72"}
      find: {path: [postings], query: {key: k}}
    answers:
      - {answer: {status: 201, body: {number: 50}}, outcome: applied, documents: [{number: "50"}]}
      - {answer: {status: 409, body: {code: LOCK, message: held by MEIER}}, outcome: refused, reason: record_locked, text: held by MEIER}
      - {found: {status: 200, body: {postings: [{number: 50}]}}, outcome: applied, documents: [{number: "50"}]}
      - {found: {status: 200, body: {postings: []}}, outcome: absent}
  - name: a unit that the ERP has two names for
    command: {key: k, subject: lot/M-100/1, event: {data: {quantity: {value: "72", unit: KGM}}}}
    fault: {reason: code_unknown, field: event/data/quantity/unit}
`
)

// withERP is the small catalog with the ERP and edits.
func withERP(edits ...edit) []edit {
	return append([]edit{
		write("systems/erp.yaml", erpSystem),
		write("mappings/erp/receive-goods.yaml", erpCommand),
		{"codes/unit.yaml", "local:\n", "local:\n  erp: {PCE: H87, pc: H87, KG: KGM, kg: KGM}\n"},
		{"codes/unit.yaml", "title: Units of measure\n", "title: Units of measure\nexternal: {erp: {H87: PCE}}\n"},
	}, edits...)
}

func TestACatalogWithCommandsLintsAndItsCasesHold(t *testing.T) {
	_, findings := Load(smallFS(t, withERP()...))
	for _, f := range findings {
		t.Error(f)
	}
	c := small(t, withERP()...)
	tested := 0
	for _, r := range c.Test() {
		if !r.Passed {
			t.Error(r)
		}
		if strings.HasPrefix(r.File, "mappings/erp/") {
			tested++
		}
	}
	if tested != 2 {
		t.Errorf("%d cases of the command were run", tested)
	}
	command, ok := c.Command("erp", "receive-goods")
	if !ok || len(c.Commands()) != 1 || !command.Mapping.Asks() {
		t.Error("the command is not found")
	}
	if _, ok := c.Message("erp", "receive-goods"); ok {
		t.Error("a command is taken for a message")
	}
	system, _ := c.System("erp")
	judged, err := command.Mapping.Judge(map[string]any{"status": int64(409), "body": map[string]any{"code": "LOCK"}}, system.Connector.AnswerRules())
	if err != nil || judged.Outcome != "refused" {
		t.Errorf("%v, %v", judged, err)
	}
	if mes, _ := c.System("graz-mes"); mes.Connector.AnswerRules() != (*mapping.Answers)(nil) {
		t.Error("a system without a connector has rules")
	}
}

func TestFindingsOfConnectorsAndCommandsNameFileAndLine(t *testing.T) {
	const system, command = "systems/erp.yaml", "mappings/erp/receive-goods.yaml"
	for name, test := range map[string]struct {
		edit edit
		want string
	}{
		"a kind that there is not":         {edit{system, "kind: rest", "kind: soap"}, system + `:5:3: error: "soap" is none of rest, file, simulated, tryton`},
		"a class that there is not":        {edit{system, "class: findable", "class: sure"}, system + `:7:3: error: "sure" is none of keyed`},
		"findable without a bound":         {edit{system, "  settles: 30s\n", ""}, "a findable system needs settles"},
		"no length of time":                {edit{system, "timeout: 10s", "timeout: soon"}, system + `:9:12: error: connector.timeout: "soon" is no length of time`},
		"a rate that cannot be read":       {edit{system, "rate: 50/s", "rate: fast"}, `"fast" is no rate`},
		"a secret itself":                  {edit{system, "secret: env:ERP_SECRET", "secret: hunter2"}, "never the secret itself"},
		"no secret":                        {edit{system, ", secret: env:ERP_SECRET", ""}, "auth of the kind basic needs secret"},
		"a part of another kind of auth":   {edit{system, "user: gapless", "user: gapless, client-id: x"}, "auth of the kind basic has no client-id"},
		"a part of another connector":      {edit{system, "  timeout: 10s\n", "  folder: /x\n"}, "a connector of the kind rest has no folder"},
		"an account in the address":        {edit{system, "https://erp", "https://a:b@erp"}, "url is no address without account"},
		"an address without TLS":           {edit{system, "https://erp", "http://erp"}, "warning: what is sent to erp.example.com can be read on its way"},
		"an answer rule with a fault":      {edit{system, `this.body.code == "LOCK"`, "this.body.code = 5"}, system + ":14:"},
		"a reason that there is not":       {edit{system, "record_locked", "record_lost"}, system + `:14:`},
		"a key too short":                  {edit{system, "  timeout: 10s\n", "  key-length: 8\n"}, "8 digits of a command key"},
		"an unknown key":                   {edit{command, "title:", "titel: x\ntitle:"}, command + ":3:1: error: unknown key titel"},
		"a request with a fault":           {edit{command, "external(this.subject)", "local(\"lot\", this.subject)"}, command + ":9:"},
		"a list that there is not":         {edit{command, "external_unit(", `external_code("colour", `}, "code list colour is not in the catalog"},
		"settled before it has ended":      {edit{system, "timeout: 10s", "timeout: 60s"}, system + ":8:3: warning: a call may take 1m0s"},
		"troubles of a real system":        {edit{system, "  timeout: 10s\n", "  troubles: {late: 5}\n"}, "a connector of the kind rest has no troubles"},
		"refused for no reason":            {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: simulated, class: keyed, refuses: [{command: x, reason: bad_mood}]}\n"), `"bad_mood" is no reason`},
		"more troubles than attempts":      {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: simulated, class: keyed, troubles: {late: 600, busy: 600}}\n"), "1,000 of 1,000 attempts at most"},
		"no key sent":                      {edit{command, `{"Idempotency-Key": this.key}`, "{}"}, "carries the command key, and the request does not send it"},
		"a findable system is not asked":   {edit{command, "find: |\n  root.path = [\"postings\"]\n  root.query.key = this.key\n", ""}, "is findable: it must be asked"},
		"a rule that no case shows":        {edit{command, "      - {found: {status: 200, body: {postings: []}}, outcome: absent}\n", ""}, command + ":20:5: error: no case shows what found[1] is for"},
		"another system than the folder's": {edit{command, "system: erp", "system: mes"}, "the folder is erp, the file says system"},
		"a code that is not on the list":   {edit{"codes/unit.yaml", "external: {erp: {H87: PCE}}", "external: {erp: {XXX: PCE}}"}, "which is not on the list unit"},
		"what an unknown system is told":   {edit{"codes/unit.yaml", "external: {erp:", "external: {erpp:"}, "system erpp is not in the catalog"},
		"no connector at all":              {write(system, "system: erp\ntitle: ERP\nroles: [erp]\n"), "warning: system erp has no connector"},
		"a message of files without a map": {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: file, folder: /in, messages: [{message: receipts, files: \"r-*.csv\"}]}\n"), `system erp has no message "receipts"`},
		"a Tryton without an account":      {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: tryton, url: env:ERP_URL, database: erp, secret: env:ERP_SECRET}\n"), "a connector of the kind tryton needs user"},
		"a Tryton that is keyed":           {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: tryton, class: keyed, url: env:ERP_URL, database: erp, user: hub, secret: env:ERP_SECRET}\n"), "the class is findable"},
		"a Tryton that settles too early":  {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: tryton, settles: 30s, url: env:ERP_URL, database: erp, user: hub, secret: env:ERP_SECRET}\n"), "an attempt may take 1m0s, so it can still land after 30s"},
		"what Tryton does not give":        {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: tryton, url: env:ERP_URL, database: erp, user: hub, secret: env:ERP_SECRET, poll: [parties]}\n"), `"parties" is none of orders`},
		"a poll without a mapping":         {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: tryton, url: env:ERP_URL, database: erp, user: hub, secret: env:ERP_SECRET, poll: [orders]}\n"), `system erp has no message "orders"`},
		"a folder that is missing":         {write(system, "system: erp\ntitle: ERP\nroles: [erp]\nconnector: {kind: file}\n"), "needs a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Load(smallFS(t, withERP(test.edit)...))
			var all []string
			for _, f := range findings {
				all = append(all, f.String())
			}
			if told := strings.Join(all, "\n"); !strings.Contains(told, test.want) {
				t.Errorf("%s\nis not among\n%s", test.want, told)
			}
			if strings.Contains(strings.Join(all, ""), "hunter2") {
				t.Error("the secret is told")
			}
		})
	}
}

func TestADiffTellsWhatACommandDoesOtherwise(t *testing.T) {
	before := small(t, withERP()...)
	now := small(t, withERP(edit{"mappings/erp/receive-goods.yaml", `root.method = "POST"`, `root.method = "PUT"`}, edit{"mappings/erp/receive-goods.yaml", "      method: POST", "      method: PUT"})...)
	var told []string
	for _, change := range Diff(before, now) {
		told = append(told, change.Reasons...)
	}
	if text := strings.Join(told, "\n"); !strings.Contains(text, `Case "a lot" of before: now it is otherwise: request/method`) {
		t.Error(text)
	}
}
