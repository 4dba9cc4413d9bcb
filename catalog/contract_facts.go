package catalog

import (
	"errors"
	"slices"

	"github.com/gapless/gapless/event"
)

// factPaths is a FactRule with its paths read.
type factPaths struct {
	measure  string
	each     dataPath // nil: the data as a whole
	where    []condition
	quantity dataPath
}

// A condition holds where the value at the path is one of those that count.
type condition struct {
	path   dataPath
	values []string
}

// BaseFunc gives a quantity in base units and the version of the factor used;
// material and lot are "" where the fact names none. event.Base is one.
type BaseFunc func(q event.Quantity, material, lot event.Ref) (base event.Quantity, factor string, err error)

// Facts is every row that figures are made of, from data that Validate found
// without fault. Material, lot, order and the other dimensions are the fields of
// these names in the element, else in the data as a whole. The error joins a
// *fault.Fault for every quantity without a base.
func (k *Contract) Facts(data map[string]any, base BaseFunc) ([]event.Fact, error) {
	var facts []event.Fact
	var faults []error
	for _, rule := range k.facts {
		rule.elements(data, func(place string, element map[string]any) {
			fact, at, ok := rule.fact(element, data, place)
			if !ok {
				return
			}
			var err error
			if fact.Base, fact.Factor, err = base(fact.Quantity, fact.Material, fact.Lot); err != nil {
				faults = append(faults, UnitFault("catalog.Facts", at, err))
				return
			}
			facts = append(facts, fact)
		})
	}
	return facts, errors.Join(faults...)
}

// elements yields what the rule counts: every element of its array, or the data.
func (r *factPaths) elements(data map[string]any, yield func(place string, element map[string]any)) {
	if r.each == nil {
		yield("", data)
		return
	}
	each := slices.Clone(r.each)
	each[len(each)-1].each = true
	each.walk(data, "", func(place string, value any) {
		if element, ok := value.(map[string]any); ok {
			yield(place, element)
		}
	})
}

// fact is the row of one element, without its base quantity. ok is false where
// the element does not count or has no quantity.
func (r *factPaths) fact(element, data map[string]any, place string) (f event.Fact, field string, ok bool) {
	for _, c := range r.where {
		if !slices.Contains(c.values, textOf(nearest(c.path, element, data))) {
			return f, "", false
		}
	}
	value, field := r.quantity.first(element), place
	if value == nil {
		value, field = r.quantity.first(data), ""
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return f, "", false
	}
	text, unit := textOf(object["value"]), textOf(object["unit"])
	q, err := event.NewQuantity(text, unit)
	if err != nil {
		return f, "", false // Validate has told it
	}
	if reported, isText := object["text"].(string); isText && reported != q.Value.String() {
		q.Text = reported
	}
	dimension := func(name string) string {
		if own := textOf(element[name]); own != "" {
			return own
		}
		return textOf(data[name])
	}
	return event.Fact{
		Measure:    r.measure,
		Material:   event.Ref(dimension("material")),
		Lot:        event.Ref(dimension("lot")),
		Order:      event.Ref(dimension("order")),
		Operation:  event.Ref(dimension("operation")),
		WorkCenter: event.Ref(dimension("work_center")),
		Equipment:  event.Ref(dimension("equipment")),
		Reason:     dimension("reason"),
		Quantity:   q,
	}, below(field, r.quantity.place()), true
}

// nearest is the value at the path in the element, else in the data.
func nearest(p dataPath, element, data map[string]any) any {
	if value := p.first(element); value != nil {
		return value
	}
	return p.first(data)
}
