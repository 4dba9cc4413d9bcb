package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
	"github.com/gapless/gapless/transaction"
)

// A Revision says what became of a definition.
type Revision string

// The four revisions.
const (
	Added    Revision = "added"
	Removed  Revision = "removed"
	Changed  Revision = "changed"
	Affected Revision = "affected" // its file is the same, and it does something else now
)

// A DefinitionChange is one file of the catalog that is not what it was.
type DefinitionChange struct {
	File     string   `json:"file"`
	Revision Revision `json:"revision"`
	Effect   Effect   `json:"effect"`  // for contracts; EffectCompatible for all others
	Reasons  []string `json:"reasons"` // what it means, a sentence each
	Schema   []Change `json:"schema,omitempty"`
}

// String is the change with its reasons below.
func (c *DefinitionChange) String() string {
	text := string(c.Revision) + " " + c.File
	if c.Effect != EffectCompatible && c.Effect != "" {
		text += " (" + string(c.Effect) + ")"
	}
	return strings.Join(append([]string{text}, c.Reasons...), "\n  ")
}

// Diff tells what changed from one revision to the next, by file. Contracts are
// compared by Compatible; of policies, lifecycles, mappings and plans the cases of
// before are run with the definitions of now, so that what they do differently
// is told even where their own file is the same.
func Diff(before, now *Catalog) []DefinitionChange {
	files := maps.Clone(before.documents)
	maps.Copy(files, now.documents)
	var changes []DefinitionChange
	for _, file := range slices.Sorted(maps.Keys(files)) {
		was, is := before.documents[file], now.documents[file]
		change := DefinitionChange{File: file, Effect: EffectCompatible}
		switch {
		case was == nil:
			change.Revision = Added
			change.versionOf(before, now, is)
			change.plan(nil, now.plans[is.name])
		case is == nil:
			change.Revision = Removed
			change.removed(file, was)
			change.plan(before.plans[was.name], nil)
		default:
			if was.digest() != is.digest() {
				change.Revision = Changed
				change.plan(before.plans[was.name], now.plans[is.name])
				change.compare(file, was, is)
			}
			if reasons := rerun(before, now, file, is.name); len(reasons) > 0 {
				if change.Revision == "" {
					change.Revision = Affected
				}
				change.Reasons = append(change.Reasons, reasons...)
			}
		}
		if change.Revision != "" {
			changes = append(changes, change)
		}
	}
	return changes
}

// versionOf compares a new version of a contract with the newest of before.
func (c *DefinitionChange) versionOf(before, now *Catalog, d *document) {
	if !strings.HasPrefix(c.File, "contracts/") {
		return
	}
	for _, k := range now.Contracts() {
		if fmt.Sprintf("%s.v%d", k.Type, k.Version) != d.name {
			continue
		}
		if previous, ok := before.Contract(k.Type, 0); ok {
			c.Reasons = append(c.Reasons, fmt.Sprintf("Version %d beside version %d, which stays.", k.Version, previous.Version))
			c.schemas(previous.ContractDefinition.Schema, k.ContractDefinition.Schema)
		}
	}
}

func (c *DefinitionChange) removed(file string, was *document) {
	if strings.HasPrefix(file, "contracts/") {
		c.Effect = BreakingForSenders
		c.Reasons = append(c.Reasons, "Events of this type and version were accepted; now they are held.")
	}
	switch {
	case !strings.HasPrefix(file, "mappings/"):
	case isCommand(was):
		c.Reasons = append(c.Reasons, "The command was sent; now nothing can send it.")
	default:
		c.Reasons = append(c.Reasons, "The message was read; now it is refused.")
	}
}

func (c *DefinitionChange) compare(file string, was, is *document) {
	before, _ := was.value().(map[string]any)
	now, _ := is.value().(map[string]any)
	if strings.HasPrefix(file, "contracts/") {
		c.schemas(before["schema"], now["schema"])
		delete(before, "schema")
		delete(now, "schema")
	}
	c.Reasons = append(c.Reasons, editableDifferences(before, now)...)
	c.Reasons = append(c.Reasons, differences(before, now)...)
}

func (c *DefinitionChange) schemas(before, now any) {
	c.Schema = Compatible(before, now)
	c.Effect = EffectOf(c.Schema)
	for _, change := range c.Schema {
		c.Reasons = append(c.Reasons, change.Plain)
	}
}

// maxDifferences is how many differences of one file are told.
const maxDifferences = 20

// differences tells which values of a definition are not what they were. Cases
// and examples are left out: they say what is expected, not what is done.
func differences(before, now map[string]any) []string {
	var all []string
	for _, d := range flatDifferences("", before, now) {
		if head, _, _ := strings.Cut(d, ": "); !strings.HasPrefix(head, "cases") && !strings.HasPrefix(head, "examples") {
			all = append(all, d)
		}
	}
	if len(all) > maxDifferences {
		rest := len(all) - maxDifferences
		all = append(all[:maxDifferences], fmt.Sprintf("and %d more", rest))
	}
	return all
}

func flatDifferences(at string, before, now any) []string {
	if canonicalJSON(before) == canonicalJSON(now) {
		return nil
	}
	was, wasObject := before.(map[string]any)
	is, isObject := now.(map[string]any)
	if wasObject && isObject {
		names := maps.Clone(was)
		maps.Copy(names, is)
		var all []string
		for _, name := range slices.Sorted(maps.Keys(names)) {
			all = append(all, flatDifferences(join(at, name), was[name], is[name])...)
		}
		return all
	}
	wasList, wasIsList := before.([]any)
	isList, isIsList := now.([]any)
	if wasIsList && isIsList && len(wasList) == len(isList) {
		var all []string
		for i := range isList {
			all = append(all, flatDifferences(fmt.Sprintf("%s[%d]", at, i), wasList[i], isList[i])...)
		}
		return all
	}
	switch {
	case before == nil:
		return []string{fmt.Sprintf("%s: %s is new", at, plainly(now))}
	case now == nil:
		return []string{fmt.Sprintf("%s: %s is gone", at, plainly(before))}
	}
	return []string{textDifference(at, before, now)}
}

// textDifference is the sentence about two values. Of a text of several lines it
// tells those that differ, of a long one the part that does.
func textDifference(at string, before, now any) string {
	was, wasText := before.(string)
	is, isText := now.(string)
	if !wasText || !isText {
		return fmt.Sprintf("%s: %s was %s", at, plainly(now), plainly(before))
	}
	if !strings.Contains(was+is, "\n") {
		same := commonLength([]rune(was), []rune(is))
		return fmt.Sprintf("%s: %s was %s", at, excerpt(is, same), excerpt(was, same))
	}
	old, updated := textLines(was), textLines(is)
	same := commonLength(old, updated)
	old, updated = old[same:], updated[same:]
	for len(old) > 0 && len(updated) > 0 && old[len(old)-1] == updated[len(updated)-1] {
		old, updated = old[:len(old)-1], updated[:len(updated)-1]
	}
	at = fmt.Sprintf("%s: line %d", at, same+1)
	switch {
	case len(old) == 0 && len(updated) == 0:
		return at + ": only the end of the text differs"
	case len(old) == 0:
		return fmt.Sprintf("%s: %s is new", at, plainLines(updated))
	case len(updated) == 0:
		return fmt.Sprintf("%s: %s is gone", at, plainLines(old))
	case len(old) == 1 && len(updated) == 1:
		return textDifference(at, strings.TrimSpace(old[0]), strings.TrimSpace(updated[0]))
	}
	return fmt.Sprintf("%s: %s was %s", at, plainLines(updated), plainLines(old))
}

func textLines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// commonLength is how many of their first elements two lists share.
func commonLength[T comparable](a, b []T) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// plainLines quotes each line as it is written.
func plainLines(lines []string) string {
	quoted := make([]string, len(lines))
	for i, line := range lines {
		quoted[i] = plainly(strings.TrimSpace(line))
	}
	return strings.Join(quoted, ", ")
}

// plainly is a value for a sentence, a text as it is written.
func plainly(v any) string {
	if text, isText := v.(string); isText {
		return excerpt(text, 0)
	}
	return shown(v)
}

// excerpt quotes a text; of a long one what stands around a character.
func excerpt(text string, around int) string {
	if letters := []rune(text); len(letters) > maxShownCharacters {
		from := max(0, min(around-maxShownCharacters/4, len(letters)-maxShownCharacters))
		to := from + maxShownCharacters
		text = string(letters[from:to])
		if from > 0 {
			text = "…" + text
		}
		if to < len(letters) {
			text += "…"
		}
	}
	control := strings.ContainsFunc(text, unicode.IsControl)
	switch {
	case !control && !strings.ContainsAny(text, "\"\\"):
		return `"` + text + `"`
	case !control && !strings.Contains(text, "`"):
		return "`" + text + "`"
	}
	return strconv.Quote(text)
}

// rerun runs the cases of before with the definition of now, and tells those
// that gave what they expected and do so no more.
func rerun(before, now *Catalog, file, name string) []string {
	switch folder, _, _ := strings.Cut(file, "/"); folder {
	case "policies":
		return rerunPolicy(before.policyByName[name], now.policyByName[name])
	case "lifecycles":
		return rerunLifecycle(before.lifecycles[name], now.lifecycles[name])
	case "mappings":
		return rerunMapping(before, now, file, name)
	case "plans":
		return rerunPlan(before, now, name)
	}
	return nil
}

// changedCase is the sentence about a case.
func changedCase(name, gives string) string {
	return fmt.Sprintf("Case %q of before: %s.", name, strings.TrimSuffix(gives, "."))
}

func rerunPolicy(was, is *NamedPolicy) []string {
	if was == nil || is == nil {
		return nil
	}
	definition := is.Definition
	definition.Cases = was.Definition.Cases
	compiled, err := policy.Compile(definition)
	if err != nil {
		return []string{fmt.Sprintf("The cases of before cannot be run: %v.", err)}
	}
	earlier := was.Policy.Test()
	var reasons []string
	for i, r := range compiled.Test() {
		if r.Got != earlier[i].Got {
			reasons = append(reasons, changedCase(r.Name, fmt.Sprintf("now gives %s, it gave %s", r.Got, earlier[i].Got)))
		}
	}
	return reasons
}

func rerunLifecycle(was, is *transaction.Lifecycle) []string {
	if was == nil || is == nil {
		return nil
	}
	var reasons []string
	for _, k := range was.Definition().Cases {
		earlier, later := was.Run(k), is.Run(k)
		if earlier != later {
			reasons = append(reasons, changedCase(k.Name, fmt.Sprintf("now gives %s, it gave %s", later, earlier)))
		}
	}
	return reasons
}

func rerunMapping(before, now *Catalog, file, name string) []string {
	system := strings.Split(file, "/")[1]
	was, hadBefore := before.Message(system, name)
	is, hasNow := now.Message(system, name)
	if !hadBefore || !hasNow {
		return rerunCommand(before, now, system, name)
	}
	var reasons []string
	for _, k := range was.Definition.Cases {
		earlier, later := was.outcome(k), is.outcome(k)
		if earlier != later {
			reasons = append(reasons, changedCase(k.Name, fmt.Sprintf("now gives %s, it gave %s", later, earlier)))
		}
	}
	return reasons
}

// outcome is what a mapping makes of the message of a case, as text.
func (m *Message) outcome(k mapping.Case) string {
	records, err := m.caseRecords(k)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, record := range records {
		outputs, err := m.Mapping.Apply(record, k.Lookups)
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		for _, o := range outputs {
			text, err := json.Marshal(map[string]any{"slot": o.Slot, "type": o.Type, "version": o.Version, "subject": o.Subject, "data": o.Data})
			if err != nil {
				text = []byte(err.Error())
			}
			all = append(all, string(text))
		}
	}
	if len(all) == 0 {
		return "no event"
	}
	return strings.Join(all, " ")
}
