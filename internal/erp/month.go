package erp

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
)

// A Month is the moulding plant's month, and what the ERP must know of it: its items,
// its resins and its orders, as the plant's tables have them.
type Month struct {
	Real   bool
	Folder string
	Files  []mouldingplant.File
	Totals mouldingplant.Totals // who made the month counted them
	Items  []Item               // what is moulded, in pieces
	Resins []Item               // what it is moulded of, in grams: a part weighs whole milligrams
	Orders []MouldingOrder
	Shifts []Shift // of orders: idle rows are none
}

// A Shift is what a row of the shift reports says of an order, counted here and not by
// the hub.
type Shift struct {
	Order, Item        string
	Total, Good, Scrap int64  // parts
	Resin              string // that it was made of
	Grams              event.Decimal
}

// A MouldingOrder is a row of an order workbook.
type MouldingOrder struct {
	Order
	Resin string
	Grams string // planned, of the resin
}

// madeUpSeed makes the month where there is no real one: always the same, so that a
// snapshot of the ERP fits it.
const madeUpSeed = 1

// ReadMonth reads the real month below the data folder, or writes a made-up one into
// the scratch folder and reads that where data is "".
func ReadMonth(data, scratch string) (*Month, error) {
	m := &Month{Real: data != "", Folder: filepath.Join(data, "moulding-plant"), Totals: mouldingplant.RealTotals()}
	var err error
	if !m.Real {
		m.Folder = scratch
		if m.Totals, err = mouldingplant.Write(scratch, madeUpSeed); err != nil {
			return nil, err
		}
	}
	if m.Files, err = mouldingplant.Files(m.Folder); err != nil {
		return nil, err
	}
	perPart := map[string]event.Decimal{} // grams, by item and resin
	return m, errors.Join(
		m.read("master-data/itemInfo.csv", m.item),
		m.read("master-data/resineInfo.csv", m.resin),
		m.read("orders/purchaseOrder_*.csv", m.order),
		m.read("master-data/itemCompositionSummary.csv", func(cell map[string]string) error { return bill(cell, perPart) }),
		m.read("shift-reports/monthlyReports_*.csv", func(cell map[string]string) error { return m.shift(cell, perPart) }),
	)
}

// bill reads what a part takes: the table has kilograms for 10,000 parts, some of them
// with the noise of binary numbers.
func bill(cell map[string]string, perPart map[string]event.Decimal) error {
	if cell["plasticResinQuantity"] == "" {
		return nil
	}
	kilograms, err := event.ParseDecimal(cell["plasticResinQuantity"])
	if err != nil {
		return err
	}
	tenth, err := event.FromScaled(1, 1)
	if err != nil {
		return err
	}
	perPart[cell["itemCode"]+"/"+cell["plasticResinCode"]], err = kilograms.RoundHalfEven(6).Mul(tenth)
	return err
}

func (m *Month) shift(cell map[string]string, perPart map[string]event.Decimal) error {
	s := Shift{Order: cell["poNote"], Item: cell["itemCode"], Resin: cell["plasticResineCode"]}
	if s.Order == "" {
		return nil
	}
	var faults []error
	count := func(column string) int64 {
		if cell[column] == "" {
			return 0
		}
		n, err := strconv.ParseInt(cell[column], 10, 64)
		faults = append(faults, err)
		return n
	}
	s.Total, s.Good = count("itemTotalQuantity"), count("itemGoodQuantity")
	for _, column := range []string{"itemBlackSpot", "itemOilDeposit", "itemScratch", "itemCrack", "itemSinkMark", "itemShort", "itemBurst", "itemBend", "itemStain", "otherNG"} {
		s.Scrap += count(column)
	}
	grams, known := perPart[s.Item+"/"+s.Resin]
	if s.Total > 0 && !known {
		return fmt.Errorf("there is no bill of item %s in resin %s", s.Item, s.Resin)
	}
	parts, err := event.FromScaled(s.Total, 0)
	faults = append(faults, err)
	if s.Total > 0 {
		s.Grams, err = grams.Mul(parts)
		s.Grams = s.Grams.RoundHalfEven(3)
		faults = append(faults, err)
	}
	m.Shifts = append(m.Shifts, s)
	return errors.Join(faults...)
}

// read reads the rows of the tables that a pattern names, by the names of their columns.
func (m *Month) read(pattern string, row func(cell map[string]string) error) error {
	files, err := filepath.Glob(filepath.Join(m.Folder, filepath.FromSlash(pattern)))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: there is no %s", m.Folder, pattern)
	}
	for _, file := range files {
		if err := readTable(file, row); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func readTable(file string, row func(cell map[string]string) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1 // empty rows below the table are shorter
	rows, err := r.ReadAll()
	if err != nil {
		return err
	}
	for n, cells := range rows[min(1, len(rows)):] {
		cell := map[string]string{}
		for i, text := range cells[:min(len(cells), len(rows[0]))] {
			cell[strings.TrimSpace(strings.TrimPrefix(rows[0][i], "\ufeff"))] = strings.TrimSpace(text)
		}
		if err := row(cell); err != nil {
			return fmt.Errorf("row %d: %w", n+2, err)
		}
	}
	return nil
}

func (m *Month) item(cell map[string]string) error {
	if code := cell["itemCode"]; code != "" {
		m.Items = append(m.Items, Item{Code: code, Name: cell["itemName"], Unit: "u", Cost: "0.01", Made: true})
	}
	return nil
}

// resin takes what parts are made of; masterbatches are not reported by the floor.
func (m *Month) resin(cell map[string]string) error {
	if code := cell["resinCode"]; code != "" && cell["resinType"] == "plasticResin" {
		m.Resins = append(m.Resins, Item{Code: code, Name: cell["resinName"], Unit: "g", Cost: "0.002"})
	}
	return nil
}

func (m *Month) order(cell map[string]string) error {
	number := cell["poNo"]
	if number == "" {
		return nil // a formatted row below the table
	}
	quantity, err := event.ParseDecimal(cell["itemQuantity"])
	if err != nil {
		return fmt.Errorf("order %s: itemQuantity: %w", number, err)
	}
	grams, err := inGrams(cell["plasticResinQuantity"])
	if err != nil {
		return fmt.Errorf("order %s: plasticResinQuantity: %w", number, err)
	}
	m.Orders = append(m.Orders, MouldingOrder{
		Order: Order{Plan: number, Number: number, Plant: MouldingPlant, Item: cell["itemCode"], Quantity: quantity.String()},
		Resin: cell["plasticResinCode"],
		Grams: grams,
	})
	return m.known(m.Orders[len(m.Orders)-1])
}

// inGrams are kilograms in whole grams: what is planned is no more exact than that.
func inGrams(kilograms string) (string, error) {
	d, err := event.ParseDecimal(kilograms)
	if err != nil {
		return "", err
	}
	thousand, err := event.FromScaled(1000, 0)
	if err != nil {
		return "", err
	}
	grams, err := d.RoundHalfEven(6).Mul(thousand)
	return grams.RoundHalfEven(0).String(), err
}

// known says whether item and resin of an order are in the master data.
func (m *Month) known(o MouldingOrder) error {
	has := func(items []Item, code string) bool {
		return slices.ContainsFunc(items, func(i Item) bool { return i.Code == code })
	}
	if !has(m.Items, o.Item) || !has(m.Resins, o.Resin) {
		return fmt.Errorf("order %s is of item %s and resin %s, which the master data do not hold", o.Number, o.Item, o.Resin)
	}
	return nil
}
