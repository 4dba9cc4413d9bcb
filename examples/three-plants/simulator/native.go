package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// asJSON is a message of one JSON object.
func asJSON(name string, fields map[string]any) (Message, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return Message{}, fmt.Errorf("write the message %s: %w", name, err)
	}
	return Message{Name: name, Type: "application/json", Body: string(text)}, nil
}

// native is what the MES of the plant reports of an act, in its own format.
func (m *mesBooks) native(a *Act) ([]Message, error) {
	switch m.plant.name {
	case "lyon":
		return m.lyon(a)
	case "puebla":
		one, err := m.puebla(a)
		return []Message{one}, err
	}
	one, err := m.graz(a)
	return []Message{one}, err
}

// wrong is an act that a system does not do.
func wrong(system string, a *Act) error { return fmt.Errorf("%s does no %s", system, a.Does) }

// grazReasons are the codes that the MES of Graz has for why something is scrap.
var grazReasons = map[string]string{"composition": "K1", "contamination": "K2", "set-up": "K3", "weight": "K4", "labelling": "K5"}

// graz writes JSON with German names, local times, and orders with leading zeros.
func (m *mesBooks) graz(a *Act) (Message, error) {
	f := map[string]any{
		"meldung": a.Report, "zeit": a.Occurred.In(m.zone).Format("02.01.2006 15:04:05"), "linie": a.Line,
		"auftrag": fmt.Sprintf("%012s", a.Order), "charge": a.Batch, "artikel": m.goods.number(m.plant.mes(), a.Material),
	}
	if a.Lot != "" {
		f["los"] = a.Lot
	}
	if a.Quantity.Unit != "" {
		f["menge"], f["einheit"] = a.Quantity.Value.String(), m.plant.units[a.Quantity.Unit]
	}
	if a.Wrong == wrongScale {
		f["menge"] = "-" + a.Quantity.Value.String()
	}
	switch a.Does {
	case StartBatch:
		return asJSON("chargenstart", f)
	case Consume:
		return asJSON("verbrauch", f)
	case Produce, Restate, Cancel:
		f["storniert"] = a.Does == Cancel
		return asJSON("gutmeldung", f)
	case Scrap:
		f["grund"] = grazReasons[a.Reason]
		return asJSON("ausschuss", f)
	case EndOperation:
		f["vorgang"] = a.Operation
		if len(a.Serials) > 0 {
			f["seriennummern"] = a.Serials
		}
		return asJSON("vorgang", f)
	case InspectSerial:
		f["vorgang"], f["seriennummer"], f["merkmal"], f["ergebnis"], f["wert"], f["max"] = a.Operation, a.Serials[0], "DICHTHEIT", "IO", "0.4", "0.5"
		if !a.Passed {
			f["ergebnis"], f["wert"] = "NIO", "0.9"
		}
		f["einheit"] = "mbar"
		return asJSON("pruefung", f)
	case EndBatch:
		f["lose"], f["ergebnis"] = a.Lots, "BEENDET"
		return asJSON("chargenende", f)
	default:
		return Message{}, wrong(m.plant.mes(), a)
	}
}

// lyonReasons are the codes of Lyon.
var lyonReasons = map[string]string{"composition": "COMPO", "contamination": "CONTA", "set-up": "REGL", "weight": "POIDS", "labelling": "ETIQ"}

// lyon writes tables with French names and decimal commas, and sends every one of
// them twice, the second time with another time of export.
func (m *mesBooks) lyon(a *Act) ([]Message, error) {
	head := []string{"numero", "date_heure", "ligne", "of", "lot_fabrication", "article", "lot", "qte", "unite"}
	row := []string{
		a.Report, a.Occurred.In(m.zone).Format("2006-01-02 15:04:05"), a.Line, "OF" + a.Order, a.Batch, m.goods.number(m.plant.mes(), a.Material),
		a.Lot, strings.ReplaceAll(a.Quantity.Value.String(), ".", ","), m.plant.units[a.Quantity.Unit],
	}
	var name string
	switch a.Does {
	case StartBatch:
		name = "lancement"
	case Consume:
		name = "consommation"
	case Produce, Restate, Cancel:
		name = "declaration"
		head, row = append(head, "annule"), append(row, map[bool]string{true: "O", false: "N"}[a.Does == Cancel])
	case Scrap:
		name = "rebut"
		reason := lyonReasons[a.Reason]
		if a.Wrong == wrongReason {
			reason = "AUTRE"
		}
		head, row = append(head, "motif"), append(row, reason)
	case EndBatch:
		name = "fin-de-lot"
		head, row = append(head[:6:6], "lots"), append(row[:6:6], strings.Join(a.Lots, "|"))
	default:
		return nil, wrong(m.plant.mes(), a)
	}
	head = append(head, "export")
	messages := make([]Message, 2)
	for i := range messages {
		export := a.At.Add(time.Duration(i) * time.Second).In(m.zone).Format("2006-01-02 15:04:05")
		messages[i] = Message{Name: name, Type: "text/csv", Body: strings.Join(head, ";") + "\n" + strings.Join(append(slices.Clip(row), export), ";") + "\n"}
	}
	return messages, nil
}

// pueblaReasons are the codes of Puebla.
var pueblaReasons = map[string]string{"composition": "11", "contamination": "12", "set-up": "13", "weight": "14", "labelling": "15"}

// puebla writes nested JSON with numbers as numbers, in pounds.
func (m *mesBooks) puebla(a *Act) (Message, error) {
	f := map[string]any{
		"header": map[string]any{"id": a.Report, "ts": a.Occurred.In(m.zone).Format("01/02/2006 15:04:05"), "line": a.Line},
		"wo":     a.Order, "batch": a.Batch, "part": m.goods.number(m.plant.mes(), a.Material),
	}
	if a.Lot != "" {
		f["lot"] = a.Lot
	}
	if a.Quantity.Unit != "" {
		f["qty"] = map[string]any{"v": json.Number(a.Quantity.Value.String()), "u": m.plant.units[a.Quantity.Unit]}
	}
	if a.Wrong == noOrder {
		f["wo"] = ""
	}
	switch a.Does {
	case StartBatch:
		return asJSON("batch-start", f)
	case Consume:
		return asJSON("consumption", f)
	case Produce, Restate, Cancel:
		f["void"] = a.Does == Cancel
		return asJSON("output", f)
	case Scrap:
		f["reason"] = pueblaReasons[a.Reason]
		return asJSON("scrap", f)
	case EndBatch:
		f["lots"] = a.Lots
		return asJSON("batch-end", f)
	default:
		return Message{}, wrong(m.plant.mes(), a)
	}
}

// Codes of the warehouses and of the ERP for what may be done with stock.
var (
	wmsStatus = map[Status]string{Free: "AVL", Quality: "QC", Blocked: "BLK"}
	wmsUnits  = map[string]string{kilogram: "KG", piece: "EA"}
	erpStatus = map[Status]string{Free: "F", Quality: "Q", Blocked: "S"}
	erpUnits  = map[string]string{kilogram: "KG", piece: "ST", pound: "LB"}
)

// keyOf is what a table translates into a code.
func keyOf[K comparable](table map[K]string, code string) (K, bool) {
	for k, c := range table {
		if c == code {
			return k, true
		}
	}
	var none K
	return none, false
}

// native is what a warehouse reports of an act, before it is folded.
func (w *wmsBooks) native(a *Act) []Message {
	if a.Does == Recount {
		shelf := w.store.of(w.key(a.Material, a.Lot), a.Quantity.Unit)
		m, _ := asJSON("count", map[string]any{ // texts alone can always be written
			"task": a.Report, "ts": a.Occurred.Format(time.RFC3339), "sku": w.goods.number(w.plant.wms(), a.Material), "lot": a.Lot,
			"qty": a.Quantity.Value.String(), "uom": wmsUnits[a.Quantity.Unit], "bin": w.bins[a.Lot], "expected": shelf.whole().String(),
		})
		return []Message{m}
	}
	if a.Does == TestTerminal {
		return []Message{w.move(a.Report, a.Occurred, a.Material, a.Lot, "TEST", a.Quantity.Unit, "PROD", "PROD", "", wmsStatus[Quality], "MOV", "")}
	}
	if a.Does == PutAway {
		at := a.Occurred
		if a.Wrong == wrongClock {
			at = at.AddDate(100, 0, 0)
		}
		return []Message{w.move(a.Report, at, a.Material, a.Lot, a.Quantity.Value.String(), a.Quantity.Unit, "PROD", a.Bin, "", wmsStatus[Quality], "PUT", "")}
	}
	shelf := w.store.of(w.key(a.Material, a.Lot), a.Quantity.Unit)
	status := wmsStatus[shelf.main()]
	return []Message{w.move(a.Report, a.Occurred, a.Material, a.Lot, shelf.whole().String(), shelf.unit, w.bins[a.Lot], a.Bin, status, status, "MOV", "")}
}

func (w *wmsBooks) move(number string, at time.Time, company, lot, quantity, unit, fromBin, toBin, from, to, reason, reference string) Message {
	m, _ := asJSON("move", map[string]any{ // as above
		"task": number, "ts": at.UTC().Format(time.RFC3339), "sku": w.goods.number(w.plant.wms(), company), "lot": lot, "qty": quantity, "uom": wmsUnits[unit],
		"from": map[string]any{"bin": fromBin, "status": from}, "to": map[string]any{"bin": toBin, "status": to}, "reason": reason, "ref": reference,
	})
	return m
}

// qmsReasons are the codes of the quality system for why it decides.
var qmsReasons = map[string]string{"specification": "01", "deviation": "02", "equipment": "03", "documents": "04", "complaint": "05"}

// qmsNative is what the quality system reports of an act: UTC, and codes of its own.
func qmsNative(a *Act) (Message, error) {
	p, _ := plantOf(a.Plant)
	f := map[string]any{
		"number": a.Number, "at": a.Occurred.Format(time.RFC3339), "site": p.qms, "item": newGoods().number(qmsName, a.Material), "lot": a.Lot,
	}
	if a.Reason != "" {
		f["reason"] = qmsReasons[a.Reason]
	}
	switch a.Does {
	case Inspect:
		value := "6.9"
		if !a.Passed {
			value = "8.4"
		}
		f["results"] = []map[string]any{{"test": "PH", "value": value, "min": "6.0", "max": "8.0", "ok": a.Passed}}
		return asJSON("inspection", f)
	case PlaceHold:
		return asJSON("hold", f)
	case LiftHold:
		return asJSON("hold-lift", f)
	case Release:
		f["decision"] = "REL"
		return asJSON("usage-decision", f)
	case Reject:
		f["decision"] = "REJ"
		return asJSON("usage-decision", f)
	case Decide:
		f["decision"] = "SPLIT"
		f["unit"] = qmsUnits[a.Quantity.Unit]
		f["total"] = a.Quantity.Value.String()
		parts := []map[string]any{}
		for _, part := range a.Parts {
			parts = append(parts, map[string]any{"quantity": part.Quantity.Value.String(), "code": qmsParts[part.Status]})
		}
		f["parts"] = parts
		return asJSON("usage-decision", f)
	default:
		return Message{}, wrong(qmsName, a)
	}
}

var (
	qmsUnits = map[string]string{kilogram: "kilogram", piece: "piece"}
	qmsParts = map[Status]string{Free: "ACCEPT", Blocked: "REFUSE"}
)
