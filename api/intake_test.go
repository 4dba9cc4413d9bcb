package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

func TestAnEventIsAnsweredWhenItIsOnRecord(t *testing.T) {
	h := newHub(t, Config{})
	r := h.record("graz-mes", "1")
	for path, want := range map[string]string{"id": "1", "plant": "graz", "position": "1"} {
		if got := r.at(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	e := h.get("graz-mes", "/v1/events/"+r.at("events/0"))
	if e.at("event/type") != "production.completed" || e.at("facts/0/base/value") != "12.5" || e.at("message") != r.at("message") {
		t.Errorf("event: %s", e.text)
	}
	again := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "1"))
	if again.status != http.StatusOK || again.at("outcome") != "duplicate" || again.at("message") != r.at("message") {
		t.Errorf("the second time: %d %s", again.status, again.text)
	}
}

func TestTheAnswerToOneEventIsJSONWhateverItsID(t *testing.T) {
	h := newHub(t, Config{})
	for _, id := range []string{`quote\" and \\ backslash`, `<&>`, `\u2028 line`, `Größe 12`, `tilde~ \u007f`} {
		r := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", id))
		var want string
		if err := json.Unmarshal([]byte(`"`+id+`"`), &want); err != nil {
			t.Fatal(err)
		}
		if r.status == http.StatusOK && r.at("id") != want {
			t.Errorf("id %q came back as %q", want, r.at("id"))
		}
	}
}

// badInput is one thing that a system does wrong, and what it is told.
type badInput struct {
	as, contentType, body string
	status                int
	reason, field         string
	kept                  bool
}

// held is bad input that is kept, and held.
func held(reason, field, body string) badInput {
	return badInput{"graz-mes", structuredType, body, http.StatusAccepted, reason, field, true}
}

// refused is bad input of which nothing is kept.
func refused(status int, reason, field, contentType, body string) badInput {
	return badInput{"graz-mes", contentType, body, status, reason, field, false}
}

func badInputs() map[string]badInput {
	event := func(edits ...string) string { return produced("graz-mes", "x", edits...) }
	const lot, value = `"lot/M-100/graz"`, `"12.5"`
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	material := func(unit string) string {
		return `{"specversion":"1.0","id":"x","source":"erp","type":"material.changed","plant":"graz","time":"2026-03-02T06:00:00+01:00","data":{"material":"material/M-100","net_weight":{"value":"1","unit":"` + unit + `"}}}`
	}
	table := map[string]badInput{
		"not JSON":                       refused(400, "not_readable", "", structuredType, "hello"),
		"nothing at all":                 refused(400, "not_readable", "", structuredType, ""),
		"a body in Latin-1":              refused(400, "not_readable", "", structuredType, event(lot, "\"lot/M-100/gr\xe4z\"")),
		"a charset that JSON has not":    refused(415, "content_type_unsupported", "content-type", structuredType+"; charset=iso-8859-1", event()),
		"a truncated body":               refused(400, "not_readable", "", structuredType, event()[:100]),
		"a body beyond the limit":        refused(413, "limit_exceeded", "", structuredType, event(`"time"`, `"note":"`+strings.Repeat("a", 1<<20)+`","time"`)),
		"10,000 levels":                  refused(413, "limit_exceeded", "", structuredType, event(`"data":{`, `"data":{"x":`+nested(10_000)+`,`)),
		"10,000 open arrays in a batch":  refused(413, "limit_exceeded", "", batchType, strings.Repeat("[", 10_000)),
		"a wrong content type":           refused(415, "content_type_unsupported", "content-type", "text/xml", "<a/>"),
		"no content type":                refused(415, "content_type_unsupported", "content-type", "", event()),
		"plain JSON without attributes":  refused(415, "content_type_unsupported", "content-type", jsonType, event()),
		"an array as a single event":     refused(400, "not_readable", "", structuredType, "["+event()+"]"),
		"a single event as a batch":      refused(400, "not_readable", "", batchType, event()),
		"no source":                      refused(422, "id_missing", "source", structuredType, event(`"source":"graz-mes",`, "")),
		"no id":                          refused(422, "id_missing", "id", structuredType, event(`"id":"x",`, "")),
		"an id of 10,000 bytes":          refused(422, "id_missing", "id", structuredType, event(`"x"`, `"`+strings.Repeat("a", 10_000)+`"`)),
		"an id with NUL":                 refused(422, "id_missing", "id", structuredType, event(`"x"`, `"x\u0000"`)),
		"a name twice in one object":     refused(400, "not_readable", "data/order", structuredType, event(`"data":{`, `"data":{"order":"order/1",`)),
		"half a character":               refused(400, "not_readable", "", structuredType, event(lot, `"lot/M-100/\ud800"`)),
		"NaN":                            refused(400, "not_readable", "", structuredType, event(value, "NaN")),
		"a ref with a control character": held("ref_invalid", "outputs/0/lot", event(lot, `"lot/M-100/a\u0007"`)),
		"a ref with NUL":                 held("ref_invalid", "outputs/0/lot", event(lot, `"lot/M-100/a\u0000"`)),
		"a key of another system":        refused(403, "foreign_source", "source", structuredType, event(`"source":"graz-mes"`, `"source":"linz-mes"`)),
		"a system that nobody knows":     refused(403, "foreign_source", "source", structuredType, event(`"source":"graz-mes"`, `"source":"nobody"`)),

		"no type":                           held("attribute_invalid", "type", event(`"type":"production.completed",`, "")),
		"no time":                           held("attribute_invalid", "time", event(`"time":"2026-03-02T06:00:00+01:00",`, "")),
		"another version of CloudEvents":    held("attribute_invalid", "specversion", event("1.0", "0.3")),
		"an attribute with a wrong name":    held("attribute_invalid", "my_colour", event(`"time"`, `"my_colour":"red","time"`)),
		"an attribute with structure":       held("attribute_invalid", "colour", event(`"time"`, `"colour":{"a":1},"time"`)),
		"data that is no object":            held("attribute_invalid", "data", `{"specversion":"1.0","id":"x","source":"graz-mes","type":"production.completed","time":"2026-03-02T06:00:00+01:00","data":7}`),
		"an unknown type":                   held("event_type_unknown", "type", event("production.completed", "production.finished")),
		"an unknown version":                held("event_type_unknown", "type", event(`"time"`, `"dataschema":"urn:gapless:contract:production.completed:9","time"`)),
		"a schema of somebody else":         held("event_type_unknown", "dataschema", event(`"time"`, `"dataschema":"https://example.com/s","time"`)),
		"a time in the future":              held("time_invalid", "time", event("2026-03-02", "2126-03-02")),
		"a time in the year 1":              held("time_invalid", "time", event("2026-03-02", "0001-03-02")),
		"a time without zone":               held("time_invalid", "time", event("+01:00", "")),
		"a time before the plant began":     held("before_begin", "time", event("2026-03-02", "2015-03-02")),
		"a float of 17 digits":              held("quantity_inexact", "outputs/0/quantity/value", event(value, "31.919999999999998")),
		"1e400 as text":                     held("quantity_invalid", "outputs/0/quantity/value", event(value, `"1e400"`)),
		"NaN as text":                       held("quantity_invalid", "outputs/0/quantity/value", event(value, `"NaN"`)),
		"a negative quantity":               held("quantity_negative", "outputs/0/quantity/value", event(value, `"-1"`)),
		"a unit that is none":               held("unit_unknown", "outputs/0/quantity/unit", event("KGM", "kilo")),
		"a unit that was deleted":           held("unit_deleted", "outputs/0/quantity/unit", event("KGM", "PK")),
		"a field that the contract has not": held("contract_broken", "colour", event(`"data":{`, `"data":{"colour":"red",`)),
		"a ref with a space":                held("ref_invalid", "outputs/0/lot", event(lot, `"lot/M-100/a b"`)),
		"a ref with a slash too many":       held("ref_invalid", "outputs/0/lot", event(lot, `"lot/M-100/a/b"`)),
		"a ref of 10,000 characters":        held("ref_invalid", "outputs/0/lot", event(lot, `"lot/M-100/`+strings.Repeat("a", 10_000)+`"`)),
		"a type without authority":          held("authority_missing", "type", event("production.completed", "lot.released")),
		"a plant of another system":         held("authority_missing", "type", event(`"plant":"graz"`, `"plant":"linz"`)),
		"a plant that nobody knows":         held("plant_unknown", "plant", event(`"plant":"graz"`, `"plant":"wien"`)),
		"a correction of nothing":           held("predecessor_missing", "correction", event(`"time"`, `"corrects":"nothing","time"`)),
	}
	unit := held("unit_dimension", "net_weight/unit", material("H87"))
	unit.as = "erp"
	table["a unit of another dimension"] = unit
	return table
}

func TestBadInputIsAnsweredWithReasonFieldAndRemedyAndKeptWhereItCanBeToldFromOthers(t *testing.T) {
	h := newHub(t, Config{MaxBody: 1 << 20})
	h.person("viewer")
	n := 0
	for name, test := range badInputs() {
		t.Run(name, func(t *testing.T) {
			n++
			body := strings.Replace(test.body, `"id":"x`, fmt.Sprintf(`"id":"x%d`, n), 1)
			before := h.get("viewer", "/v1/account").at("messages")
			r := h.post(test.as, "/v1/events", test.contentType, body)
			problem := ""
			if test.kept {
				problem = "exception/"
			} else if r.header.Get("Content-Type") != problemType {
				t.Errorf("content type %q", r.header.Get("Content-Type"))
			}
			if r.status != test.status || r.at(problem+"reason") != test.reason || r.at(problem+"field") != test.field {
				t.Errorf("got %d %s %s, want %d %s %s\n%s", r.status, r.at(problem+"reason"), r.at(problem+"field"), test.status, test.reason, test.field, r.text)
			}
			if r.at(problem+"remedy") == "" || r.at(problem+"title") == "" {
				t.Errorf("no title or remedy: %s", r.text)
			}
			if kept := h.get("viewer", "/v1/account").at("messages") != before; kept != test.kept {
				t.Errorf("kept is %v, want %v", kept, test.kept)
			}
			if test.kept {
				m := h.get(test.as, "/v1/messages/"+r.at("message"))
				if m.status != 200 || m.at("held") != "true" || m.at("exceptions/0/reason") != test.reason {
					t.Errorf("the kept message: %d %s", m.status, m.text)
				}
			}
		})
	}
}

func TestAnIDUsedAgainWithOtherContentIsAConflictAndWhatStandsStands(t *testing.T) {
	h := newHub(t, Config{})
	first := h.record("graz-mes", "1")
	r := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "1", "12.5", "13.5"))
	if r.status != http.StatusAccepted || r.at("exception/reason") != "identity_conflict" || r.at("exception/field") != "id" {
		t.Fatalf("%d %s", r.status, r.text)
	}
	e := h.get("graz-mes", "/v1/events/"+first.at("events/0"))
	if e.at("current") != "true" || e.at("facts/0/base/value") != "12.5" {
		t.Errorf("what stood: %s", e.text)
	}
}

func TestACorrectionAndAReversalRestateAWholeEvent(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	h.record("graz-mes", "1")
	good := func() string { return h.get("viewer", "/v1/reports/production").at("totals/0/good") }
	if r := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "2", "12.5", "10", `"time"`, `"corrects":"1","time"`)); r.at("outcome") != "recorded" {
		t.Fatal(r.text)
	}
	if good() != "10" {
		t.Errorf("after the correction %s are good", good())
	}
	if r := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "3", `"time"`, `"reverses":"2","time"`)); r.at("outcome") != "recorded" {
		t.Fatal(r.text)
	}
	if g := good(); g != "" && g != "0" {
		t.Errorf("after the reversal %s are good", g)
	}
}

func TestABatchAnswersEveryEventInItsOrder(t *testing.T) {
	h := newHub(t, Config{})
	batch := func(events ...string) reply {
		return h.post("graz-mes", "/v1/events", batchType, "["+strings.Join(events, ",")+"]")
	}
	one, other := produced("graz-mes", "1"), produced("graz-mes", "2")
	if r := batch(one, other); r.status != 200 || r.at("answers/0/id") != "1" || r.at("answers/1/id") != "2" || r.at("summary/recorded") != "2" {
		t.Errorf("two events: %d %s", r.status, r.text)
	}
	if r := batch(one, produced("graz-mes", "3", "KGM", "kilo")); r.status != 202 || r.at("answers/0/outcome") != "duplicate" || r.at("answers/1/exception/reason") != "unit_unknown" {
		t.Errorf("a known and a bad one: %d %s", r.status, r.text)
	}
	r := batch(produced("linz-mes", "4"), produced("graz-mes", "5"))
	if r.status != 207 || r.at("answers/0/refused/reason") != "foreign_source" || r.at("answers/0/refused/status") != "403" || r.at("answers/1/outcome") != "recorded" {
		t.Errorf("one of another system: %d %s", r.status, r.text)
	}
	if r := batch(); r.status != 200 || r.at("summary/messages") != "0" {
		t.Errorf("an empty batch: %d %s", r.status, r.text)
	}
}

const sheet = "day;shift;machine;order;material;good;unit\n2026-03-02;1;IMM-01;1000123;4711;10400;pcs\n2026-03-02;2;IMM-01;1000123;4711;1200;pcs\n"

func TestARowIsTheSameMessageByFileAndByHTTPInEveryFormat(t *testing.T) {
	h := newHub(t, Config{})
	const path = "/v1/messages/graz-mes/shift-report"
	r := h.do(h.request("graz-mes", http.MethodPost, path, map[string]string{"Content-Type": "text/csv", fileHeader: `C:\drop\märz report.csv`}, sheet))
	if r.status != 200 || r.at("summary/recorded") != "2" || r.at("answers/0/record") != "2" {
		t.Fatalf("the file: %d %s", r.status, r.text)
	}
	m := h.get("graz-mes", "/v1/messages/"+r.at("answers/0/message"))
	if !strings.HasPrefix(m.at("channel"), "file:") || !strings.Contains(m.at("channel"), "report.csv") || strings.Contains(m.at("channel"), "drop") {
		t.Errorf("channel %q", m.at("channel"))
	}
	row := `{"day":"2026-03-02","shift":"1","machine":"IMM-01","order":"1000123","material":"4711","good":"10400","unit":"pcs"}`
	for contentType, body := range map[string]string{
		jsonType: row, linesType: row + "\n", "text/csv": sheet, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": workbook(t, sheet),
		"application/xml": `<report><row><day>2026-03-02</day><shift>1</shift><machine>IMM-01</machine><order>1000123</order><material>4711</material><good>10400</good><unit>pcs</unit></row></report>`,
	} {
		r := h.post("graz-mes", path, contentType, body)
		if r.status != 200 || r.at("answers/0/outcome") != "duplicate" {
			t.Errorf("%s: %d %s", contentType, r.status, r.text)
		}
	}
	r = h.post("graz-mes", path, jsonType, strings.Replace(row, "10400", "10300", 1))
	if r.at("answers/0/outcome") != "corrected" {
		t.Errorf("with another count: %d %s", r.status, r.text)
	}
}

// workbook is a table as XLSX.
func workbook(t *testing.T, table string) string {
	t.Helper()
	f := excelize.NewFile()
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		for j, cell := range strings.Split(line, ";") {
			name, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetCellStr("Sheet1", name, cell); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBadNativeInputIsAnsweredToo(t *testing.T) {
	h := newHub(t, Config{})
	const path = "/v1/messages/graz-mes/shift-report"
	for name, test := range map[string]struct {
		path, contentType, body string
		status                  int
		reason                  string
	}{
		"an unknown system":        {"/v1/messages/mars-mes/shift-report", "text/csv", sheet, 404, "system_unknown"},
		"an unknown message":       {"/v1/messages/graz-mes/letter", "text/csv", sheet, 404, "message_unknown"},
		"a system of another key":  {"/v1/messages/linz-mes/shift-report", "text/csv", sheet, 404, "message_unknown"},
		"a format nobody declared": {path, "application/pdf", "%PDF", 415, "content_type_unsupported"},
		"a missing column":         {path, "text/csv", strings.ReplaceAll(sheet, "machine", "mach"), 400, "not_readable"},
		"entities in XML":          {path, "application/xml", `<!DOCTYPE r [<!ENTITY a "b">]><report><row><day>&a;</day></row></report>`, 400, "not_readable"},
		"no workbook":              {path, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK", 400, "not_readable"},
		"a record without its key": {path, jsonType, `{"day":"2026-03-02"}`, 422, "id_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.post("graz-mes", test.path, test.contentType, test.body)
			if r.status != test.status || r.at("reason") != test.reason || r.at("remedy") == "" {
				t.Errorf("got %d %s, want %d %s\n%s", r.status, r.at("reason"), test.status, test.reason, r.text)
			}
		})
	}
	r := h.post("graz-mes", path, "text/csv", "\xef\xbb\xbf"+strings.Replace(sheet, ";4711;", ";9999;", 1))
	if r.status != 202 || r.at("answers/0/exception/reason") != "identifier_unknown" || r.at("answers/1/outcome") != "recorded" || r.at("summary/reasons/identifier_unknown") != "1" {
		t.Errorf("a row with an unknown material: %d %s", r.status, r.text)
	}
	header, rows, _ := strings.Cut(sheet, "\n")
	long := strings.Replace(rows, ";pcs", ";"+strings.Repeat("x", 70_000), 1)
	r = h.post("graz-mes", path, "text/csv", header+"\n"+long)
	if r.status != 207 || r.at("answers/0/refused/reason") != "limit_exceeded" || r.at("answers/1/outcome") == "" {
		t.Errorf("a row with a text that is too long, and the rows behind it: %d %s", r.status, r.text)
	}
}

func TestAStreamOfAnswersIsOneLineForEachRecordAndASummary(t *testing.T) {
	h := newHub(t, Config{})
	var file strings.Builder
	file.WriteString("day;shift;machine;order;material;good;unit\n")
	for i := range 600 {
		fmt.Fprintf(&file, "2026-03-02;1;IMM-%d;1000123;4711;%d;pcs\n", i, i+1)
	}
	r := h.do(h.request("graz-mes", http.MethodPost, "/v1/messages/graz-mes/shift-report", map[string]string{"Content-Type": "text/csv", "Accept": linesType}, file.String()))
	lines := strings.Split(strings.TrimSpace(r.text), "\n")
	if r.status != 200 || r.header.Get("Content-Type") != linesType || len(lines) != 601 {
		t.Fatalf("%d %s, %d lines", r.status, r.header.Get("Content-Type"), len(lines))
	}
	for i, line := range lines[:600] {
		var a Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil || a.Outcome != "recorded" || a.Record != i+2 {
			t.Fatalf("line %d: %v %s", i, err, line)
		}
	}
	var last struct{ Summary Summary }
	if err := json.Unmarshal([]byte(lines[600]), &last); err != nil || last.Summary.Recorded != 600 {
		t.Errorf("%v %s", err, lines[600])
	}
	r = h.do(h.request("graz-mes", http.MethodPost, "/v1/messages/graz-mes/shift-report", map[string]string{"Content-Type": "text/csv"}, strings.Repeat(file.String(), 1)+more(1200)))
	if r.at("summary/messages") != "1800" || r.at("summary/left_out") != "800" || len(r.json["answers"].([]any)) != 1000 {
		t.Errorf("a long file: %.200s", r.at("summary"))
	}
}

// more are further rows, all of them good.
func more(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "2026-03-02;2;IMM-%d;1000123;4711;%d;pcs\n", i, i+1)
	}
	return b.String()
}

func TestWhatIsTriedIsNotKept(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	r := h.post("graz-mes", "/v1/validate", structuredType, produced("graz-mes", "1"))
	if r.status != 200 || r.at("valid") != "true" || r.at("trials/0/events/0/type") != "production.completed" || r.at("trials/0/facts/0/0/base/value") != "12.5" {
		t.Errorf("an event: %d %s", r.status, r.text)
	}
	r = h.post("graz-mes", "/v1/validate?system=graz-mes&message=shift-report", "text/csv", strings.Replace(sheet, "4711", "9999", 1))
	if r.status != 200 || r.at("valid") != "false" || r.at("trials/0/exception/reason") != "identifier_unknown" || r.at("trials/0/waits/0") == "" || r.at("trials/1/events/0/data/outputs/0/material") != "material/M-100" {
		t.Errorf("two rows: %d %s", r.status, r.text)
	}
	if r := h.post("graz-mes", "/v1/validate", structuredType, produced("linz-mes", "1")); r.status != 200 || r.at("trials/0/refused/reason") != "foreign_source" {
		t.Errorf("another system's: %d %s", r.status, r.text)
	}
	if r := h.post("graz-mes", "/v1/validate?system=graz-mes", "text/csv", sheet); r.status != 400 || r.at("field") != "message" {
		t.Errorf("without a message: %d %s", r.status, r.text)
	}
	if n := h.get("viewer", "/v1/account").at("messages"); n != "0" {
		t.Errorf("%s messages are kept", n)
	}
}

// A name as long as headers may be must cost no more than its length.
func TestALongNameOfAFileIsCutInNoTime(t *testing.T) {
	began := time.Now()
	got := channel(strings.Repeat("ä", 30_000) + ".csv")
	if want := "file:" + strings.Repeat("ä", 98) + ".csv"; got != want {
		t.Errorf("%q", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
