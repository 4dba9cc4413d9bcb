package mouldingplant

import (
	"fmt"
	"strconv"
)

// What the made-up plant makes: parts of garden sprayers, in colours. Nothing of it is the
// real plant's: only the form of its codes and names, and the way its tables hang together.

// A material is a resin, a masterbatch or an additive.
type material struct{ code, name, kind, colour string }

// The kinds of material, as the ERP writes them.
const (
	plasticResin        = "plasticResin"
	colorMasterbatch    = "colorMasterbatch"
	additiveMasterbatch = "additiveMasterbatch"
)

// A mould forms parts of one family.
type mould struct {
	number, name    string
	cavities, cycle int64 // parts in a shot, seconds for it
	tonnage         string
	acquired        int // days before the month
	weight, runner  int64
	formulaFailed   bool // its weight shows as #REF!, as it does after somebody deleted a column
}

// A bill is what 10,000 parts are made of, in hundredths of a kilogram. A
// material without code is not used. Noise says whether the table of bills, or an
// order by the bill, shows its numbers as they are stored in binary.
type bill struct {
	resin          material
	resinPer       int64
	masterbatch    material
	masterbatchPer int64
	additive       material
	additivePer    int64
	noise          bool
	orderNoise     bool
}

// An item is a part in one colour. It may have several bills, one for each resin
// that it can be made of.
type item struct {
	code, name, family, colour string
	mould                      *mould
	bills                      []bill
}

// A machine stands at one place at a time.
type machine struct{ code, name, maker, tonnage string }

// resins, in the order of their codes. The regrind has the name of the resin
// that it replaces, and another code.
func resins() []material {
	return []material{
		{"20011", "ABS-GP22-N", plasticResin, "natural"},
		{"20012", "PP-H734-N", plasticResin, "natural"},
		{"20013", "POM-M27-N", plasticResin, "natural"},
		{"20014", "PC-L1225-N", plasticResin, "natural"},
		{"20015", "PS-HI425-N", plasticResin, "natural"},
		{"20016", "PA6-B3S-N", plasticResin, "natural"},
		{"200151RG", "PS-HI425-N", plasticResin, "natural"},
		{"9900020017", "PP-RE-COPO-N", plasticResin, "natural"},
	}
}

func colours() []string {
	return []string{"GREEN", "YELLOW", "BLACK", "ORANGE", "L.GRAY", "RED"}
}

// masterbatches has one for each colour and each of three groups of resins.
func masterbatches() []material {
	var all []material
	for group, prefix := range []string{"MB-SP1", "MB-SP2", "MB-SP3"} {
		for i, colour := range colours() {
			all = append(all, material{
				code:   strconv.Itoa(30100 + group*10 + i),
				name:   fmt.Sprintf("%s-%d-%s", prefix, 4100+37*i, colour),
				kind:   colorMasterbatch,
				colour: map[string]string{"L.GRAY": "gray", "GREEN": "green", "YELLOW": "yellow", "BLACK": "black", "ORANGE": "orange", "RED": "red"}[colour],
			})
		}
	}
	return all
}

func slipAdditive() material {
	return material{"30190", "AD-SLIP-04", additiveMasterbatch, "natural"}
}

// A family is a part before its colour.
type family struct {
	name            string
	cavities, cycle int64
	tonnage         string
	weight, runner  int64 // hundredths of a gram: of a part, of the runner of a shot
	resin           int   // place in resins
	colours         int   // how many colours it comes in; 0 natural alone
}

func families() []family {
	return []family{
		{"SP-HOUSING-LEFT", 4, 26, "100/130", 572, 480, 0, 4},
		{"SP-HOUSING-RIGHT", 4, 26, "100/130", 566, 480, 0, 4},
		{"SP-TRIGGER", 8, 21, "50/100/130", 214, 760, 0, 5},
		{"SP-TRIGGER-LOCK", 8, 18, "50/100", 39, 620, 2, 3},
		{"SP-NOZZLE-CAP", 16, 19, "50/100", 61, 940, 1, 6},
		{"SP-NOZZLE-INSERT", 16, 17, "50/100", 28, 810, 2, 0},
		{"SP-SWIRL-DISC", 16, 16, "50", 12, 700, 2, 0},
		{"SP-PISTON", 8, 20, "50/100", 144, 690, 2, 0},
		{"SP-PISTON-SEAL-RING", 16, 18, "50/100", 22, 880, 1, 0},
		{"SP-VALVE-BODY", 8, 22, "50/100/130", 187, 720, 2, 0},
		{"SP-VALVE-SEAT", 16, 17, "50/100", 31, 840, 5, 0},
		{"SP-CLOSURE-28", 8, 20, "100/130", 268, 0, 1, 6},
		{"SP-CLOSURE-32", 8, 21, "100/130", 311, 0, 7, 4},
		{"SP-DIP-TUBE-HOLDER", 8, 18, "50/100", 73, 540, 1, 0},
		{"SP-FILTER-BASKET", 8, 19, "50/100", 66, 580, 1, 3},
		{"SP-WINDOW", 4, 24, "100/130", 331, 450, 3, 0},
		{"SP-TANK-CAP", 4, 25, "100/130", 604, 520, 4, 5},
		{"SP-TANK-CAP-INSERT", 8, 20, "50/100/130", 158, 610, 4, 0},
		{"SP-WAND-GRIP", 4, 27, "130", 688, 540, 5, 3},
		{"SP-WAND-ELBOW", 4, 23, "50/100/130", 243, 470, 5, 2},
		{"SP-STRAP-CLIP", 8, 18, "50/100", 91, 600, 2, 4},
		{"SP-BASE-FOOT", 4, 24, "100/130", 482, 430, 4, 2},
		{"SP-SCALE-PLATE", 8, 19, "50/100", 127, 560, 3, 0},
		{"SP-PUMP-KNOB", 4, 22, "50/100/130", 276, 420, 0, 3},
	}
}

// moulds has one for each family.
func moulds() []*mould {
	var all []*mould
	for i, f := range families() {
		all = append(all, &mould{
			number:        fmt.Sprintf("%d00SPR-M-%03d", 110+i*3, 1+i%3),
			name:          fmt.Sprintf("%s-M-%04d", f.name, 1+i%3),
			cavities:      f.cavities,
			cycle:         f.cycle,
			tonnage:       f.tonnage,
			acquired:      400 + 97*i,
			weight:        f.weight,
			runner:        f.runner,
			formulaFailed: i%9 == 4,
		})
	}
	return all
}

// items has every family in its colours.
func items() []item {
	var all []item
	formed := moulds()
	for i, f := range families() {
		shades := append([]string{"NL"}, colours()[:f.colours]...)
		if f.colours > 0 && i%2 == 0 {
			shades = shades[1:] // not sold in natural
		}
		for j, shade := range shades {
			all = append(all, item{
				code:   fmt.Sprintf("%d%02dM", 5100+i*13, j+1),
				name:   f.name + "-" + shade,
				family: f.name,
				colour: shade,
				mould:  formed[i],
				bills:  billsOf(f, j, shade),
			})
		}
	}
	return all
}

// billsOf works out what a part and its share of the runner weigh. What is made
// of polystyrene in natural may also be made of its regrind, a little heavier.
func billsOf(f family, place int, shade string) []bill {
	perTenThousand := f.weight*10 + f.runner*10/f.cavities // a hundredth of a gram in a part is ten hundredths of a kilogram in 10,000
	b := bill{resin: resins()[f.resin], resinPer: perTenThousand, noise: place == 1, orderNoise: place%2 == 0}
	for i, colour := range colours() {
		if colour == shade {
			b.masterbatch = masterbatches()[(f.resin%3)*len(colours())+i]
			b.masterbatchPer = perTenThousand*int64(3+i)/100 + 1
		}
	}
	if f.resin == 2 && shade == "BLACK" {
		b.additive, b.additivePer = slipAdditive(), perTenThousand/80+1
	}
	bills := []bill{b}
	if f.resin == 4 && (shade == "NL" || shade == "BLACK") {
		regrind := b
		regrind.resin, regrind.resinPer = resins()[6], perTenThousand+perTenThousand/25
		bills = append(bills, regrind)
	}
	return bills
}

// machines in the order of the places at which they stand first.
func machines() []machine {
	return []machine{
		{"TR50E-000", "TR50E", "Tarnow", "50"},
		{"TR50E-001", "TR50E", "Tarnow", "50"},
		{"TR50E-002", "TR50E", "Tarnow", "50"},
		{"KB100S-000", "KB100S", "Kellberg", "100"},
		{"KB100S-001", "KB100S", "Kellberg", "100"},
		{"KB100S-002", "KB100S", "Kellberg", "100"},
		{"HN130-000", "HN130", "Hanno", "130"},
		{"HN130-001", "HN130", "Hanno", "130"},
		{"HN130-002", "HN130", "Hanno", "130"},
	}
}

// place is the number of a place on the floor: NO.01 for the first.
func place(i int) string { return fmt.Sprintf("NO.%02d", i+1) }
