package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Errors of units, for errors.Is; each message says what to do.
var (
	ErrUnitUnknown   = errors.New("no unit of UN/ECE Recommendation 20: map the system's unit to a common code, or declare it as an alternative unit of the material")
	ErrUnitDeleted   = errors.New("the unit was deleted from UN/ECE Recommendation 20: use the unit that replaced it")
	ErrUnitDimension = errors.New("the units measure different things: declare an alternative unit of the material with its factor")
	ErrUnitNoFactor  = errors.New("no exact factor is known: report in another unit, or declare an alternative unit of the material with its factor")
	ErrUnitAmbiguous = errors.New("alternative units contradict each other: let exactly one be valid at a time")
)

// roundedDigits is how many digits behind the point a conversion keeps that has no end.
const roundedDigits = 12

// A Quantity is an exact value in a unit.
type Quantity struct {
	Value Decimal
	Unit  string // common code of Recommendation 20, or an alternative unit of the material
	Text  string // the value as the source wrote it, where that differs from Value.String
}

// NewQuantity reads the value as the source wrote it.
func NewQuantity(text, unit string) (Quantity, error) {
	value, err := ParseDecimal(text)
	if err != nil {
		return Quantity{}, fmt.Errorf("value: %w", err)
	}
	return Quantity{Value: value, Unit: unit, Text: otherText(text, value)}, nil
}

// otherText is the text, or "" where it is the canonical text of the value.
func otherText(text string, value Decimal) string {
	if text == value.String() {
		return ""
	}
	return text
}

// quantityJSON is the form on the wire: {"value":"12.5","unit":"KGM","text":"12.50"}.
type quantityJSON struct {
	Value json.RawMessage `json:"value"`
	Unit  string          `json:"unit"`
	Text  string          `json:"text,omitempty"`
}

// MarshalJSON writes {"value":"12.5","unit":"KGM"}, and text where it differs.
func (q Quantity) MarshalJSON() ([]byte, error) {
	value, err := q.Value.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return json.Marshal(quantityJSON{Value: value, Unit: q.Unit, Text: otherText(q.Text, q.Value)})
}

// UnmarshalJSON reads that form; the value may be a JSON number too, see
// Decimal.UnmarshalJSON. It keeps how the value was written.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	var wire quantityJSON
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf(`a quantity is {"value":"12.5","unit":"KGM"}: %w`, err)
	}
	if len(wire.Value) == 0 || bytes.Equal(wire.Value, []byte("null")) {
		return fmt.Errorf(`value is missing; a quantity is {"value":"12.5","unit":"KGM"}: %w`, ErrDecimalForm)
	}
	var value Decimal
	if err := value.UnmarshalJSON(wire.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	text := wire.Text
	if text == "" {
		text = strings.Trim(string(wire.Value), `"`)
	}
	*q = Quantity{Value: value, Unit: wire.Unit, Text: otherText(text, value)}
	return nil
}

// String is "12.5 KGM".
func (q Quantity) String() string { return q.Value.String() + " " + q.Unit }

// Validate says whether the quantity can be kept: its value can be read back
// and its unit is in use. A deprecated unit is.
func (q Quantity) Validate() error {
	_, valueErr := ParseDecimal(q.Value.String())
	_, unitErr := usableUnit(q.Unit)
	if valueErr != nil {
		valueErr = fmt.Errorf("value: %w", valueErr)
	}
	if unitErr != nil {
		unitErr = fmt.Errorf("unit: %w", unitErr)
	}
	return errors.Join(valueErr, unitErr)
}

// usableUnit is LookupUnit with the reasons why not.
func usableUnit(code string) (Unit, error) {
	u, ok := LookupUnit(code)
	if !ok {
		return Unit{}, fmt.Errorf("%.40q: %w", code, ErrUnitUnknown)
	}
	if u.Status == UnitDeleted {
		return Unit{}, fmt.Errorf("%s (%s): %w", u.Code, u.Name, ErrUnitDeleted)
	}
	return u, nil
}

// A Conversion is a quantity in another unit. Exact is false where the result
// has more than 19 digits behind the point; then it is rounded half-even to 12.
type Conversion struct {
	Quantity
	Exact bool
}

// ConvertTo gives the quantity in another unit of the same dimension, by the
// exact fractions of the unit table. Units with an offset convert as points on
// their scale: 0 CEL is 273.15 KEL. The errors are ErrUnitUnknown,
// ErrUnitDeleted, ErrUnitDimension, ErrUnitNoFactor, and ErrDecimalDigits where
// the result is too long to keep.
func (q Quantity) ConvertTo(code string) (Conversion, error) {
	from, err := usableUnit(q.Unit)
	if err != nil {
		return Conversion{}, err
	}
	if code == q.Unit {
		return Conversion{Quantity: q, Exact: true}, nil
	}
	to, err := usableUnit(code)
	if err != nil {
		return Conversion{}, err
	}
	if err := convertible(from, to); err != nil {
		return Conversion{}, err
	}
	result := to.fromBase(from.toBase(q.Value.rat()))
	value, exact, err := decimalOf(result)
	if err == nil && !exact {
		value, err = roundedDecimal(result, roundedDigits)
	}
	if err != nil {
		return Conversion{}, fmt.Errorf("%s to %s: %w", q, code, err)
	}
	return Conversion{Quantity: Quantity{Value: value, Unit: code}, Exact: exact}, nil
}

func convertible(from, to Unit) error {
	if from.Dimension != "" && to.Dimension != "" && from.Dimension != to.Dimension {
		return fmt.Errorf("%s (%s) to %s (%s): %w", from.Code, from.Dimension, to.Code, to.Dimension, ErrUnitDimension)
	}
	for _, u := range []Unit{from, to} {
		if u.Factor == "" {
			return fmt.Errorf("%s to %s: %s (%s): %w", from.Code, to.Code, u.Code, u.Name, ErrUnitNoFactor)
		}
	}
	return nil
}

// An AlternativeUnit is a unit that only means something for one material, or
// for one lot of it: a case of 24 pieces, a roll of 12.4 kg, a litre of 0.92 kg.
type AlternativeUnit struct {
	Material  Ref
	Lot       Ref       // "" for every lot of the material
	Unit      string    // what is reported
	Base      string    // what Factor counts
	Factor    Decimal   // base units in one alternative unit; above 0
	Version   string    // of this factor, recorded with every quantity that used it
	ValidFrom time.Time // inclusive; zero: since ever
	ValidTo   time.Time // exclusive; zero: for ever
}

// applies says whether the factor is meant for this material, lot and time.
func (a AlternativeUnit) applies(material, lot Ref, at time.Time) bool {
	return a.Material == material && (a.Lot == "" || a.Lot == lot) &&
		!at.Before(a.ValidFrom) && (a.ValidTo.IsZero() || at.Before(a.ValidTo))
}

// Base gives the quantity in base units, so that it can be added to others of
// the material, and the versions of the factors used, joined by "+" ("" where
// none was).
//
// The factor of the lot counts before that of the material, and both before the
// standard factor of the unit. A factor may lead to another alternative unit:
// pallet, case, piece. A factor that leads to another dimension holds for every
// unit of its own: with a litre of 0.92 kg, a millilitre becomes kilograms too.
// The end is the base unit of Unit.Base, rounded as ConvertTo says. Two factors
// of the same rank, and factors in a circle, are ErrUnitAmbiguous.
func Base(q Quantity, alternatives []AlternativeUnit, material, lot Ref, at time.Time) (base Quantity, factorVersion string, err error) {
	var valid []AlternativeUnit
	for _, a := range alternatives {
		if a.applies(material, lot, at) {
			valid = append(valid, a)
		}
	}
	base = Quantity{Value: q.Value, Unit: q.Unit}
	var versions []string
	for range len(valid) + 1 {
		a, found, err := choose(valid, base.Unit)
		if err != nil {
			return Quantity{}, "", fmt.Errorf("%s of %s at %s: %w", base.Unit, material, at.UTC().Format(time.RFC3339), err)
		}
		if !found {
			base, err = standardBase(base)
			if err != nil {
				return Quantity{}, "", fmt.Errorf("%s of %s: %w", q, material, err)
			}
			return base, strings.Join(versions, "+"), nil
		}
		if base, err = a.apply(base); err != nil {
			return Quantity{}, "", fmt.Errorf("%s of %s by factor version %s: %w", q, material, a.Version, err)
		}
		versions = append(versions, a.Version)
	}
	return Quantity{}, "", fmt.Errorf("%s of %s: the factors lead in a circle: %w", q, material, ErrUnitAmbiguous)
}

// standardBase converts to the base unit by the unit table alone.
func standardBase(q Quantity) (Quantity, error) {
	u, err := usableUnit(q.Unit)
	if err != nil {
		return Quantity{}, err
	}
	if u.Dimension != "" && u.Factor == "" {
		return Quantity{}, fmt.Errorf("%s (%s): %w", u.Code, u.Name, ErrUnitNoFactor)
	}
	c, err := q.ConvertTo(u.Base())
	return c.Quantity, err
}

// apply gives q, which is in the alternative unit or in one of its dimension, in
// units of Base.
func (a AlternativeUnit) apply(q Quantity) (Quantity, error) {
	if a.Factor.Sign() <= 0 {
		return Quantity{}, fmt.Errorf("factor %s is not above 0: %w", a.Factor, ErrUnitNoFactor)
	}
	if q.Unit != a.Unit {
		c, err := q.ConvertTo(a.Unit)
		if err != nil {
			return Quantity{}, err
		}
		q = c.Quantity
	}
	value, err := q.Value.Mul(a.Factor)
	return Quantity{Value: value, Unit: a.Base}, err
}

// choose finds the one factor that counts for a unit: one for the unit itself,
// else one for another unit of its dimension; of these the lot's, else the
// material's.
func choose(valid []AlternativeUnit, unit string) (a AlternativeUnit, found bool, err error) {
	var own, related []AlternativeUnit
	for _, a := range valid {
		switch {
		case a.Unit == unit:
			own = append(own, a)
		case a.leavesDimensionOf(unit):
			related = append(related, a)
		}
	}
	if len(own) == 0 {
		own = related
	}
	best := own
	if lots := slices.DeleteFunc(slices.Clone(own), func(a AlternativeUnit) bool { return a.Lot == "" }); len(lots) > 0 {
		best = lots
	}
	switch len(best) {
	case 0:
		return AlternativeUnit{}, false, nil
	case 1:
		return best[0], true, nil
	}
	return AlternativeUnit{}, false, fmt.Errorf("factor versions %s and %s are both valid: %w", best[0].Version, best[1].Version, ErrUnitAmbiguous)
}

// leavesDimensionOf says whether the alternative leads from the dimension of the
// unit to another one.
func (a AlternativeUnit) leavesDimensionOf(unit string) bool {
	from, to := dimensionOf(a.Unit), dimensionOf(a.Base)
	return from != "" && from == dimensionOf(unit) && from != to
}

// dimensionOf is the dimension of a unit with an exact factor, else "".
func dimensionOf(code string) string {
	if u, ok := LookupUnit(code); ok && u.Factor != "" {
		return u.Dimension
	}
	return ""
}
