package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
)

// The systems of the company, by the names under which the hub knows them.
const (
	erpName = "erp"
	qmsName = "qms"
)

// Kinds of systems.
const (
	kindERP = "erp"
	kindQMS = "qms"
	kindMES = "mes"
	kindWMS = "wms"
)

// A plant as its people see it.
type plant struct {
	name   string
	zone   string
	site   string // as the ERP calls it
	qms    string // as the quality system calls it
	letter string // begins its lot numbers
	opens  int    // hour of the day, UTC, at which its first order is released
	hours  int    // in which orders are released
	lines  []string
	units  map[string]string // unit of Recommendation 20 -> as its MES says it
}

func (p *plant) mes() string { return p.name + "-mes" }
func (p *plant) wms() string { return p.name + "-wms" }

// plants are the three plants, in the order of their numbers.
func plants() []plant {
	return []plant{
		{
			name: "graz", zone: "Europe/Vienna", site: "AT01", qms: "AUT", letter: "G", opens: 5, hours: 12,
			lines: []string{"M1", "M2", "M3"}, units: map[string]string{kilogram: "kg", piece: "Stk"},
		},
		{
			name: "lyon", zone: "Europe/Paris", site: "FR01", qms: "FRA", letter: "L", opens: 5, hours: 12,
			lines: []string{"LIGNE-A", "LIGNE-B"}, units: map[string]string{kilogram: "KG", piece: "UN"},
		},
		{
			name: "puebla", zone: "America/Mexico_City", site: "MX01", qms: "MEX", letter: "P", opens: 10, hours: 11,
			lines: []string{"10", "20", "30"}, units: map[string]string{pound: "LB", piece: "PZ"},
		},
	}
}

// Units of Recommendation 20 that occur.
const (
	kilogram = "KGM"
	pound    = "LBR"
	piece    = "H87"
)

// A material of the company. Each is made or used at one plant.
type material struct {
	number  string // of the company; the other numbers hang on it
	title   string
	plant   string
	unit    string // its base unit
	bought  bool
	serials bool // pieces have numbers of their own, and three operations
	late    bool // its master data are published when it is already being made
}

// countingOperation is where a piece counts that goes through three operations.
const countingOperation = "0030"

func materials() []material {
	return []material{
		{number: "G-1100", title: "Electrolyte concentrate", plant: "graz", unit: kilogram},
		{number: "G-1200", title: "Glucose syrup, sterile", plant: "graz", unit: kilogram},
		{number: "G-1300", title: "Infusion set", plant: "graz", unit: piece},
		{number: "G-9000", title: "Infusion pump", plant: "graz", unit: piece, serials: true},
		{number: "G-1900", title: "Electrolyte concentrate, new recipe", plant: "graz", unit: kilogram, late: true},
		{number: "G-0110", title: "Sodium chloride, pharma grade", plant: "graz", unit: kilogram, bought: true},
		{number: "G-0120", title: "Glucose monohydrate", plant: "graz", unit: kilogram, bought: true},
		{number: "L-3100", title: "Skin cream base", plant: "lyon", unit: kilogram},
		{number: "L-3200", title: "Ointment, 50 g tube", plant: "lyon", unit: piece},
		{number: "L-3900", title: "Skin cream base, new recipe", plant: "lyon", unit: kilogram, late: true},
		{number: "L-0310", title: "White petrolatum", plant: "lyon", unit: kilogram, bought: true},
		{number: "L-0320", title: "Cetyl alcohol", plant: "lyon", unit: kilogram, bought: true},
		{number: "P-4100", title: "Granulate, coated", plant: "puebla", unit: kilogram},
		{number: "P-4200", title: "Granulate, uncoated", plant: "puebla", unit: kilogram},
		{number: "P-4900", title: "Granulate, new recipe", plant: "puebla", unit: kilogram, late: true},
		{number: "P-0410", title: "Lactose", plant: "puebla", unit: kilogram, bought: true},
		{number: "P-0420", title: "Microcrystalline cellulose", plant: "puebla", unit: kilogram, bought: true},
	}
}

// A catalogue of what is made and used, by every number it has.
type goods struct {
	all   []material
	local map[string]map[string]string // system -> its number -> the company's
}

func newGoods() *goods {
	g := &goods{all: materials(), local: map[string]map[string]string{}}
	for _, m := range g.all {
		for system, number := range numbers(&m) {
			if g.local[system] == nil {
				g.local[system] = map[string]string{}
			}
			g.local[system][number] = m.number
		}
	}
	return g
}

// of is a material by the company's number.
func (g *goods) of(number string) (*material, bool) {
	i := slices.IndexFunc(g.all, func(m material) bool { return m.number == number })
	if i < 0 {
		return nil, false
	}
	return &g.all[i], true
}

// lateAt is the material of a plant whose master data come late.
func (g *goods) lateAt(plant string) *material {
	return &g.all[slices.IndexFunc(g.all, func(m material) bool { return m.late && m.plant == plant })] // each plant has one
}

// known is a material by a system's own number.
func (g *goods) known(system, number string) (*material, bool) {
	return g.of(g.local[system][number])
}

// numbers is what each system calls a material.
func numbers(m *material) map[string]string {
	letter, digits, _ := strings.Cut(m.number, "-")
	n := int(letter[0])*10_000 + atoi(digits)
	all := map[string]string{
		erpName:          fmt.Sprintf("%07d", n),
		qmsName:          "QS-" + letter + digits,
		m.plant + "-wms": fmt.Sprintf("%013d", n),
	}
	switch m.plant {
	case "graz":
		all["graz-mes"] = "AT." + digits
	case "lyon":
		all["lyon-mes"] = "ART" + digits
	case "puebla":
		all["puebla-mes"] = digits + "-MX"
	}
	return all
}

// number is what one system calls a material of the company.
func (g *goods) number(system, company string) string {
	m, ok := g.of(company)
	if !ok {
		return company
	}
	return numbers(m)[system]
}

// atoi reads digits that the tables above hold.
func atoi(digits string) int {
	n := 0
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}

// plantOf is a plant by any of its names.
func plantOf(name string) (*plant, bool) {
	for _, p := range plants() {
		if p.name == name || p.site == name || p.qms == name {
			return &p, true
		}
	}
	return nil, false
}

// SystemNames are the systems of the company, in the order of their ports.
func SystemNames() []string {
	names := []string{erpName, qmsName}
	for _, p := range plants() {
		names = append(names, p.mes(), p.wms())
	}
	return names
}

// base is a quantity in the base unit of its goods: pounds become kilograms,
// exactly, by the factor of the international pound.
func base(q event.Quantity) (event.Quantity, error) {
	if q.Unit != pound {
		return q, nil
	}
	c, err := q.ConvertTo(kilogram)
	if err != nil {
		return event.Quantity{}, err
	}
	if !c.Exact {
		return event.Quantity{}, fmt.Errorf("%s pounds are no exact number of kilograms", q.Value)
	}
	return event.Quantity{Value: c.Value, Unit: kilogram}, nil
}

// The simulated day, and the month that the ERP has closed before it.
var (
	dayBegins   = time.Date(2026, 3, 3, 4, 0, 0, 0, time.UTC)
	dayEnds     = dayBegins.Add(24 * time.Hour)
	periodOpens = "2026-03-01" // what is posted on an earlier day is refused
)
