package mouldingplant

// A Count is a number of parts: Total is Good and Rejected together.
type Count struct{ Total, Good, Rejected int64 }

func (c Count) plus(d Count) Count {
	return Count{c.Total + d.Total, c.Good + d.Good, c.Rejected + d.Rejected}
}

// Totals are control totals of a month: counted while the month was made, or
// published with it, never taken from what the hub says.
type Totals struct {
	Count

	Rows           int // of the shift reports
	IdleRows       int // without an order
	ZeroRows       int // with an order of which nothing was made
	SharedShifts   int // shifts of a machine with two rows, for two orders
	OrdersPlaced   int // in the order workbooks
	OrdersProduced int // of which at least one part was made
	ResinLots      int // distinct by resin and lot
	FailedFormulas int // rows of master data with #REF! in a cell: they are refused, and not on record

	ByReason map[string]int64 // rejected parts by the code of the scrap reason; every reason is there

	// What follows is only known of a made-up month, and nil for the real one.

	ByItem    map[string]Count // by item code
	ByOrder   map[string]Count
	ByMachine map[string]Count // by machine number: the place, whichever machine stands there
	ByDay     map[string]Count // by production day, "2019-03-01"

	// ResinMilligrams is the resin for every part made, by resin code. A bill in
	// kg per 10,000 parts has two decimals, so a part weighs whole milligrams.
	ResinMilligrams map[string]int64
}

// reason is a column of the shift report and the scrap reason that it counts.
type reason struct{ column, code string }

// reasons are in the order of the columns.
func reasons() []reason {
	return []reason{
		{"itemBlackSpot", "black-spot"},
		{"itemOilDeposit", "oil-deposit"},
		{"itemScratch", "scratch"},
		{"itemCrack", "crack"},
		{"itemSinkMark", "sink-mark"},
		{"itemShort", "short"},
		{"itemBurst", "burst"},
		{"itemBend", "bend"},
		{"itemStain", "stain"},
		{"otherNG", "other"},
	}
}

// newTotals has nothing counted, and every reason.
func newTotals() Totals {
	t := Totals{
		ByReason: map[string]int64{}, ByItem: map[string]Count{}, ByOrder: map[string]Count{},
		ByMachine: map[string]Count{}, ByDay: map[string]Count{}, ResinMilligrams: map[string]int64{},
	}
	for _, r := range reasons() {
		t.ByReason[r.code] = 0
	}
	return t
}

// RealTotals are the control totals published with the month of the real plant,
// November 2018 (github.com/ThuyHaLE/OptiMoldIQ at 560a060b).
func RealTotals() Totals {
	return Totals{
		Count:          Count{Total: 5_397_276, Good: 5_194_003, Rejected: 203_273},
		Rows:           697,
		IdleRows:       20,
		ZeroRows:       16,
		SharedShifts:   22,
		OrdersPlaced:   74,
		OrdersProduced: 65,
		ResinLots:      16,
		FailedFormulas: 3,
		ByReason: map[string]int64{
			"black-spot": 4_329, "oil-deposit": 21_836, "scratch": 9_388, "crack": 1_438, "sink-mark": 1_172,
			"short": 132, "burst": 0, "bend": 0, "stain": 342, "other": 164_636,
		},
	}
}
