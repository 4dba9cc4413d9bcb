package mouldingplant

import (
	"strconv"
	"strings"
	"time"
)

// tables is every file of the month.
func (m *month) tables() []table {
	return append(append(m.masterTables(), m.orderTables()...), m.reportTable())
}

func (m *month) masterTables() []table {
	return []table{m.materialTable(), m.itemTable(), m.compositionTable(), m.machineTable(), m.mouldTable(), m.specificationTable(), m.holidayTable()}
}

func (m *month) materialTable() table {
	t := table{folder: masterFolder, name: "resineInfo", header: []string{"resinCode", "resinName", "resinType", "colorType"}}
	for _, r := range append(append(resins(), masterbatches()...), slipAdditive()) {
		t.rows = append(t.rows, []string{r.code, r.name, r.kind, r.colour})
	}
	return t
}

func (m *month) itemTable() table {
	t := table{folder: masterFolder, name: "itemInfo", header: []string{"itemCode", "itemName"}}
	for _, i := range m.items {
		t.rows = append(t.rows, []string{i.code, i.name})
	}
	return t
}

// billHeader names the columns of a bill, which compositions and orders share.
func billHeader() []string {
	return strings.Split("plasticResinCode,plasticResin,plasticResinQuantity,colorMasterbatchCode,colorMasterbatch,colorMasterbatchQuantity,"+
		"additiveMasterbatchCode,additiveMasterbatch,additiveMasterbatchQuantity", ",")
}

// compositionTable has one row for each item and resin, in kg per 10,000 parts.
func (m *month) compositionTable() table {
	t := table{folder: masterFolder, name: "itemCompositionSummary", header: append([]string{"itemCode", "itemName"}, billHeader()...)}
	for _, i := range m.items {
		for _, b := range i.bills {
			number := hundredths
			if b.noise {
				number = noisy
			}
			t.rows = append(t.rows, []string{
				i.code, i.name, b.resin.code, b.resin.name, number(b.resinPer),
				b.masterbatch.code, b.masterbatch.name, number(b.masterbatchPer),
				b.additive.code, b.additive.name, number(b.additivePer),
			})
		}
	}
	return t
}

// machineTable has one row for each time that a machine stands somewhere. Two of
// them moved in the month; one more comes later.
func (m *month) machineTable() table {
	t := table{
		folder: masterFolder, name: "machineInfo",
		header: strings.Split("machineNo,machineCode,machineName,manufacturerName,machineTonnage,changedTime,layoutStartDate,layoutEndDate,previousMachineCode", ","),
	}
	since, moved := m.first.AddDate(0, -2, 0), m.days[m.moveDay()]
	add := func(place string, mc machine, times int, from time.Time, to, before string) {
		t.rows = append(t.rows, []string{place, mc.code, mc.name, mc.maker, mc.tonnage, strconv.Itoa(times), serial(from), to, before})
	}
	all := machines()
	for i, mc := range all {
		until := ""
		if m.places[i].machine != mc {
			until = serial(moved)
		}
		add(place(i), mc, 1, since, until, "None")
	}
	for i, s := range m.places {
		if s.machine != all[i] {
			add(s.place, s.machine, 2, moved, "", all[i].code)
		}
	}
	add(place(len(all)), machine{"HN130-003", "HN130", "Hanno", "130"}, 1, m.first.AddDate(0, 2, 0), "", "None")
	return t
}

func (m *month) mouldTable() table {
	t := table{
		folder: masterFolder, name: "moldInfo",
		header: strings.Split("moldNo,moldName,moldCavityStandard,moldSettingCycle,machineTonnage,acquisitionDate,itemsWeight,runnerWeight", ","),
	}
	for _, md := range moulds() {
		weight := hundredths(md.weight)
		if md.formulaFailed {
			weight = "#REF!"
		}
		t.rows = append(t.rows, []string{
			md.number, md.name, strconv.FormatInt(md.cavities, 10), strconv.FormatInt(md.cycle, 10), md.tonnage,
			serial(m.first.AddDate(0, 0, -md.acquired)), weight, hundredths(md.runner),
		})
	}
	return t
}

// specificationTable says which moulds form an item.
func (m *month) specificationTable() table {
	t := table{folder: masterFolder, name: "moldSpecificationSummary", header: []string{"itemCode", "itemName", "itemType", "moldNum", "moldList"}}
	for _, i := range m.items {
		t.rows = append(t.rows, []string{i.code, i.name, i.family, "1", i.mould.number})
	}
	return t
}

// holidayTable lists the days off, and the Saturdays on which overtime is worked.
func (m *month) holidayTable() table {
	t := table{folder: masterFolder, name: "holidayNotes", header: []string{"Date", "Day of week", "Holiday", "Note"}}
	for day := m.first; day.Month() == m.first.Month(); day = day.AddDate(0, 0, 1) {
		line := []string{serial(day), day.Format("Mon"), "", ""}
		switch {
		case m.off(day) && day.Weekday() != time.Sunday:
			line[2] = "Founder's Day"
		case day.Weekday() == time.Saturday && day.Day() > 20:
			line[3] = "Overtime"
		case !m.off(day):
			continue
		}
		t.rows = append(t.rows, line)
	}
	return t
}

// orderTables is one workbook for each day on which orders were received. Resin
// is rounded to whole kilograms, as the ERP does; masterbatch is not.
func (m *month) orderTables() []table {
	var all []table
	for _, o := range m.orders {
		name := "purchaseOrder_" + o.received.Format("060102")
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{
				folder: orderFolder, name: name, sheet: "poList",
				header: append([]string{"poReceivedDate", "poNo", "poETA", "itemCode", "itemName", "itemQuantity"}, billHeader()...),
				dates:  []int{0, 2}, counts: []int{5},
			})
		}
		number := hundredths
		if o.bill.orderNoise {
			number = noisy
		}
		whole := func(per int64) string { return strconv.FormatInt((o.quantity*per+500_000)/1_000_000, 10) }
		part := func(per int64) string { return number(o.quantity * per / 10_000) }
		t := &all[len(all)-1]
		t.rows = append(t.rows, []string{
			serial(o.received), o.number, serial(o.due), o.item.code, o.item.name, strconv.FormatInt(o.quantity, 10),
			o.bill.resin.code, o.bill.resin.name, whole(o.bill.resinPer),
			o.bill.masterbatch.code, o.bill.masterbatch.name, part(o.bill.masterbatchPer),
			o.bill.additive.code, o.bill.additive.name, part(o.bill.additivePer),
		})
	}
	return all
}

// reportTable is the shift reports of the month, with the column that the plant misspells.
func (m *month) reportTable() table {
	t := table{
		folder: reportFolder, name: "monthlyReports_" + m.first.Format("200601"),
		header: strings.Split("recordDate,workingShift,machineNo,machineCode,itemCode,itemName,colorChanged,moldChanged,machineChanged,poNote,"+
			"moldNo,moldShot,moldCavity,itemTotalQuantity,itemGoodQuantity,itemBlackSpot,itemOilDeposit,itemScratch,itemCrack,itemSinkMark,itemShort,"+
			"itemBurst,itemBend,itemStain,otherNG,plasticResine,plasticResineCode,plasticResineLot,colorMasterbatch,colorMasterbatchCode,"+
			"additiveMasterbatch,additiveMasterbatchCode", ","),
	}
	for _, r := range m.rows {
		t.rows = append(t.rows, r.cells(len(t.header)))
	}
	return t
}

// noMachineChange is what the column machineChanged says: nothing, in every row
// of the real month too. That a machine moved is in the master data.
const noMachineChange = ""

// cells writes a row. What is not known is empty; a shift in which nothing was
// made says 0, without a number of cavities.
func (r row) cells(width int) []string {
	cells := append(make([]string, 0, width), serial(r.day), r.shift, r.place, r.machineCode)
	if r.order == nil {
		return append(cells, make([]string, width-len(cells))...)
	}
	o := r.order
	cells = append(
		cells, o.item.code, o.item.name, r.colourChange, r.mouldChange, noMachineChange, o.number, o.item.mould.number,
		strconv.FormatInt(r.shots, 10), scaled(r.cavities, 0), strconv.FormatInt(r.total, 10), strconv.FormatInt(r.good, 10),
	)
	for _, reason := range reasons() {
		cells = append(cells, scaled(r.rejected[reason.column], 0))
	}
	return append(
		cells, o.bill.resin.name, o.bill.resin.code, r.lot,
		o.bill.masterbatch.name, o.bill.masterbatch.code, o.bill.additive.name, o.bill.additive.code,
	)
}
