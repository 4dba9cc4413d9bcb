package format_test

import (
	"testing"

	"github.com/gapless/gapless/format"
)

func TestXMLBecomesRecords(t *testing.T) {
	doc, rows := format.Spec{Kind: format.XML}, format.Spec{Kind: format.XML, Records: "Report/Row"}
	testGood(t, []good{
		{"the root is one record", doc, `<?xml version="1.0"?><!-- from the line --><Report id=" 7 "><Lot>47 &amp; 11</Lot><Note/></Report>`, []format.Record{
			numbered(1, object{"@id": "7", "Lot": "47 & 11"}),
		}},
		{"text with attributes", doc, `<r><q unit="KGM"> 12.5 </q></r>`, []format.Record{numbered(1, object{"q": object{"@unit": "KGM", "#text": "12.5"}})}},
		{"elements that repeat are a list, with the empty ones", doc, `<r><lot>A</lot><x/><lot/><lot no="1"/></r>`, []format.Record{
			numbered(1, object{"lot": []any{"A", "", object{"@no": "1"}}}),
		}},
		{"elements that are always a list", format.Spec{Kind: format.XML, Lists: []string{"lot"}}, `<r><lot>A</lot></r>`, []format.Record{numbered(1, object{"lot": []any{"A"}})}},
		{"repeating elements, and nothing beside them", rows, `<Report><Head><Row>no</Row></Head><Row><a>1</a></Row>text<Row>2</Row><Row/></Report>`, []format.Record{
			numbered(1, object{"a": "1"}), numbered(2, object{"#text": "2"}), numbered(3, object{}),
		}},
		{"a longer path, more than once", format.Spec{Kind: format.XML, Records: "r/g/x"}, `<r><g><x a="1"/></g><g/><g><x a="2"/></g></r>`, []format.Record{
			numbered(1, object{"@a": "1"}), numbered(2, object{"@a": "2"}),
		}},
		{"a report without rows", rows, `<Report/>`, nil},
		{"names without their prefix", doc, `<n:r xmlns:n="urn:a" xmlns="urn:b" n:v="1"><n:lot>A</n:lot></n:r>`, []format.Record{numbered(1, object{"@v": "1", "lot": "A"})}},
		{"CDATA and comments within text", doc, `<r><t>a<!-- no -->b<![CDATA[<c>]]></t></r>`, []format.Record{numbered(1, object{"t": "ab<c>"})}},
		{"its own character set", doc, "<?xml version='1.0' encoding='Windows-1252'?><r><t>\x80</t></r>", []format.Record{numbered(1, object{"t": "€"})}},
		{"UTF-8 under the name of UTF-16", doc, `<?xml version="1.0" encoding="utf-16"?><r><t>€</t></r>`, []format.Record{numbered(1, object{"t": "€"})}},
		{"UTF-16 by its mark", doc, "\xff\xfe<\x00r\x00>\x00\xac\x20<\x00/\x00r\x00>\x00", []format.Record{numbered(1, object{"#text": "€"})}},
		{"the Spec before the document", format.Spec{Kind: format.XML, Charset: "windows-1252"}, "<?xml version='1.0' encoding='utf-8'?><r><t>\x80</t></r>", []format.Record{numbered(1, object{"t": "€"})}},
		{"numbers and dates", format.Spec{Kind: format.XML, Numbers: []string{"@n"}, Dates: []string{"d"}}, `<r n="010"><d>43405</d></r>`, []format.Record{numbered(1, object{"@n": "10", "d": "2018-11-01"})}},
	})
}

func TestXMLThatIsNotCertainIsRefused(t *testing.T) {
	doc, rows := format.Spec{Kind: format.XML}, format.Spec{Kind: format.XML, Records: "Report/Row"}
	const well = ": send well-formed XML 1.0"
	const doctype = ": a document type definition: send the document without <!DOCTYPE>: definitions are not read, since they can grow without bound"
	testBad(t, []bad{
		{name: "nothing", spec: doc, body: "", want: "line 1, byte 1: there is no element: send an XML document"},
		{name: "a comment alone", spec: doc, body: "<!-- -->", want: "line 1, byte 9: there is no element: send an XML document"},
		{name: "text alone", spec: doc, body: "hello", want: "line 1, byte 6: text outside of the root element: send an XML document"},
		{name: "text after the root", spec: doc, body: "<r/>\nhello", want: "line 2, byte 6: text outside of the root element: send an XML document"},
		{name: "two roots", spec: doc, body: "<r/><r/>", want: "line 1, byte 9: a second root element: send one document in each message"},
		{name: "cut off, of which no row is read", spec: rows, body: "<Report><Row/>\n<Row>", want: "line 2, byte 6: not XML: XML syntax error on line 2: unexpected EOF" + well},
		{name: "crossed elements", spec: doc, body: "<a><b></a></b>", want: "line 1, byte 11: not XML: XML syntax error on line 1: element <b> closed by </a>" + well},
		{name: "a document type", spec: doc, body: `<!DOCTYPE r SYSTEM "http://example.com/r.dtd"><r/>`, want: "line 1, byte 47" + doctype},
		{name: "entities that grow", spec: doc, body: `<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>`, want: "line 1, byte 54" + doctype},
		{name: "an entity of HTML", spec: doc, body: `<r>&nbsp;</r>`, want: "line 1, byte 10: not XML: XML syntax error on line 1: invalid character entity &nbsp;" + well},
		{name: "an attribute twice", spec: rows, body: `<Report><Row><q a="1" a="2"/></Row><Row/></Report>`, records: 1, want: `record 1, field "q/@a": the attribute stands twice in one element: send each attribute once; namespace prefixes do not tell them apart`},
		{name: "a control character of the upper range", spec: rows, body: "<Report><Row><q>1</q><q>\u0080</q></Row><Row/></Report>", records: 1, want: `record 1, field "q/1": control character U+0080 at byte 1 of the text: remove it where it was entered, or set charset to what the system writes`},
		{name: "a control character", spec: doc, body: "<r>&#0;</r>", want: "line 1, byte 8: not XML: XML syntax error on line 1: illegal character code U+0000" + well},
		{name: "another root", spec: rows, body: "<report><Row/></report>", want: `line 1, byte 9: the root element is "report", not "Report": correct the path in records`},
		{name: "an encoding that is not read", spec: doc, body: `<?xml version="1.0" encoding="iso-8859-15"?><r/>`, want: `the document declares encoding "iso-8859-15", which is not read: send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16`},
		{name: "not UTF-8", spec: doc, body: "<r>\n\xe4</r>", want: "line 2, byte 1: byte 0xE4 is not UTF-8: send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16"},
		{name: "an element where a number should be", spec: format.Spec{Kind: format.XML, Numbers: []string{"q"}}, body: "<r><q><x/></q></r>", want: `record 1, field "q": is neither a number nor a text: send the value itself, or take the field out of numbers and dates`},
		{name: "several numbers where one should be", spec: format.Spec{Kind: format.XML, Numbers: []string{"q"}}, body: "<r><q>1</q><q>2</q></r>", want: `record 1, field "q": is neither a number nor a text: send the value itself, or take the field out of numbers and dates`},
	})
}
