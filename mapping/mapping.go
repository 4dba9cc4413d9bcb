// Package mapping turns one record that a system sent into events of the
// catalog. A mapping is written in Bloblang, restricted so that the same record
// always gives the same events: no clock, chance, environment, file or network,
// no import, no recursion, no binary floating point. Reference data is handed in.
//
// # What an expression sees
//
//	this.<field>     the record as it came
//	this.lookups     reference data by the name of its lookup, absent where there is none
//	this.each        the item of an output with `each`: the element of a list,
//	                 or {key, value} of an object, in the order of its keys
//
// # What an expression may call
//
// The functions and methods of Bloblang that language.go lists, and ours:
//
//	ref(kind, segment...)          "lot/M-100/4711"
//	local(kind, id)                {"$local": {"kind": ..., "id": ...}}, see LocalRef
//	quantity(value, unit[, digits]) {"value": "12.5", "unit": "KGM"}, rounded half-even where digits is given
//	unit(local)                    the code of the list "unit" for what the system calls it
//	code(list, local)              the code of a list for what the system calls it
//	day_of(text)                   "2018-11-01" of a day or time
//	time_of(text, layout)          RFC 3339 of a local time of the plant: time_of(this.at, "DD.MM.YYYY hh:mm")
//	shift_from(day, shift), shift_to(day, shift)   RFC 3339, by the plant's calendar
//
// Methods on a number, a decimal text or a quantity's value; the result is a
// decimal text, so that no digit passes through a binary float:
//
//	.decimal() .plus(x) .minus(x) .times(x) .divided_by(x, digits) .round_to(digits)
//	.is_equal(x) .is_less(x) .is_more(x)   true or false
//	.integer()                     a JSON number, an error for a fraction
//
// And on lists and objects:
//
//	.sum()                         exact, of a list of numbers
//	.values() .key_values()        in the order of the keys
//
// A command goes the other way, see CommandDefinition: its request may call ref,
// quantity, day_of, and
//
//	external(ref)                  a marker for what the system calls the object, see ResolveExternal
//	external_unit(code)            what the system calls a unit
//	external_code(list, code)      what the system calls a code of a list
//
// Rules for the answers, see AnswerRule, call no function of ours.
//
// Operators that would compute or compare amounts as binary floats or as letters
// are refused when the mapping is compiled; see lint.go.
package mapping

import (
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/format"
)

// A Mapping is a compiled Definition. It is immutable and safe for concurrent use.
type Mapping struct {
	def       Definition
	identity  []identityField
	volatile  [][]string
	plantFrom *expression // nil where the plant is a constant
	lookups   []*lookup
	outputs   []*output

	echoKey, echoDocument *expression // nil where the definition has none
}

// A Lookup is reference data that a record needs.
type Lookup struct {
	Name     string
	Ref      event.Ref
	Required bool      // the record waits until it is there
	At       time.Time // when it happened: the version valid then is meant; zero where that cannot be told without reference data
}

// An Output is one event that a mapping makes of a record, not yet identified.
type Output struct {
	Slot        string
	Type        string
	Version     int    // of the contract
	Identity    string // the business key; that of the message where the output names none
	Subject     string // text of a ref; "" where the contract takes it from Data
	Occurred    event.Span
	Correlation string
	Causation   string
	Sequence    string
	Data        map[string]any // JSON values; may hold markers, see LocalRef
}

// lookup is a compiled LookupDefinition.
type lookup struct {
	name      string
	required  bool
	reference *expression
	when      *expression // nil where it always applies
}

// output is a compiled OutputDefinition. Expressions are nil where the
// definition has none.
type output struct {
	def         OutputDefinition
	slot        slotTemplate
	when        *expression
	whenPerItem bool // when reads this.each
	each        *expression
	data        *expression
	identity    *expression
	subject     *expression
	from, to    *expression
	correlation *expression
	causation   *expression
	sequence    *expression
}

// System is the system whose message it is.
func (m *Mapping) System() string { return m.def.System }

// Message is the name of the message.
func (m *Mapping) Message() string { return m.def.Message }

// OnChange says what a message with the same identity and other content is.
func (m *Mapping) OnChange() OnChange { return m.def.OnChange }

// Types are the event types it can make, each once, in the order of the definition.
func (m *Mapping) Types() []string {
	var types []string
	seen := map[string]bool{}
	for _, o := range m.outputs {
		if !seen[o.def.Type] {
			seen[o.def.Type] = true
			types = append(types, o.def.Type)
		}
	}
	return types
}

// Format is how messages of a kind are read. ok is false where the definition
// declares no such kind; JSON is always accepted.
func (m *Mapping) Format(kind format.Kind) (spec format.Spec, ok bool) {
	if spec, ok = m.def.Formats[kind]; ok {
		spec.Kind = kind
		return spec, true
	}
	if own := m.def.Format.Kind; kind == own || kind == format.JSON && own == "" {
		return m.def.Format, true
	}
	return format.Spec{Kind: format.JSON}, kind == format.JSON || kind == ""
}

// Plant is the plant that the record speaks of: the constant of the definition,
// or what its expression gives.
func (m *Mapping) Plant(record map[string]any) (string, error) {
	if m.plantFrom == nil {
		return m.def.Plant, nil
	}
	sc, err := newScope("mapping.Plant", record, nil)
	if err != nil {
		return "", err
	}
	value, fail := m.plantFrom.textValue(sc, true)
	if fail != nil {
		return "", m.fault("mapping.Plant", "", sc, fail)
	}
	return value, nil
}

// Lookups are the reference data that the record needs, by name.
func (m *Mapping) Lookups(record map[string]any) ([]Lookup, error) {
	if len(m.lookups) == 0 {
		return nil, nil
	}
	const op = "mapping.Lookups"
	sc, err := newScope(op, record, nil)
	if err != nil {
		return nil, err
	}
	var needed []Lookup
	at := m.happened(sc)
	for _, l := range m.lookups {
		need, applies, fail := l.need(sc)
		if fail != nil {
			return nil, m.fault(op, "", sc, fail)
		}
		if applies {
			need.At = at
			needed = append(needed, need)
		}
	}
	return needed, nil
}

// happened is when the record says that it happened: the begin of the first
// output that tells it without reference data.
func (m *Mapping) happened(sc *scope) time.Time {
	for _, o := range m.outputs {
		if at, fail := o.from.moment(sc); fail == nil {
			return at
		}
	}
	return time.Time{}
}

// need is the lookup for a record, where it applies.
func (l *lookup) need(sc *scope) (need Lookup, applies bool, fail *failure) {
	if applies, fail = l.when.condition(sc); fail != nil || !applies {
		return Lookup{}, false, fail
	}
	text, fail := l.reference.textValue(sc, true)
	if fail != nil {
		return Lookup{}, false, fail
	}
	ref, err := event.ParseRef(text)
	if err != nil {
		return Lookup{}, false, &failure{l.reference, 0, &refInvalid{err}}
	}
	return Lookup{Name: l.name, Ref: ref, Required: l.required}, true, nil
}
