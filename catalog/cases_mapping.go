package catalog

import (
	"fmt"
	"path"
	"strings"

	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/mapping"
)

// mapping runs the cases of a mapping and holds the events that they give
// against their contracts.
func (t *tester) mapping(file string, d *document) {
	m, ok := t.catalog.Message(path.Base(path.Dir(file)), d.name)
	if !ok {
		return
	}
	for i, r := range m.Mapping.Test() {
		at := fmt.Sprintf("cases[%d]", i)
		problem := strings.Join(r.Differences, "; ")
		if k := m.Definition.Cases[i]; problem == "" && k.Fault == nil {
			problem = t.catalog.breaches(m, k)
		}
		t.add(d, at, r.Name, problem)
	}
}

// breaches answers in what way the events of a case break their contracts, "" for
// none. A local identifier that the catalog does not resolve itself stands for
// something: its cross-reference is data, not part of the definition.
func (c *Catalog) breaches(m *Message, k mapping.Case) string {
	records, err := m.caseRecords(k)
	if err != nil {
		return err.Error()
	}
	var texts []string
	for _, record := range records {
		plant, err := m.Mapping.Plant(record)
		if err != nil {
			return err.Error()
		}
		outputs, err := m.Mapping.Apply(record, k.Lookups)
		if err != nil {
			return err.Error()
		}
		for _, o := range outputs {
			for _, f := range c.tryEvent(m.System, plant, o, Given{}).Faults {
				texts = append(texts, fmt.Sprintf("slot %s: %s", o.Slot, f.Text()))
			}
		}
	}
	return strings.Join(texts, "; ")
}

// caseRecords is the records of a case's message.
func (m *Message) caseRecords(k mapping.Case) ([]map[string]any, error) {
	if k.Raw == "" {
		return []map[string]any{k.Message}, nil
	}
	spec := m.Definition.Format
	if k.Kind != "" {
		spec, _ = m.Mapping.Format(k.Kind)
	}
	var records []map[string]any
	for record, err := range format.Split(spec, []byte(k.Raw), format.Limits{}) {
		if err != nil {
			return nil, err
		}
		records = append(records, record.Value)
	}
	return records, nil
}
