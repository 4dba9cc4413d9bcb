package catalog

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gapless/gapless/mapping"
)

// A Command is one command of a system with its definition and compiled mapping.
type Command struct {
	System     string
	Definition mapping.CommandDefinition
	Mapping    *mapping.Command // nil only while findings are gathered
}

// Command finds a command of a system.
func (c *Catalog) Command(system, name string) (*Command, bool) {
	m, ok := c.commands[messageName{system, name}]
	return m, ok
}

// Commands is every command, by system and name.
func (c *Catalog) Commands() []*Command {
	return slices.SortedFunc(maps.Values(c.commands), func(a, b *Command) int {
		return strings.Compare(a.System+"\x00"+a.Definition.Command, b.System+"\x00"+b.Definition.Command)
	})
}

// isCommand says whether a file below mappings/ is that of a command.
func isCommand(d *document) bool {
	key, _, _ := child(d.root, "command")
	return key != nil
}

// command compiles a command of a system.
func (l *loader) command(d *document) {
	c := &Command{System: path.Base(path.Dir(d.file))}
	d.decode(&c.Definition, l.findings)
	def := &c.Definition
	l.name(d, "command", def.Command)
	l.present(d, [2]string{"title", def.Title})
	if def.System != c.System {
		l.errorAt(d, "system", "Move the file to mappings/"+def.System+"/, or correct the name.", "the folder is %s, the file says system %.80q", c.System, def.System)
	}
	if _, ok := l.catalog.systems[def.System]; !ok {
		l.errorAt(d, "system", "Declare it in systems/, or correct the name.", "system %.80q is not in the catalog", def.System)
	}
	env := l.catalog.environment(def.System, nil)
	env.Locals = func(list, code string) []string { return l.catalog.locals(def.System, list, code) }
	compiled, err := mapping.CompileCommand(*def, env)
	for _, cause := range causes(err) {
		l.mappingFault(d, cause)
	}
	l.mappedLists(d, d.root)
	c.Mapping = compiled
	l.catalog.commands[messageName{c.System, def.Command}] = c
	if compiled == nil {
		return
	}
	if !slices.ContainsFunc(def.Cases, func(k mapping.CommandCase) bool { return k.Request != nil }) {
		l.errorAt(d, "cases", "Add a command and the request that it gives.", "a command needs a case")
	}
	for _, at := range compiled.Uncovered() {
		l.errorAt(d, at, "Add an answer that it is about to the `answers` of a case.", "no case shows what %s is for", at)
	}
}

// locals is what a system calls a code: what the list says under `external`, else
// all that it says under `local`.
func (c *Catalog) locals(system, list, code string) []string {
	codes, ok := c.codes[list]
	if !ok {
		return nil
	}
	if chosen, ok := codes.External[system][code]; ok {
		return []string{chosen}
	}
	var all []string
	for local, is := range codes.Local[system] {
		if is == code {
			all = append(all, local)
		}
	}
	slices.Sort(all)
	return all
}

// externalCodes checks what a list says that systems are told.
func (l *loader) externalCodes(d *document, list *CodeList) {
	for _, system := range slices.Sorted(maps.Keys(list.External)) {
		for _, code := range slices.Sorted(maps.Keys(list.External[system])) {
			if !list.Has(code) {
				l.errorAt(d, "external."+system+"."+code, "Add the code to the list, or correct it.", "%s is told what to say for %s, which is not on the list %s", system, code, list.List)
			}
		}
	}
}

// command runs the cases of a command.
func (t *tester) command(file string, d *document) {
	c, ok := t.catalog.Command(path.Base(path.Dir(file)), d.name)
	if !ok {
		return
	}
	var ofSystem *mapping.Answers
	if s, ok := t.catalog.System(c.System); ok {
		ofSystem = s.Connector.AnswerRules()
	}
	for i, r := range c.Mapping.Test(ofSystem) {
		t.add(d, fmt.Sprintf("cases[%d]", i), r.Name, strings.Join(r.Differences, "; "))
	}
}

// rerunCommand runs the cases of before with the command of now.
func rerunCommand(before, now *Catalog, system, name string) []string {
	was, hadBefore := before.Command(system, name)
	is, hasNow := now.Command(system, name)
	if !hadBefore || !hasNow {
		return nil
	}
	definition := is.Definition
	definition.Cases = was.Definition.Cases
	env := now.environment(system, nil)
	env.Locals = func(list, code string) []string { return now.locals(system, list, code) }
	compiled, err := mapping.CompileCommand(definition, env)
	if err != nil {
		return []string{fmt.Sprintf("The cases of before cannot be run: %v.", err)}
	}
	rules := func(c *Catalog) *mapping.Answers {
		if s, ok := c.System(system); ok {
			return s.Connector.AnswerRules()
		}
		return nil
	}
	earlier := was.Mapping.Test(rules(before))
	var reasons []string
	for i, r := range compiled.Test(rules(now)) {
		if earlier[i].OK() && !r.OK() {
			reasons = append(reasons, changedCase(r.Name, "now it is otherwise: "+strings.Join(r.Differences, "; ")))
		}
	}
	return reasons
}
