package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/policy"
	"github.com/gapless/gapless/transaction"
)

// extensionSuffix names the file that extends a standard code list beside it.
const extensionSuffix = ".extension.yaml"

// headerFile is the file that makes a folder a catalog.
const headerFile = "catalog.yaml"

// mostReplayed is how many messages can be replayed at once.
const mostReplayed = 100_000

// folders are the kinds of files a catalog has, one kind per folder. Files of
// mappings stand one level deeper, by system.
func folders() []string {
	return []string{
		"kinds", "contracts", "lifecycles", "policies", "codes", "units", "cross-references",
		"owners", "slas", "systems", "plants", "mappings", "plans",
	}
}

// Load reads a catalog, the standard one below it where it extends that, and
// checks everything. The findings are all there are. The catalog is nil where
// one of them is an error.
func Load(fsys fs.FS) (*Catalog, []Finding) { return loadOver(Standard(), fsys) }

// loadOver is Load with the standard catalog of then.
func loadOver(standard, fsys fs.FS) (*Catalog, []Finding) {
	l := &loader{
		standard: standard, sources: map[string][]byte{},
		findings:  &findings{},
		documents: map[string]*document{}, unreadable: map[string]bool{},
		catalog: &Catalog{
			kinds: map[string]*Kind{}, contracts: map[string][]*Contract{}, lifecycles: map[string]*transaction.Lifecycle{},
			policyByName: map[string]*NamedPolicy{}, codes: map[string]*CodeList{},
			alternatives: map[event.Ref][]event.AlternativeUnit{}, extraUnits: map[string]bool{},
			systems: map[string]*System{}, plants: map[string]*Plant{}, mappings: map[messageName]*Message{},
			plans:    map[string]*transaction.Plan{},
			commands: map[messageName]*Command{},
		},
	}
	l.read(fsys)
	l.kinds()
	l.codes()
	l.plants()
	l.systems()
	l.units()
	l.crossReferences()
	l.owners()
	l.slas()
	l.contracts()
	l.lifecycles()
	l.policies()
	l.mappings()
	l.plans()
	l.plannedSLAs()
	l.lint()
	sorted := l.sorted()
	if HasErrors(sorted) {
		return nil, sorted
	}
	l.catalog.findSoleFillers()
	l.catalog.documents, l.catalog.sources = l.documents, l.sources
	l.catalog.digest = digestOf(l.documents)
	return l.catalog, sorted
}

// A loader is the state of one Load.
type loader struct {
	*findings
	catalog    *Catalog
	documents  map[string]*document // by path in the catalog, what counts
	extensions []extension          // of the standard catalog's code lists
	folds      []fold               // lifecycles as they were read, those that do not compile too
	planFiles  []planFile           // plans as they were read, those that do not compile too
	slaFiles   []placedSLA          // entries of slas as they were read
	unreadable map[string]bool      // names of files that are no YAML: what they define is not reported missing too
	standard   fs.FS                // the standard catalog
	sources    map[string][]byte    // every file as it was read, for Pack
}

// An extension adds to a file of the standard catalog.
type extension struct {
	path string
	doc  *document
}

// A fold is a lifecycle and the file that it stands in.
type fold struct {
	doc *document
	def transaction.Definition
}

// A planFile is a plan and the file that it stands in.
type planFile struct {
	doc *document
	def transaction.PlanDefinition
}

// A fieldFault is what is wrong with a field of a definition.
type fieldFault struct{ field, message, remedy string }

func (l *loader) faultsAt(d *document, faults []fieldFault) {
	for _, f := range faults {
		l.errorAt(d, f.field, f.remedy, "%s: %s", f.field, f.message)
	}
}

// read reads the header and every file, and lays the catalog over the standard one.
func (l *loader) read(fsys fs.FS) {
	own := l.files(fsys, "")
	header, ok := own[headerFile]
	if !ok {
		l.list = append(l.list, Finding{File: headerFile, Severity: Error, Message: "the file is missing", Remedy: "Write it with catalog, title and `extends: standard`."})
		return
	}
	header.decode(&l.catalog.Header, l.findings)
	l.name(header, "catalog", l.catalog.Catalog)
	if n := l.catalog.Replay.ApproveAbove; n != nil && (*n < 0 || *n > mostReplayed) {
		l.errorAt(header, "replay.approve-above", "Write a number from 0, where every replay is approved, to 100000.", "replay.approve-above is %d", *n)
	}
	switch l.catalog.Extends {
	case "":
	case "standard":
		l.documents = l.files(l.standard, standardPrefix)
		for _, d := range l.documents {
			d.standard = true
		}
	default:
		l.errorAt(header, "extends", "Write `extends: standard`, or leave the key out.", "there is no catalog %.80q to extend", l.catalog.Extends)
	}
	for _, file := range slices.Sorted(maps.Keys(own)) {
		l.lay(file, own[file])
	}
}

// lay puts a file of the catalog over that of the standard one.
func (l *loader) lay(file string, d *document) {
	_, exists := l.documents[file]
	extends := strings.HasPrefix(file, "codes/") && textAt(d, "extends") == "standard"
	switch {
	case file == headerFile:
	case extends && !exists:
		l.errorAt(d, "extends", "Take the key out, or correct the name of the file.", "the standard catalog has no %s to extend", file)
		return
	case extends:
		l.extensions = append(l.extensions, extension{file, d})
		return
	case exists && d.replaces == "":
		l.errorAt(d, "", "Write `replaces: standard` where you mean it, or choose another name.", "the standard catalog has %s already", file)
		return
	case !exists && d.replaces != "":
		l.errorAt(d, "", "Take the key `replaces` out, or correct the name of the file.", "the standard catalog has no %s to replace", file)
	}
	l.documents[file] = d
}

// textAt is a text at the top of a document.
func textAt(d *document, key string) string {
	if _, value, _ := child(d.root, key); value != nil {
		return value.Value
	}
	return ""
}

// files reads every YAML file of the folders. Others, such as a README, are left alone.
func (l *loader) files(fsys fs.FS, prefix string) map[string]*document {
	read := map[string]*document{}
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		misplaced := Finding{File: prefix + file, Severity: Error}
		switch extension := path.Ext(file); {
		case extension == ".yml":
			misplaced.Message, misplaced.Remedy = "files of a catalog end in .yaml; this one is not read", "Rename it."
		case extension != ".yaml":
			return nil
		case !placed(file):
			misplaced.Message = "no such file belongs to a catalog"
			misplaced.Remedy = "Put it into one of " + strings.Join(folders(), ", ") + "; mappings stand in mappings/<system>/."
		default:
			body, err := fs.ReadFile(fsys, file)
			if err != nil {
				return err
			}
			l.sources[prefix+file] = body
			name := strings.TrimSuffix(path.Base(file), ".yaml")
			d := readDocument(prefix+file, body, l.findings)
			if d == nil {
				l.unreadable[name] = true
				return nil
			}
			d.name, read[file] = name, d
			return nil
		}
		l.list = append(l.list, misplaced)
		return nil
	})
	if err != nil {
		l.list = append(l.list, Finding{File: prefix + ".", Severity: Error, Message: err.Error(), Remedy: "Make the folder and its files readable."})
	}
	return read
}

// placed says whether a file stands where the catalog looks.
func placed(file string) bool {
	parts := strings.Split(file, "/")
	switch {
	case file == headerFile:
		return true
	case len(parts) == 3:
		return parts[0] == "mappings"
	}
	return len(parts) == 2 && parts[0] != "mappings" && slices.Contains(folders(), parts[0])
}

// in yields the files of a folder by name.
func (l *loader) in(folder string, yield func(d *document)) {
	for _, file := range slices.Sorted(maps.Keys(l.documents)) {
		if strings.HasPrefix(file, folder+"/") {
			yield(l.documents[file])
		}
	}
}

// name checks a name and that the file is called after it.
func (l *loader) name(d *document, key, name string) bool {
	switch {
	case name == "":
		l.errorAt(d, "", "Add the key "+key+".", "%s is missing", key)
	case !catalogName.MatchString(name):
		l.errorAt(d, key, "Use lower-case letters, digits and hyphens, a letter first.", "%.80q is no name", name)
	case key != "catalog" && name != d.name:
		l.errorAt(d, key, fmt.Sprintf("Rename the file to %s.yaml, or correct the name.", name), "the file %s.yaml defines %s", d.name, name)
	default:
		return true
	}
	return false
}

// present reports texts that must not be empty.
func (l *loader) present(d *document, texts ...[2]string) {
	for _, t := range texts {
		if strings.TrimSpace(t[1]) == "" {
			l.errorAt(d, "", "Add it; the people who meet it read it.", "%s is missing", t[0])
		}
	}
}

var segmentName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func (l *loader) kinds() {
	l.in("kinds", func(d *document) {
		k := &Kind{}
		d.decode(k, l.findings)
		l.present(d, [2]string{"title", k.Title}, [2]string{"definition", k.Definition})
		if len(k.Segments) == 0 {
			l.errorAt(d, "segments", "Name what makes an object unique in the company, for example [material, lot].", "a kind needs segments")
		}
		for i, s := range k.Segments {
			if !segmentName.MatchString(s) {
				l.errorAt(d, fmt.Sprintf("segments[%d]", i), "Use lower-case letters, digits and hyphens.", "%.80q is no name of a segment", s)
			}
		}
		if l.name(d, "kind", k.Kind) {
			if _, err := event.NewRef(k.Kind, "x"); err != nil {
				l.errorAt(d, "kind", "Use lower-case letters and hyphens.", "%.80q cannot begin a reference", k.Kind)
			}
			l.catalog.kinds[k.Kind] = k
		}
	})
}

func (l *loader) codes() {
	l.in("codes", func(d *document) {
		list := &CodeList{}
		d.decode(list, l.findings)
		l.present(d, [2]string{"title", list.Title})
		if l.name(d, "list", list.List) {
			l.catalog.codes[list.List] = list
		}
	})
	l.in("codes", func(d *document) {
		if list, ok := l.catalog.codes[d.name]; ok {
			l.codeList(d, list)
		}
	})
	for _, x := range l.extensions {
		l.extendCodes(x)
	}
}

// extendCodes adds the codes of a file to the standard list of its name.
func (l *loader) extendCodes(x extension) {
	added := &CodeList{}
	x.doc.decode(added, l.findings)
	list, ok := l.catalog.codes[added.List]
	if !l.name(x.doc, "list", added.List) || !ok {
		return
	}
	for code, is := range added.Codes {
		if _, exists := list.Codes[code]; exists {
			l.errorAt(x.doc, "codes."+code, "Choose another code, or replace the whole list with `replaces: standard`.", "the standard list has the code %s already", code)
			continue
		}
		if list.Codes == nil {
			list.Codes = map[string]Code{}
		}
		list.Codes[code] = is
	}
	if list.Local == nil {
		list.Local = map[string]map[string]string{}
	}
	for system, local := range added.Local {
		if list.Local[system] == nil {
			list.Local[system] = map[string]string{}
		}
		maps.Copy(list.Local[system], local)
	}
	if list.External == nil {
		list.External = map[string]map[string]string{}
	}
	maps.Copy(list.External, added.External)
	l.codeList(x.doc, &CodeList{List: list.List, Codes: list.Codes, Local: added.Local, External: added.External})
	l.documents["codes/"+added.List+extensionSuffix] = x.doc
}

// codeList checks the codes and the local codes that a file states.
func (l *loader) codeList(d *document, list *CodeList) {
	if list.List == unitList {
		if len(list.Codes) > 0 {
			l.errorAt(d, "codes", "Take codes out: units are those of Recommendation 20; state local codes only.", "the list unit has no codes of its own")
		}
	} else if len(list.Codes) == 0 {
		l.errorAt(d, "codes", "Add the codes.", "the list has no codes")
	}
	for _, code := range slices.Sorted(maps.Keys(list.Codes)) {
		if list.Codes[code].Title == "" {
			l.errorAt(d, "codes."+code, "Say in a few words what it means.", "code %s has no title", code)
		}
	}
	l.externalCodes(d, list)
	for _, system := range slices.Sorted(maps.Keys(list.Local)) {
		for _, local := range slices.Sorted(maps.Keys(list.Local[system])) {
			if code := list.Local[system][local]; !list.Has(code) {
				l.errorAt(d, "local."+system+"."+local, "Add the code to the list, or correct it.", "%q of %s stands for %s, which is not on the list %s", local, system, code, list.List)
			}
		}
	}
}

func (l *loader) plants() {
	l.in("plants", func(d *document) {
		var def PlantDefinition
		d.decode(&def, l.findings)
		p, faults := newPlant(def)
		l.faultsAt(d, faults)
		l.present(d, [2]string{"title", def.Title})
		for i := range p.calendars {
			if gap := p.calendars[i].gap(); gap > 0 {
				l.warningAt(d, "shifts", "Add a shift, or leave it so if nothing happens then.", "%d minutes of the day from %s belong to no shift", gap, dayOr(p.calendars[i].validFrom))
			}
		}
		if l.name(d, "plant", def.Plant) {
			l.catalog.plants[def.Plant] = p
		}
	})
}

func dayOr(day string) string {
	if day == "" {
		return "the begin"
	}
	return day
}

func (l *loader) systems() {
	l.in("systems", func(d *document) {
		s := &System{}
		d.decode(s, l.findings)
		l.present(d, [2]string{"title", s.Title})
		if len(s.Roles) == 0 {
			l.errorAt(d, "roles", "Write at least one of "+strings.Join(Roles(), ", ")+".", "a system needs a role")
		}
		for i, role := range s.Roles {
			if !slices.Contains(Roles(), role) {
				l.errorAt(d, fmt.Sprintf("roles[%d]", i), "Write one of "+strings.Join(Roles(), ", ")+".", "%.80q is no role", role)
			}
		}
		for i, plant := range s.Plants {
			if _, ok := l.catalog.plants[plant]; !ok {
				l.errorAt(d, fmt.Sprintf("plants[%d]", i), "Declare it in plants/, or correct the name.", "plant %.80q is not in the catalog", plant)
			}
		}
		l.connector(d, s.Connector)
		if l.name(d, "system", s.System) {
			l.catalog.systems[s.System] = s
		}
	})
}

// causes is an error's parts, where several are joined.
func causes(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, causes(e)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func (l *loader) lifecycles() {
	l.in("lifecycles", func(d *document) {
		var def transaction.Definition
		d.decode(&def, l.findings)
		named := l.name(d, "lifecycle", def.Lifecycle)
		l.folds = append(l.folds, fold{d, def})
		compiled, err := transaction.Compile(def)
		for _, cause := range causes(err) {
			if wrong, ok := errors.AsType[*transaction.DefinitionError](cause); ok {
				l.errorAt(d, wrong.Field, `Write it as docs/catalog.md shows under "Lifecycles".`, "%s", wrong.Error())
				continue
			}
			l.errorAt(d, "", "Correct the lifecycle.", "%s", cause.Error())
		}
		if compiled != nil && named {
			l.catalog.lifecycles[def.Lifecycle] = compiled
		}
	})
}

func (l *loader) policies() {
	var all []*policy.Policy
	l.in("policies", func(d *document) {
		var def policy.Definition
		d.decode(&def, l.findings)
		l.name(d, "policy", def.Name)
		compiled, err := policy.Compile(def)
		for _, cause := range causes(err) {
			l.policyFault(d, cause)
		}
		if compiled == nil {
			return
		}
		for _, missing := range compiled.Uncovered() {
			l.errorAt(d, "cases", "Add a case: a policy is proven by one event that it passes and one that it stops.", "no case expects %s", missing)
		}
		if _, exists := l.catalog.policyByName[def.Name]; !exists {
			l.catalog.policyByName[def.Name] = &NamedPolicy{Definition: def, Policy: compiled}
			all = append(all, compiled)
		}
		l.policyNames(d, def)
	})
	set, err := policy.NewSet(all)
	if err != nil {
		l.list = append(l.list, Finding{File: "policies", Severity: Error, Message: err.Error(), Remedy: "Rename one."})
	}
	l.catalog.policies = set
}

func (l *loader) policyFault(d *document, cause error) {
	wrong, ok := errors.AsType[*policy.DefinitionError](cause)
	if !ok {
		l.errorAt(d, "", "Correct the policy.", "%s", cause.Error())
		return
	}
	l.errorInText(d, wrong.Field, wrong.Line, lookUp("docs/policies.md", wrong.Field, wrong.Line), wrong.Error())
}

// lookUp is the remedy for a fault whose text says what to write instead: where
// the page shows how. Line is that in an expression, 0 for a field as a whole.
func lookUp(page, field string, line int) string {
	section := `"The file"`
	switch {
	case line > 0:
		section = `"What an expression sees" and "Functions of ours"`
	case strings.HasPrefix(field, "cases"):
		section = `"Cases"`
	}
	return fmt.Sprintf("Write it as %s shows under %s.", page, section)
}

// errorInText reports an error in a line of a text of the document.
func (l *loader) errorInText(d *document, field string, within int, remedy, message string) {
	line, column := d.line(field, within)
	l.list = append(l.list, Finding{File: d.file, Line: line, Column: column, Severity: Error, Message: message, Remedy: remedy})
}
