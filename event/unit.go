package event

import (
	"math/big"
	"slices"
	"sync"
)

//go:generate go run ./internal/unitgen $GAPLESS_DATA/units

// A Unit is one unit of measure of UN/ECE Recommendation 20, revision 17.
//
// A factor is given only where it is exact by definition. Where the
// recommendation publishes a measured or a wrong number, or none, the unit is
// known and kept but not converted. The list holds no package codes of
// Recommendation 21 ("XCS", a case): what is in a package depends on the
// material, which an AlternativeUnit says.
type Unit struct {
	Code      string // common code: "KGM"
	Name      string // "kilogram"
	Symbol    string // "kg"; "" where the recommendation gives none
	Status    UnitStatus
	Dimension string // "mass", "length", "count" ..., or a normalized expression such as "kg/m³"; "" where nothing is stated
	Factor    string // base units in one unit, an exact fraction such as "45359237/100000000"; "" where none is known exactly
	Offset    string // base units at the zero of a scale: "5463/20" for degree Celsius; "" for 0

	base string // code of the base unit of the dimension; "" where it has none
}

// A UnitStatus says whether a unit may still be used.
type UnitStatus string

// The three states of a code in Recommendation 20.
const (
	UnitActive     UnitStatus = "active"
	UnitDeprecated UnitStatus = "deprecated" // to be replaced, still accepted
	UnitDeleted    UnitStatus = "deleted"    // refused
)

// LookupUnit finds a unit by its common code, which is upper case as published.
func LookupUnit(code string) (Unit, bool) {
	at, ok := unitIndex()[code]
	if !ok {
		return Unit{}, false
	}
	return unitTable[at], true
}

// Units is every unit that the recommendation has ever named, by code.
func Units() []Unit { return slices.Clone(unitTable[:]) }

// Dimensions is what units that may still be used measure, by name: "mass",
// "volume flow", or a normalized expression such as "kg·m⁻²·s⁻²".
func Dimensions() []string { return slices.Clone(dimensions()) }

// IsDimension says whether a unit that may still be used measures it.
func IsDimension(name string) bool {
	_, found := slices.BinarySearch(dimensions(), name)
	return found
}

// dimensions is made at the first question and never changed.
var dimensions = sync.OnceValue(func() []string {
	var all []string
	for i := range unitTable {
		if u := &unitTable[i]; u.Dimension != "" && u.Status != UnitDeleted {
			all = append(all, u.Dimension)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
})

// unitIndex is made at the first look-up and never changed.
var unitIndex = sync.OnceValue(func() map[string]int {
	index := make(map[string]int, len(unitTable))
	for i := range unitTable {
		index[unitTable[i].Code] = i
	}
	return index
})

// Base is the code of the base unit of the dimension: KGM for mass, MTR for
// length, MTK for area, MTQ for volume, SEC for time, H87 for counted things.
// One, each, piece, article and part are all 1 of H87; a dozen is 12. A pack, a
// set or a roll is none of them: what is in it depends on the material, see
// AlternativeUnit. A unit whose dimension is not known, or that no base unit
// stands for, is its own base.
func (u Unit) Base() string {
	if u.base == "" {
		return u.Code
	}
	return u.base
}

// toBase is value*Factor + Offset. The unit must have a factor.
func (u Unit) toBase(value *big.Rat) *big.Rat {
	r := new(big.Rat).Mul(value, fraction(u.Factor))
	if u.Offset != "" {
		r.Add(r, fraction(u.Offset))
	}
	return r
}

// fromBase is (value - Offset) / Factor. The unit must have a factor.
func (u Unit) fromBase(value *big.Rat) *big.Rat {
	r := new(big.Rat).Set(value)
	if u.Offset != "" {
		r.Sub(r, fraction(u.Offset))
	}
	return r.Quo(r, fraction(u.Factor))
}

// fraction reads a fraction of the generated table, which a test reads whole.
func fraction(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("event: the unit table holds " + text + ", which is no fraction") //nolint:forbidigo // a constant that is wrong is a fault of the generator
	}
	return r
}
