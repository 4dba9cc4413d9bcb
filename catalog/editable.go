package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/mapping"
)

// lotKinds are the kinds of objects that are of the record wherever they stand: of what,
// and of which part of it, something is said.
var lotKinds = []string{"material", "lot", "batch", "serial"}

// editable checks what the fields decide that may be edited: the cases of the mapping
// show it.
func (l *loader) editable(d *document, m *Message) {
	if m.Mapping == nil {
		return // what is wrong with it is told
	}
	for i, f := range m.Definition.Editable {
		at := fmt.Sprintf("editable[%d].field", i)
		decided, met := m.Mapping.Decides(f.Field, l.catalog.localCodes(m.System))
		if !met {
			l.errorAt(d, at, "Correct the path, or add a case whose message has the field: the cases show what it decides.", "no case has the field %.80q", f.Field)
			continue
		}
		for _, x := range decided {
			if never := x.Field == "plant" || x.Field == "identity"; never {
				l.errorAt(d, at, "Take it out: the remedy is a correction at source.", "%s decides the %s, which nobody may edit", f.Field, x.Field)
				break
			}
			if what := l.catalog.recorded(x); what != "" && f.Second == "" {
				l.errorAt(d, at, "Take it out: the remedy is a correction at source. Or name under second the role of another person who has to sign.",
					"%s decides %s, which is of the record", f.Field, what)
				break
			}
		}
	}
}

// localCodes are all that a system calls codes, in order.
func (c *Catalog) localCodes(system string) []string {
	all := map[string]bool{}
	for _, list := range c.codes {
		for local := range list.Local[system] {
			all[local] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// recorded is what of the record a field of a message decides, in words; "" where what it
// decides is technical. Of the record is what the contract says is (x-record), amounts,
// what they are of, when it happened, its order, and whether there is an event at all. The
// unit of a quantity is not: what it is in base units follows from it, and is judged.
func (c *Catalog) recorded(d mapping.Decided) string {
	part, rest, _ := strings.Cut(d.Field, "/")
	switch part {
	case "":
		return "whether there is a " + d.Type
	case "lookups":
		return "which reference data is read (" + rest + ")"
	case "occurred":
		return "when " + d.Type + " happened"
	case "subject", "sequence":
		return fmt.Sprintf("the %s of %s", part, d.Type)
	case "data":
		if k, ok := c.Contract(d.Type, d.Version); !ok || k.fields.recorded(strings.Split(rest, "/")) {
			return fmt.Sprintf("%s of %s", rest, d.Type)
		}
	}
	return ""
}

// recorded tells whether a field at a path of the data is of the record.
func (f *field) recorded(path []string) bool {
	if f == nil {
		return true // of nothing that is declared: nobody can tell
	}
	if f.quantity != nil && len(path) > 0 {
		return path[0] != "unit"
	}
	if f.record || slices.ContainsFunc(f.kinds, func(kind string) bool { return slices.Contains(lotKinds, kind) }) {
		return true
	}
	if len(path) == 0 {
		return false
	}
	if _, err := strconv.Atoi(path[0]); err == nil && f.items != nil {
		return f.items.recorded(path[1:])
	}
	for _, p := range f.properties {
		if p.name == path[0] {
			return p.field.recorded(path[1:])
		}
	}
	if f.kinds != nil {
		return false // a part of what names a ref
	}
	return f.additional.recorded(path[1:])
}

// writeEditable writes which fields may be edited in the hub, and by whom.
func writeEditable(b *strings.Builder, all []mapping.EditableField) {
	if len(all) == 0 {
		b.WriteString("\nNothing of it can be edited in the hub: what is wrong is corrected at its source.\n")
		return
	}
	b.WriteString("\nWhile it is held these fields can be edited in the hub; everything else is corrected at its source.\n")
	var rows [][]string
	for _, f := range all {
		rows = append(rows, []string{"`" + f.Field + "`", f.Role, cmp.Or(f.Second, "nobody: it is technical")})
	}
	table(b, []string{"field", "edited by", "signed too by"}, rows)
}

// editableDifferences tells in words who may edit what no longer or from now on, and takes
// that out of two definitions of a mapping.
func editableDifferences(before, now map[string]any) []string {
	was, is := editableOf(before), editableOf(now)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(is)) {
		switch old, known := was[name]; {
		case !known:
			all = append(all, fmt.Sprintf("editable: %s can be edited in the hub from now on: %s.", name, is[name]))
		case old != is[name]:
			all = append(all, fmt.Sprintf("editable: %s was edited %s, now %s.", name, old, is[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[name]; !still {
			all = append(all, fmt.Sprintf("editable: %s can no longer be edited in the hub: what is wrong with it is corrected at its source.", name))
		}
	}
	return all
}

// editableOf takes the list out of a definition: by whom each field is edited, in words.
func editableOf(definition map[string]any) map[string]string {
	list, _ := definition["editable"].([]any)
	delete(definition, "editable")
	all := map[string]string{}
	for _, item := range list {
		f, _ := item.(map[string]any)
		name, _ := f["field"].(string)
		all[name] = fmt.Sprintf("by the role %v", f["role"])
		if second, _ := f["second"].(string); second != "" {
			all[name] += ", signed too by the role " + second
		}
	}
	return all
}
