package erp

// The example's company: three plants that make medicines in batches, and the
// moulding plant of examples/moulding-plant beside them.

// A Plant is a warehouse of the ERP, with the places that every plant has: see Place.
type Plant struct {
	Code, Name string
	Centres    []string // what its work centers do, in the order of the work
	Inspects   bool     // what it makes is received into quality hold
}

// MouldingPlant is the code of the plant whose month is followed.
const MouldingPlant = "P400"

// Plants are all plants.
func Plants() []Plant {
	return []Plant{
		{"P100", "Tablets", []string{"Dispensing", "Granulation", "Compression"}, true},
		{"P200", "Syrups", []string{"Dispensing", "Mixing", "Filling"}, true},
		{"P300", "Packaging", []string{"Packaging"}, true},
		{MouldingPlant, "Injection moulding", []string{"Moulding"}, false},
	}
}

// A Place is a part of a plant: its location has the code of the plant and the place,
// "P100-QH". Hold and Rejected are stock of the plant that no reservation takes;
// what is in Scrap and Difference has left the books.
type Place string

// The places of a plant.
const (
	Input      Place = "IN"
	Storage    Place = "STO"
	Output     Place = "OUT"
	Hold       Place = "QH"
	Rejected   Place = "REJ"
	Floor      Place = "PRD"
	Scrap      Place = "SCRAP"
	Difference Place = "LF"
)

// At is the code of the location.
func (p Place) At(plant string) string { return plant + "-" + string(p) }

// An Item is a product of the ERP.
type Item struct {
	Code, Name string
	Unit       string // symbol of the ERP: kg, g, l, u, m
	Lots       bool   // it is kept by lot
	ShelfLife  int    // days; 0 where it does not expire
	Cost       string // for one unit, in euros
	Made       bool
}

// Items are the products of the three plants.
func Items() []Item {
	return []Item{
		{Code: "RM-1001", Name: "Paracetamol, granular", Unit: "kg", Lots: true, ShelfLife: 720, Cost: "11.2"},
		{Code: "RM-1002", Name: "Lactose monohydrate", Unit: "kg", Lots: true, Cost: "1.85"},
		{Code: "RM-1003", Name: "Magnesium stearate", Unit: "kg", Lots: true, Cost: "6.4"},
		{Code: "RM-1004", Name: "Glycerol 85 %", Unit: "kg", Lots: true, Cost: "1.2"},
		{Code: "RM-1005", Name: "Strawberry flavour", Unit: "kg", Lots: true, ShelfLife: 365, Cost: "24.5"},
		{Code: "RM-1006", Name: "Purified water", Unit: "l", Cost: "0.01"},
		{Code: "PK-2001", Name: "Amber bottle 100 ml", Unit: "u", Cost: "0.14"},
		{Code: "PK-2002", Name: "Blister foil", Unit: "m", Cost: "0.32"},
		{Code: "PK-2003", Name: "Folding box with leaflet", Unit: "u", Cost: "0.07"},
		{Code: "SF-3001", Name: "Paracetamol granulate 85 %", Unit: "kg", Lots: true, Cost: "9.9", Made: true},
		{Code: "SF-3002", Name: "Paracetamol syrup, bulk", Unit: "l", Lots: true, Cost: "0.9", Made: true},
		{Code: "FG-4001", Name: "Paracetamol 500 mg tablets, bulk", Unit: "u", Lots: true, Cost: "0.007", Made: true},
		{Code: "FG-4002", Name: "Paracetamol 500 mg, box of 20", Unit: "u", Lots: true, Cost: "0.25", Made: true},
		{Code: "FG-4003", Name: "Paracetamol syrup 100 ml", Unit: "u", Lots: true, Cost: "0.4", Made: true},
	}
}

// A Bill is what a quantity of an item is made of, and by which operations.
type Bill struct {
	Item       string
	Quantity   string // of the item, in its unit
	Needs      []Need
	Operations []string // what their work centers do
}

// A Need is an input of a bill, in the unit of its item.
type Need struct {
	Item     string
	Quantity string
}

// Bills are those of the three plants.
func Bills() []Bill {
	return []Bill{
		{"SF-3001", "100", []Need{{"RM-1001", "85"}, {"RM-1002", "14.2"}, {"RM-1003", "0.8"}}, []string{"Dispensing", "Granulation"}},
		{"SF-3002", "1000", []Need{{"RM-1001", "24"}, {"RM-1004", "300"}, {"RM-1005", "2"}, {"RM-1006", "700"}}, []string{"Dispensing", "Mixing"}},
		{"FG-4001", "1000", []Need{{"SF-3001", "0.589"}}, []string{"Compression"}},
		{"FG-4002", "1000", []Need{{"FG-4001", "20000"}, {"PK-2002", "120"}, {"PK-2003", "1000"}}, []string{"Packaging"}},
		{"FG-4003", "1000", []Need{{"SF-3002", "100"}, {"PK-2001", "1000"}, {"PK-2003", "1000"}}, []string{"Filling"}},
	}
}

// An Opening is what lies in the storage of a plant before the hub begins.
type Opening struct {
	Plant, Item string
	Lot         string // "" for an item without lots
	Quantity    string
	Expired     bool // its shelf life is over
}

// Openings are those of the three plants.
func Openings() []Opening {
	return []Opening{
		{Plant: "P100", Item: "RM-1001", Lot: "2610-A", Quantity: "900"},
		{Plant: "P100", Item: "RM-1001", Lot: "2610-B", Quantity: "250"},
		{Plant: "P100", Item: "RM-1002", Lot: "2610-A", Quantity: "300"},
		{Plant: "P100", Item: "RM-1003", Lot: "2610-A", Quantity: "25"},
		{Plant: "P100", Item: "SF-3001", Lot: "2610-A", Quantity: "320"},
		{Plant: "P200", Item: "RM-1001", Lot: "2610-C", Quantity: "300"},
		{Plant: "P200", Item: "RM-1004", Lot: "2610-A", Quantity: "4000"},
		{Plant: "P200", Item: "RM-1005", Lot: "2610-A", Quantity: "30"},
		{Plant: "P200", Item: "SF-3002", Lot: "2610-A", Quantity: "900"},
		{Plant: "P200", Item: "RM-1006", Quantity: "20000"},
		{Plant: "P200", Item: "PK-2001", Quantity: "20000"},
		{Plant: "P200", Item: "PK-2003", Quantity: "20000"},
		{Plant: "P300", Item: "FG-4001", Lot: "2610-A", Quantity: "500000"},
		{Plant: "P300", Item: "PK-2002", Quantity: "5000"},
		{Plant: "P300", Item: "PK-2003", Quantity: "30000"},
		{Plant: "P100", Item: "RM-1001", Lot: "EXPIRED", Quantity: "50", Expired: true},
	}
}

// ResinStock is what lies of each resin in the moulding plant before its month, in grams:
// more than any month takes.
const ResinStock = "500000000"

// LotOf is the number of an opening lot: its item and the word for it.
func LotOf(item, word string) string { return item + "-" + word }

// An Order is a production order. The three plants have theirs numbered by the ERP;
// the moulding plant's planning numbers its own.
type Order struct {
	Plan     string // the reference by which planning knows it
	Number   string // "" where the ERP numbers it
	Plant    string
	Item     string
	Quantity string
	Draft    bool // not released
}

// Orders are those of the three plants.
func Orders() []Order {
	return []Order{
		{Plan: "PLAN-0001", Plant: "P100", Item: "SF-3001", Quantity: "100"},
		{Plan: "PLAN-0002", Plant: "P100", Item: "SF-3001", Quantity: "100"},
		{Plan: "PLAN-0003", Plant: "P100", Item: "FG-4001", Quantity: "100000"},
		{Plan: "PLAN-0004", Plant: "P200", Item: "SF-3002", Quantity: "1000"},
		{Plan: "PLAN-0005", Plant: "P200", Item: "FG-4003", Quantity: "2000"},
		{Plan: "PLAN-0006", Plant: "P300", Item: "FG-4002", Quantity: "5000"},
		{Plan: "PLAN-0007", Plant: "P100", Item: "SF-3001", Quantity: "200", Draft: true},
	}
}
