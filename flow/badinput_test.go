package flow_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// badInput is one delivery of something that is not in order, and its answer.
type badInput struct {
	name  string
	body  string // of the delivery; events of graz-mes where media is ""
	media string // media type of a shift report; or "weighing" and its media type
	// want are the outcomes of all messages, as outcome gives them. One that begins
	// with "error" ends the delivery as a whole.
	want  []string
	field string // of the first fault
	says  string // a part of its text
}

// eventWith is a good event of production as JSON, with texts in it exchanged. A
// new id keeps the cases apart.
func eventWith(id string, pairs ...string) string {
	good := `{"specversion":"1.0","id":"` + id + `","source":"graz-mes","type":"production.completed","time":"2026-03-02T08:00:00+01:00",` +
		`"data":{"order":"order/1","outputs":[{"role":"main","material":"material/M-100","quantity":{"value":"12.5","unit":"KGM"}}]}}`
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(good, pairs[i]) {
			panic("the event has no " + pairs[i])
		}
		good = strings.ReplaceAll(good, pairs[i], pairs[i+1])
	}
	return good
}

func badEvents() []badInput {
	const amount, order = `"12.5"`, `"order/1"`
	held := func(reason string) []string { return []string{"held " + reason} }
	all := []badInput{
		{name: "not JSON", body: "this is no JSON", want: []string{"refused not_readable"}},
		{name: "nothing at all", body: "", want: []string{"refused not_readable"}},
		{name: "a number instead of an event", body: "42", want: []string{"refused not_readable"}},
		{name: "latin letters of another character set", body: eventWith("b1", "order/1", "order/M\xfcller"), want: []string{"refused not_readable"}},
		{name: "half of an event", body: eventWith("b2")[:120], want: []string{"refused not_readable"}},
		{name: "an event and a half", body: "[" + eventWith("b3") + "," + eventWith("b4")[:80], want: []string{"refused not_readable"}},
		{name: "the same name twice in an object", body: eventWith("b5", `"role":"main"`, `"role":"main","role":"by"`), want: []string{"refused not_readable"}},
		{name: "10,000 levels deep", body: eventWith("b6", amount, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)), want: []string{"refused limit_exceeded"}},
		{name: "NaN", body: eventWith("b7", amount, "NaN"), want: []string{"refused not_readable"}},
		{name: "no id", body: eventWith("b8", `"id":"b8",`, ""), want: []string{"refused id_missing"}, field: "id"},
		{name: "an id that is a number", body: eventWith("b9", `"id":"b9"`, `"id":9`), want: []string{"refused id_missing"}, field: "id"},
		{name: "an id of 10,000 characters", body: eventWith(strings.Repeat("i", 10_000)), want: []string{"refused id_missing"}, field: "id"},
		{name: "an id with a control character", body: eventWith(`b\u0007`), want: []string{"refused id_missing"}, field: "id"},
		{name: "no source", body: eventWith("b10", `"source":"graz-mes",`, ""), want: []string{"refused id_missing"}, field: "source"},
		{name: "text with NUL", body: eventWith("b11", "order/1", `order/\u0000`), want: held("ref_invalid"), field: "order"},

		{name: "an unknown type", body: eventWith("h1", "production.completed", "production.imagined"), want: held("event_type_unknown"), field: "type"},
		{name: "an unknown version", body: eventWith("h2", `"data"`, `"dataschema":"urn:gapless:contract:production.completed:9","data"`), want: held("event_type_unknown"), field: "type"},
		{name: "a version that is none", body: eventWith("h3", `"data"`, `"dataschema":"https://example.org/schema","data"`), want: held("event_type_unknown"), field: "dataschema"},
		{name: "another version of CloudEvents", body: eventWith("h4", `"1.0"`, `"0.3"`), want: held("attribute_invalid"), field: "specversion"},
		{name: "no type", body: eventWith("h5", `"type":"production.completed",`, ""), want: held("attribute_invalid"), field: "type"},
		{name: "no time", body: eventWith("h6", `"time":"2026-03-02T08:00:00+01:00",`, ""), want: held("attribute_invalid"), field: "time"},
		{name: "no data", body: `{"specversion":"1.0","id":"h7","source":"graz-mes","type":"production.completed","time":"2026-03-02T08:00:00Z"}`, want: held("attribute_invalid"), field: "data"},
		{name: "an attribute of a form that CloudEvents does not know", body: eventWith("h8", `"data"`, `"My-Extension":"x","data"`), want: held("attribute_invalid"), field: "My-Extension"},
		{name: "an attribute with structure", body: eventWith("h9", `"data"`, `"partition":{"a":1},"data"`), want: held("attribute_invalid"), field: "partition"},
		{name: "a time without zone", body: eventWith("h10", "08:00:00+01:00", "08:00:00"), want: held("time_invalid"), field: "time"},
		{name: "an end before its begin", body: eventWith("h11", `"data"`, `"occurredto":"2026-03-01T08:00:00Z","data"`), want: held("time_invalid"), field: "time"},
		{name: "both correction and reversal", body: eventWith("h12", `"data"`, `"corrects":"a","reverses":"b","data"`), want: held("attribute_invalid"), field: "corrects"},
		{name: "an unknown field in the data", body: eventWith("h13", order, order+`,"colour":"blue"`), want: held("contract_broken"), field: "colour"},
		{name: "a missing field in the data", body: eventWith("h14", `"order":"order/1",`, ""), want: held("contract_broken"), field: "order"},

		{name: "a quantity as a float of 17 digits", body: eventWith("q1", amount, "12.300000000000001"), want: held("quantity_inexact"), field: "outputs/0/quantity/value"},
		{name: "a quantity of 1e400", body: eventWith("q2", amount, "1e400"), want: held("quantity_invalid"), field: "outputs/0/quantity/value"},
		{name: "a text of 1e400", body: eventWith("q3", amount, `"1e400"`), want: held("quantity_invalid"), field: "outputs/0/quantity/value"},
		{name: "a negative quantity", body: eventWith("q4", amount, `"-12.5"`), want: held("quantity_negative"), field: "outputs/0/quantity/value"},
		{name: "NaN as text", body: eventWith("q5", amount, `"NaN"`), want: held("quantity_invalid"), field: "outputs/0/quantity/value"},
		{name: "a decimal comma", body: eventWith("q6", amount, `"12,5"`), want: held("quantity_invalid"), field: "outputs/0/quantity/value"},
		{name: "a number of 10,000 digits", body: eventWith("q7", amount, `"`+strings.Repeat("9", 10_000)+`"`), want: held("quantity_invalid"), field: "outputs/0/quantity/value"},
		{name: "a unit that is none", body: eventWith("q8", "KGM", "PCS"), want: held("unit_unknown"), field: "outputs/0/quantity/unit"},
		{name: "a unit that was deleted", body: eventWith("q9", "KGM", "BX"), want: held("unit_deleted"), field: "outputs/0/quantity/unit"},

		{name: "a reference with a blank", body: eventWith("r1", "order/1", "order/1 2"), want: held("ref_invalid"), field: "order"},
		{name: "a reference with a slash too many", body: eventWith("r2", "order/1", "order/1/2"), want: held("ref_invalid"), field: "order"},
		{name: "a reference with an encoded control character", body: eventWith("r3", "order/1", "order/%07"), want: held("ref_invalid"), field: "order"},
		{name: "a reference with a control character", body: eventWith("r4", "order/1", `order/\u0007`), want: held("ref_invalid"), field: "order"},
		{name: "a reference with an encoded NUL", body: eventWith("r5", "order/1", "order/%00"), want: held("ref_invalid"), field: "order"},
		{name: "a reference of 10,000 characters", body: eventWith("r6", "order/1", "order/"+strings.Repeat("x", 10_000)), want: held("ref_invalid"), field: "order"},
		{name: "a reference of a kind that nobody knows", body: eventWith("r7", "order/1", "moon/1"), want: held("ref_kind_unknown"), field: "order"},
		{name: "a reference without anything behind its kind", body: eventWith("r8", "order/1", "order/"), want: held("ref_invalid"), field: "order"},

		{
			name: "a bad one between two good ones", body: "[" + eventWith("g1") + "," + eventWith("g2", amount, `"x"`) + "," + eventWith("g3") + "]",
			want: []string{"recorded", "held quantity_invalid", "recorded"}, field: "outputs/0/quantity/value",
		},
		{
			name: "one without id between two good ones", body: "[" + eventWith("g4") + "," + eventWith("g5", `"id":"g5",`, "") + "," + eventWith("g6") + "]",
			want: []string{"recorded", "refused id_missing", "recorded"}, field: "id",
		},
	}
	other := `{"specversion":"1.0","id":"q10","source":"erp","type":"material.changed","plant":"graz","time":"2026-03-02T08:00:00Z","data":{"material":"material/M-1","net_weight":{"value":"2","unit":"H87"}}}`
	return append(all, badInput{name: "a unit of another dimension", body: other, want: held("unit_dimension"), field: "net_weight/unit"})
}

const (
	csvType  = "text/csv"
	jsonType = "application/json"
	xmlType  = "application/xml"
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

	header  = "day,shift,machine,order,item,total,good\n"
	goodRow = "2026-03-02,1,M1,%s,FREE,10,10\n"
)

func csvRow(order string) string { return fmt.Sprintf(goodRow, order) }

func badMessages(t *testing.T) []badInput {
	cell := `{"day":"2026-03-02","shift":"1","machine":"M1","order":"%s","item":"FREE","total":%s,"good":"10"}`
	return []badInput{
		{name: "a table without a column", media: csvType, body: "day,shift,machine,order,item,total\n2026-03-02,1,M1,c1,FREE,10\n", want: []string{"refused not_readable"}, says: "good"},
		{name: "a table with a column twice", media: csvType, body: "day,day,shift,machine,order,item,total,good\n", want: []string{"refused not_readable"}, says: "day"},
		{name: "a table in a character set that was not agreed", media: csvType, body: header + "2026-03-02,1,M\xfc,c2,FREE,10,10\n", want: []string{"refused not_readable"}},
		{name: "a quote that never ends", media: csvType, body: header + csvRow("c3") + `2026-03-02,1,"M1,c4,FREE,10,10`, want: []string{"recorded", "refused not_readable"}},
		{name: "a row that is too long", media: csvType, body: header + "2026-03-02,1,M1,c5,FREE,10,10,and,more\n" + csvRow("c6"), want: []string{"refused not_readable", "recorded"}},
		{name: "a number that is none", media: csvType, body: header + "2026-03-02,1,M1,c7,FREE,many,10\n", want: []string{"refused not_readable"}, field: "total"},
		{name: "a row without its identity", media: csvType, body: header + "2026-03-02,1,M1,,FREE,10,10\n" + csvRow("c8"), want: []string{"refused id_missing", "recorded"}, field: "order"},
		{name: "a row without an item", media: csvType, body: header + "2026-03-02,1,M1,c9,,10,10\n", want: []string{"held field_missing"}, field: "item"},
		{name: "a shift that the plant does not have", media: csvType, body: header + "2026-03-02,9,M1,c10,FREE,10,10\n", want: []string{"held mapping_failed"}},
		{name: "a code that nobody knows", media: csvType, body: "day,shift,machine,order,item,total,good,reason,bad\n2026-03-02,1,M1,c11,FREE,10,8,??,2\n", want: []string{"held code_unknown"}},
		{name: "a byte order mark", media: csvType, body: "\ufeff" + header + csvRow("c12"), want: []string{"recorded"}},
		{name: "semicolons and decimal commas", media: csvType, body: "day;shift;machine;order;item;total;good\n2026-03-02;1;M1;c13;FREE;10,5;10,5\n", want: []string{"recorded"}},
		{name: "quotes and newlines in a field", media: csvType, body: "day,shift,machine,order,item,total,good,note\n2026-03-02,1,M1,c14,FREE,10,10,\"said \"\"no\"\",\nthen yes\"\n", want: []string{"recorded"}},
		{name: "a table with NUL", media: csvType, body: header + "2026-03-02,1,M\x00,c15,FREE,10,10\n", want: []string{"refused not_readable"}},
		{name: "identifiers with blanks and slashes", media: csvType, body: header + "2026-03-02,1,M 1/2,c16 a/b,FREE,10,10\n", want: []string{"recorded"}},
		{name: "an identifier with a tabulator in it", media: csvType, body: header + "2026-03-02,1,M\t1,c17,FREE,10,10\n", want: []string{"held ref_invalid"}},
		{name: "an identifier of 10,000 characters", media: csvType, body: header + "2026-03-02,1," + strings.Repeat("M", 10_000) + ",c18,FREE,10,10\n", want: []string{"refused id_missing"}},
		{name: "an item of 10,000 characters", media: csvType, body: header + "2026-03-02,1,M1,c19," + strings.Repeat("I", 10_000) + ",10,10\n", want: []string{"held ref_invalid"}},

		{name: "a row as JSON with a float of 17 digits", media: jsonType, body: fmt.Sprintf(cell, "j1", "12.300000000000001"), want: []string{"recorded"}},
		{name: "a row as JSON with 1e400", media: jsonType, body: fmt.Sprintf(cell, "j2", "1e400"), want: []string{"refused not_readable"}, field: "total"},
		{name: "a row as JSON with a negative count", media: jsonType, body: fmt.Sprintf(cell, "j3", "-5"), want: []string{"held quantity_negative"}},
		{name: "a row as JSON in which the order is a list", media: jsonType, body: `{"day":"2026-03-02","shift":"1","machine":"M1","order":["x"],"item":"FREE","total":"1","good":"1"}`, want: []string{"refused id_missing"}, field: "order"},
		{name: "a content type that was not agreed", media: "application/pdf", body: "%PDF", want: []string{"error content_type_unsupported"}},

		{name: "XML with an entity", media: xmlType, body: `<!DOCTYPE report [<!ENTITY x "1">]><report><row><day>&x;</day></row></report>`, want: []string{"refused not_readable"}},
		{name: "XML with an entity from a file", media: xmlType, body: `<!DOCTYPE report [<!ENTITY x SYSTEM "file:///etc/passwd">]><report><row><day>&x;</day></row></report>`, want: []string{"refused not_readable"}},
		{name: "XML that is cut off", media: xmlType, body: `<report><row><day>2026-03-02</day>`, want: []string{"refused not_readable"}},
		{name: "XML 10,000 levels deep", media: xmlType, body: `<report>` + strings.Repeat("<row>", 10_000), want: []string{"refused limit_exceeded"}},

		{name: "a weighing of an item of 10,000 characters", media: "weighing", body: `{"number":"1","at":"2026-03-02T08:00:00Z","order":"1","item":"` + strings.Repeat("I", 10_000) + `","amount":"1","unit":"kg"}`, want: []string{"held ref_invalid"}, field: "inputs/0/material"},
		{name: "a weighing of an item with an escape sequence", media: "weighing", body: `{"number":"2","at":"2026-03-02T08:00:00Z","order":"1","item":"A\u001b[0m","amount":"1","unit":"kg"}`, want: []string{"held ref_invalid"}, field: "inputs/0/material"},
		{name: "a weighing in a unit that nobody knows", media: "weighing", body: `{"number":"3","at":"2026-03-02T08:00:00Z","order":"1","item":"FREE","amount":"1","unit":"Handvoll"}`, want: []string{"held code_unknown"}},
		{name: "a weighing with a float of 17 digits", media: "weighing", body: `{"number":"4","at":"2026-03-02T08:00:00Z","order":"1","item":"FREE","amount":12.300000000000001,"unit":"kg"}`, want: []string{"held quantity_inexact"}},
		{name: "a weighing of 1e400", media: "weighing", body: `{"number":"5","at":"2026-03-02T08:00:00Z","order":"1","item":"FREE","amount":1e400,"unit":"kg"}`, want: []string{"held quantity_invalid"}},
		{name: "a weighing without a time", media: "weighing", body: `{"number":"6","order":"1","item":"FREE","amount":"1","unit":"kg"}`, want: []string{"held field_missing"}},
		{name: "a weighing at a plant that nobody knows", media: "weighing", body: `{"number":"7","plant":"mars","at":"2026-03-02T08:00:00Z","order":"1","item":"FREE","amount":"1","unit":"kg"}`, want: []string{"held plant_unknown"}},
		{name: "a weighing as CSV, which was not agreed", media: "weighing text/csv", body: "number\n1\n", want: []string{"error content_type_unsupported"}},
		{name: "a workbook that is none", media: xlsxType, body: "PK\x03\x04 not really", want: []string{"refused not_readable"}},
		{name: "a workbook with a formula and a date", media: xlsxType, body: workbook(t, `<c r="A2"><v>46083</v></c>`, `<c r="F2"><f>4+6</f><v>10</v></c>`), want: []string{"recorded"}},
		{name: "a workbook with a formula that failed", media: xlsxType, body: workbook(t, `<c r="A2"><v>46083</v></c>`, `<c r="F2" t="e"><f>1/0</f><v>#DIV/0!</v></c>`), want: []string{"refused not_readable"}, field: "total"},
		{name: "a workbook with a formula that was never worked out", media: xlsxType, body: workbook(t, `<c r="A2"><v>46083</v></c>`, `<c r="F2"><f>4+6</f></c>`), want: []string{"refused not_readable"}, field: "total"},
		{name: "a workbook with a date that is none", media: xlsxType, body: workbook(t, `<c r="A2"><v>-7</v></c>`, `<c r="F2"><v>10</v></c>`), want: []string{"refused not_readable"}, field: "day"},
	}
}

// workbook is an XLSX file of one shift report: the cell of the day and that of
// the total are given as they stand in it.
func workbook(t *testing.T, day, total string) string {
	t.Helper()
	const main, rel = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`, `http://schemas.openxmlformats.org/officeDocument/2006/relationships`
	text := func(place, s string) string {
		return `<c r="` + place + `" t="inlineStr"><is><t>` + s + `</t></is></c>`
	}
	var head strings.Builder
	for i, name := range []string{"day", "shift", "machine", "order", "item", "total", "good"} {
		head.WriteString(text(string(rune('A'+i))+"1", name))
	}
	parts := map[string]string{
		"_rels/.rels":     `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="` + rel + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml": `<workbook ` + main + ` xmlns:r="` + rel + `"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="r1" Type="` + rel + `/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml": `<worksheet ` + main + `><sheetData><row r="1">` + head.String() + `</row><row r="2">` +
			day + text("B2", "1") + text("C2", "M1") + text("D2", "x"+fmt.Sprint(len(total)+len(day))) + text("E2", "FREE") + total + `<c r="G2"><v>10</v></c></row></sheetData></worksheet>`,
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part, err := w.Create(name)
		if err == nil {
			_, err = part.Write([]byte(parts[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBadInputIsAnsweredAndNothingPartialOfItIsOnRecord(t *testing.T) {
	badInputs(t, newHub(t))
}

func TestBadInputIsAnsweredAlikeOnPostgreSQL(t *testing.T) {
	t.Parallel()
	badInputs(t, hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: testpostgres.Database(t)}}))
}

func badInputs(t *testing.T, h *hub) {
	h.says(material("m1", "FREE", "material/M-9", ""))
	for _, x := range append(badEvents(), badMessages(t)...) {
		t.Run(x.name, func(t *testing.T) {
			h.t = t
			d := native("shift-report", x.media, x.body)
			if media, ok := strings.CutPrefix(x.media, "weighing"); ok {
				d = native("weighing", strings.TrimSpace(media), x.body)
			}
			if x.media == "" {
				d = flow.Delivery{From: key("graz-mes"), Message: event.CloudEventMessage, Channel: "http", Body: []byte(x.body)}
				if strings.Contains(x.body, `"source":"erp"`) {
					d.From = key("erp")
				}
			}
			h.answersBadInput(d, x)
		})
	}
	h.t = t
	h.verified()
}

// answersBadInput delivers twice: the second time changes nothing.
func (h *hub) answersBadInput(d flow.Delivery, x badInput) {
	h.t.Helper()
	before := h.count()
	answers, err := h.take(d)
	got, first := outcomes(answers, err)
	if !slices.Equal(got, x.want) {
		h.t.Fatalf("%q, want %q\n%s", got, x.want, first.text)
	}
	if x.field != "" && first.field != x.field {
		h.t.Errorf("field %q, want %q", first.field, x.field)
	}
	if !strings.Contains(first.text, x.says) {
		h.t.Errorf("%q does not say %q", first.text, x.says)
	}
	if len(first.text) > 2_000 {
		h.t.Errorf("the answer has %d bytes", len(first.text))
	}
	after, want := h.count(), before
	for i, a := range answers {
		switch {
		case a.Refused != nil:
		case a.Outcome == ledger.Held:
			want.Messages, want.Held = want.Messages+1, want.Held+1
		default:
			want.Messages, want.Events = want.Messages+1, want.Events+int64(len(answers[i].Events))
		}
	}
	if after != want {
		h.t.Errorf("on record are %+v, want %+v", after, want)
	}
	if _, again := h.take(d); fmt.Sprint(again) != fmt.Sprint(err) || h.count() != after {
		h.t.Errorf("delivered again: %+v, before %+v (%v)", h.count(), after, err)
	}
}

// told is what the first fault of a delivery says.
type told struct{ field, text string }

func outcomes(answers []flow.Answer, err error) (all []string, first told) {
	for _, a := range answers {
		all = append(all, outcome(a))
		if f := faultOf(a); f != nil && first.text == "" {
			first = told{f.Field, f.Text()}
		}
	}
	if f := fault.Of(err); f != nil {
		all, first = append(all, "error "+f.Reason.Code), told{f.Field, f.Text()}
	}
	return all, first
}

func TestAFileThatIsTooLargeIsRefusedAsAWhole(t *testing.T) {
	h := newHub(t)
	d := native("shift-report", csvType, header+strings.Repeat(csvRow("1"), 1000))
	d.Limits = format.Limits{Bytes: 10_000}
	got, _ := outcomes(h.take(d))
	if !slices.Equal(got, []string{"refused limit_exceeded"}) {
		t.Error(got)
	}
	d.Limits = format.Limits{Records: 2}
	got, _ = outcomes(h.take(d))
	if len(got) == 0 || got[len(got)-1] != "refused limit_exceeded" {
		t.Error(got)
	}
	h.verified()
}

func TestOfAHeldMessageWithManyFaultsAllAreNamed(t *testing.T) {
	h := newHub(t)
	a := h.one(flow.Delivery{From: key("graz-mes"), Message: event.CloudEventMessage, Body: []byte(eventWith("m", `"order/1"`, `"order/ "`, "KGM", "XYZ!"))})
	h.becomes(a, "held "+a.Fault.Reason.Code)
	for _, field := range []string{"order", "outputs/0/quantity/unit"} {
		if !strings.Contains(a.Fault.Field+" "+a.Fault.Text(), field) {
			t.Errorf("nothing is said of %s: %s", field, a.Fault.Text())
		}
	}
}
