package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A field is what a contract's schema demands of a value beyond JSON Schema:
// that it is a ref of a kind, a quantity, a code of a list; and the fields below
// it. It is compiled from the schema once; one walk over the data checks and
// collects everything.
type field struct {
	kinds      []string // x-ref; nil where it is no ref
	quantity   *quantityRule
	code       *CodeList
	codeName   string
	record     bool // x-record: never edited in the hub
	properties []property
	items      *field
	additional *field // of members that are not declared

	title, description string // for people
	format             string
	values             []string // of enum or const, as they are shown
	types              []string // JSON types, "" entries never
	required           map[string]bool
	active             bool // something in or below it is checked by the walk
}

// A property is a declared member of an object.
type property struct {
	name  string
	field *field
}

func compareProperty(p property, name string) int { return strings.Compare(p.name, name) }

// A quantityRule is what x-quantity demands.
type quantityRule struct {
	dimension string // "" any
	sign      string // of quantitySigns
}

// fieldCompiler turns a schema into fields. Local definitions ($defs) become
// the same field wherever they are referred to.
type fieldCompiler struct {
	root   map[string]any
	shared map[string]*field
	codes  map[string]*CodeList
	report func(pointer, message, remedy string)
}

func (c *fieldCompiler) compile(schema any, pointer string) *field {
	object, ok := schema.(map[string]any)
	if !ok {
		return &field{}
	}
	if ref, ok := object["$ref"].(string); ok {
		f := *c.reference(ref, pointer)
		f.annotate(object) // what the dialect lets stand beside $ref
		return &f
	}
	f := &field{}
	c.fill(f, object, pointer)
	return f
}

// annotate takes over what a schema says for people, and x-record.
func (f *field) annotate(schema map[string]any) {
	for keyword, into := range map[string]*string{"title": &f.title, "description": &f.description} {
		if text, ok := schema[keyword].(string); ok {
			*into = text
		}
	}
	if record, ok := schema["x-record"].(bool); ok {
		f.record = record
	}
}

func (c *fieldCompiler) reference(ref, pointer string) *field {
	if f, ok := c.shared[ref]; ok {
		return f
	}
	f := &field{}
	c.shared[ref] = f
	name, _ := strings.CutPrefix(ref, "#/$defs/")
	defs, _ := c.root["$defs"].(map[string]any)
	target, ok := defs[name].(map[string]any)
	if !ok {
		c.report(pointer, fmt.Sprintf("reference %s leads nowhere", ref), "Declare it under $defs of the same schema.")
		return f
	}
	c.fill(f, target, "/$defs/"+name)
	return f
}

func (c *fieldCompiler) fill(f *field, schema map[string]any, pointer string) {
	f.annotate(schema)
	f.format, _ = schema["format"].(string)
	f.values = listOf(schema["enum"])
	if value, ok := schema["const"].(string); ok {
		f.values = []string{value}
	}
	f.types = listOf(schema["type"])
	f.kinds = listOf(schema["x-ref"])
	f.quantity = quantityRuleOf(schema["x-quantity"])
	c.dimension(f.quantity, pointer)
	f.required = map[string]bool{}
	for _, name := range listOf(schema["required"]) {
		f.required[name] = true
	}
	if name, ok := schema["x-code"].(string); ok {
		f.codeName = name
		if f.code = c.codes[name]; f.code == nil {
			c.report(pointer+"/x-code", fmt.Sprintf("code list %s is not in the catalog", name), "Declare it in codes/, or correct the name.")
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		f.properties = append(f.properties, property{name, c.compile(properties[name], pointer+"/properties/"+name)})
	}
	if items, ok := schema["items"].(map[string]any); ok {
		f.items = c.compile(items, pointer+"/items")
	}
	if additional, ok := schema["additionalProperties"].(map[string]any); ok {
		f.additional = c.compile(additional, pointer+"/additionalProperties")
	}
}

// activate marks every field that the walk must visit, the lower ones first.
// The dialect admits no schema that contains itself.
func activate(f *field) bool {
	if f == nil {
		return false
	}
	f.active = f.checked()
	for _, p := range f.properties {
		f.active = activate(p.field) || f.active
	}
	f.active = activate(f.items) || f.active
	f.active = activate(f.additional) || f.active
	return f.active
}

// checked says whether the walk checks the value of the field itself.
func (f *field) checked() bool { return f.kinds != nil || f.quantity != nil || f.code != nil }

// listOf is a text or a list of texts as a list.
func listOf(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}

func quantityRuleOf(value any) *quantityRule {
	rule := &quantityRule{sign: defaultSign}
	switch v := value.(type) {
	case bool:
		if v {
			return rule
		}
	case map[string]any:
		if dimension, ok := v["dimension"].(string); ok {
			rule.dimension = dimension
		}
		if sign, ok := v["sign"].(string); ok {
			rule.sign = sign
		}
		return rule
	}
	return nil
}

// walker checks and collects in one pass over the data of an event.
type walker struct {
	contract *Contract
	checked  Checked
	seen     map[event.Ref]bool
	faults   []*fault.Fault
	steps    []string // where the walk stands
}

func (w *walker) place() string { return strings.Join(w.steps, "/") }

func (w *walker) fault(reason *fault.Reason, below, detail string, args ...any) {
	place := w.place()
	if below != "" {
		place += "/" + below
	}
	w.faults = append(w.faults, fault.New(opValidate, reason, place, detail, args...))
}

func (w *walker) walk(value any, f *field) {
	if !f.active {
		return
	}
	if value == nil {
		if f.checked() && !slices.Contains(f.types, "null") {
			w.fault(fault.ContractBroken, "", "expected a value, got null: leave the field out where there is none")
		}
		return
	}
	if f.kinds != nil {
		w.ref(value, f)
	}
	if f.quantity != nil {
		w.quantity(value, f.quantity)
		return
	}
	if f.code != nil {
		w.code(value, f)
	}
	switch v := value.(type) {
	case map[string]any:
		w.object(v, f)
	case []any:
		if f.items == nil {
			return
		}
		for i, item := range v {
			w.steps = append(w.steps, strconv.Itoa(i))
			w.walk(item, f.items)
			w.steps = w.steps[:len(w.steps)-1]
		}
	}
}

func (w *walker) object(object map[string]any, f *field) {
	for i := range f.properties {
		p := &f.properties[i]
		if value, ok := object[p.name]; ok {
			w.steps = append(w.steps, p.name)
			w.walk(value, p.field)
			w.steps = w.steps[:len(w.steps)-1]
		}
	}
	if f.additional == nil || !f.additional.active {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, declared := slices.BinarySearchFunc(f.properties, name, compareProperty); !declared {
			w.steps = append(w.steps, name)
			w.walk(object[name], f.additional)
			w.steps = w.steps[:len(w.steps)-1]
		}
	}
}

func (w *walker) ref(value any, f *field) {
	text, ok := value.(string)
	if !ok {
		w.fault(fault.RefInvalid, "", "expected a reference such as %s, got %s", w.contract.exampleRef(f.kinds[0]), shown(value))
		return
	}
	r, reason, detail := w.contract.parseRef(text, f.kinds)
	if reason != nil {
		w.fault(reason, "", "%s", detail)
		return
	}
	if !w.seen[r] {
		w.seen[r] = true
		w.checked.Refs = append(w.checked.Refs, r)
	}
}

func (w *walker) code(value any, f *field) {
	text, ok := value.(string)
	switch {
	case !ok:
		w.fault(fault.CodeUnknown, "", "expected a code of the list %s, got %s", f.codeName, shown(value))
	case !f.code.Has(text):
		w.fault(fault.CodeUnknown, "", "%q is not on the list %s", text, f.codeName)
	}
}

// quantity checks {"value": "12.5", "unit": "KGM"}.
func (w *walker) quantity(value any, rule *quantityRule) {
	object, ok := value.(map[string]any)
	if !ok {
		w.fault(fault.QuantityInvalid, "", `expected a quantity such as {"value": "12.5", "unit": "KGM"}, got %s`, shown(value))
		return
	}
	q, amountOK := w.amount(object["value"])
	unit, unitOK := w.unit(object["unit"], rule.dimension)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name != "value" && name != "unit" && name != "text" {
			w.fault(fault.QuantityInvalid, name, "a quantity has value, unit and text, and nothing called %q", name)
		}
	}
	if !amountOK || !unitOK {
		return
	}
	q.Unit = unit
	if text, ok := object["text"].(string); ok && text != q.Value.String() {
		q.Text = text
	}
	switch sign := q.Value.Sign(); {
	case rule.sign == "positive" && sign <= 0:
		w.fault(fault.QuantityNegative, "value", "%s is not above 0", q)
		return
	case rule.sign == "not-negative" && sign < 0:
		w.fault(fault.QuantityNegative, "value", "%s is below 0", q)
		return
	}
	w.checked.Quantities = append(w.checked.Quantities, FieldQuantity{Field: w.place(), Quantity: q, Dimension: rule.dimension})
}

// maxWholeDigits is how many digits a quantity may have before the point, so
// that its figures fit a scaled 64-bit integer.
const maxWholeDigits = 12

func (w *walker) amount(value any) (event.Quantity, bool) {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
		if n := event.SignificantDigits(text); n > event.MaxNumberDigits {
			w.fault(fault.QuantityInexact, "value", "%s has %d significant digits", text, n)
			return event.Quantity{}, false
		}
	case nil:
		w.fault(fault.QuantityInvalid, "value", "the value is missing")
		return event.Quantity{}, false
	default:
		w.fault(fault.QuantityInvalid, "value", "expected a decimal, got %s", shown(value))
		return event.Quantity{}, false
	}
	q, err := event.NewQuantity(text, "")
	if err != nil {
		w.fault(fault.QuantityInvalid, "value", "%v", err)
		return q, false
	}
	whole, _, _ := strings.Cut(strings.TrimPrefix(q.Value.String(), "-"), ".")
	if len(whole) > maxWholeDigits {
		w.fault(fault.QuantityInvalid, "value", "%s has %d digits before the point", text, len(whole))
		return q, false
	}
	return q, true
}

func (w *walker) unit(value any, dimension string) (string, bool) {
	code, ok := value.(string)
	if !ok {
		w.fault(fault.UnitUnknown, "unit", "expected the code of a unit, got %s", shown(value))
		return "", false
	}
	if w.contract.extraUnits[code] { // its dimension depends on the material
		return code, true
	}
	u, ok := event.LookupUnit(code)
	switch {
	case !ok:
		w.fault(fault.UnitUnknown, "unit", "%q", code)
	case u.Status == event.UnitDeleted:
		w.fault(fault.UnitDeleted, "unit", "%s (%s)", u.Code, u.Name)
	case dimension != "" && u.Dimension != dimension:
		w.fault(fault.UnitDimension, "unit", "%s (%s) measures %s, expected %s", u.Code, u.Name, measured(u.Dimension), dimension)
	default:
		return code, true
	}
	return "", false
}

func measured(dimension string) string {
	if dimension == "" {
		return "nothing that the recommendation states"
	}
	return dimension
}

// UnitFault is the fault that an error of units and conversions stands for.
func UnitFault(op, field string, err error) *fault.Fault {
	reason := fault.QuantityInvalid
	for _, known := range []struct {
		err    error
		reason *fault.Reason
	}{
		{event.ErrUnitUnknown, fault.UnitUnknown},
		{event.ErrUnitDeleted, fault.UnitDeleted},
		{event.ErrUnitDimension, fault.UnitDimension},
		{event.ErrUnitNoFactor, fault.UnitNoFactor},
		{event.ErrUnitAmbiguous, fault.UnitNoFactor},
	} {
		if errors.Is(err, known.err) {
			reason = known.reason
			break
		}
	}
	return fault.Wrap(op, reason, field, err)
}
