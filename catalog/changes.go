package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Effect says for whom a change of a contract breaks something.
type Effect string

// The effects. A sender writes messages of the old form, a reader was built for it.
const (
	EffectCompatible   Effect = "compatible"           // the same messages are accepted, or only the text about them differs
	BreakingForSenders Effect = "breaking-for-senders" // a message accepted before may be refused now
	BreakingForReaders Effect = "breaking-for-readers" // a message accepted now may be one that readers of the old contract do not accept
	BreakingForBoth    Effect = "breaking-for-both"
)

// BreaksSenders holds where a message that was accepted may be refused now: the
// new schema is not backward compatible.
func (e Effect) BreaksSenders() bool { return e == BreakingForSenders || e == BreakingForBoth }

// BreaksReaders holds where a message may arrive that the old schema refuses:
// the new schema is not forward compatible.
func (e Effect) BreaksReaders() bool { return e == BreakingForReaders || e == BreakingForBoth }

// EffectOf is the effect of all changes together; EffectCompatible for none.
func EffectOf(changes []Change) Effect {
	senders := slices.ContainsFunc(changes, func(c Change) bool { return c.Effect.BreaksSenders() })
	readers := slices.ContainsFunc(changes, func(c Change) bool { return c.Effect.BreaksReaders() })
	return effectOf(senders, readers)
}

func effectOf(senders, readers bool) Effect {
	switch {
	case senders && readers:
		return BreakingForBoth
	case senders:
		return BreakingForSenders
	case readers:
		return BreakingForReaders
	}
	return EffectCompatible
}

// ChangeKind names a kind of change; the list is closed and published: ChangeTable.
type ChangeKind string

// The kinds of change. What each means, its effect and an example stand in ChangeTable.
const (
	TypeNarrowed           ChangeKind = "type-narrowed"
	TypeWidened            ChangeKind = "type-widened"
	TypeChanged            ChangeKind = "type-changed"
	ValueForbidden         ChangeKind = "value-forbidden"
	ValueAllowed           ChangeKind = "value-allowed"
	FieldRequiredAdded     ChangeKind = "field-required-added"
	FieldRequiredRemoved   ChangeKind = "field-required-removed"
	FieldAdded             ChangeKind = "field-added"
	FieldAddedToOpenObject ChangeKind = "field-added-to-open-object"
	FieldDeclared          ChangeKind = "field-declared"
	FieldRedeclared        ChangeKind = "field-redeclared"
	FieldRemoved           ChangeKind = "field-removed"
	FieldLeftOpen          ChangeKind = "field-left-open"
	FieldUndeclared        ChangeKind = "field-undeclared"
	FieldReplaced          ChangeKind = "field-replaced"
	ObjectClosed           ChangeKind = "object-closed"
	ObjectOpened           ChangeKind = "object-opened"
	EnumIntroduced         ChangeKind = "enum-introduced"
	EnumDropped            ChangeKind = "enum-dropped"
	EnumValueRemoved       ChangeKind = "enum-value-removed"
	EnumValueAdded         ChangeKind = "enum-value-added"
	RangeNarrowed          ChangeKind = "range-narrowed"
	RangeWidened           ChangeKind = "range-widened"
	StepNarrowed           ChangeKind = "step-narrowed"
	StepWidened            ChangeKind = "step-widened"
	StepChanged            ChangeKind = "step-changed"
	LengthNarrowed         ChangeKind = "length-narrowed"
	LengthWidened          ChangeKind = "length-widened"
	PatternAdded           ChangeKind = "pattern-added"
	PatternRemoved         ChangeKind = "pattern-removed"
	PatternChanged         ChangeKind = "pattern-changed"
	FormatAdded            ChangeKind = "format-added"
	FormatRemoved          ChangeKind = "format-removed"
	FormatChanged          ChangeKind = "format-changed"
	ElementCountNarrowed   ChangeKind = "element-count-narrowed"
	ElementCountWidened    ChangeKind = "element-count-widened"
	UniquenessAdded        ChangeKind = "uniqueness-added"
	UniquenessRemoved      ChangeKind = "uniqueness-removed"
	RefKindNarrowed        ChangeKind = "ref-kind-narrowed"
	RefKindWidened         ChangeKind = "ref-kind-widened"
	RefKindChanged         ChangeKind = "ref-kind-changed"
	QuantityRequired       ChangeKind = "quantity-required"
	QuantityDropped        ChangeKind = "quantity-dropped"
	UnitDimensionAdded     ChangeKind = "unit-dimension-added"
	UnitDimensionRemoved   ChangeKind = "unit-dimension-removed"
	UnitDimensionChanged   ChangeKind = "unit-dimension-changed"
	SignNarrowed           ChangeKind = "sign-narrowed"
	SignWidened            ChangeKind = "sign-widened"
	CodeListAdded          ChangeKind = "code-list-added"
	CodeListRemoved        ChangeKind = "code-list-removed"
	CodeListChanged        ChangeKind = "code-list-changed"
	RecordFieldAdded       ChangeKind = "record-field-added"
	RecordFieldWeakened    ChangeKind = "record-field-weakened"
	DeprecationAdded       ChangeKind = "deprecation-added"
	DeprecationRemoved     ChangeKind = "deprecation-removed"
	DefaultChanged         ChangeKind = "default-changed"
	AnnotationChanged      ChangeKind = "annotation-changed"
	ConstraintNarrowed     ChangeKind = "constraint-narrowed"
	ConstraintWidened      ChangeKind = "constraint-widened"
	ConstraintChanged      ChangeKind = "constraint-changed"
	NotComparable          ChangeKind = "not-comparable"
)

// ChangeEntry is one row of the published change table.
type ChangeEntry struct {
	Kind   ChangeKind
	Effect Effect
	// Says is the sentence of Change.Plain; {where}, {before} and {after} stand
	// for the field and for what the schema said and says.
	Says string
	// Before and After are schemas, as JSON, that differ by this kind of change.
	Before, After string
	// Refused is a document that Before accepts and After refuses, Unforeseen
	// one that After accepts and Before refuses: the proof of the effect. They
	// are "" where the effect has no such document, and for our x- keywords,
	// which the hub enforces and JSON Schema does not.
	Refused, Unforeseen string
}

// ChangeTable is every kind of change with its effect and an example.
func ChangeTable() []ChangeEntry { return slices.Clone(changeTable) }

func (k ChangeKind) entry() ChangeEntry {
	i := slices.IndexFunc(changeTable, func(e ChangeEntry) bool { return e.Kind == k })
	if i < 0 {
		// A kind outside of the table must not pass for a compatible one.
		return ChangeEntry{Kind: k, Effect: BreakingForBoth, Says: "{where} changed in a way that the change table does not name."}
	}
	return changeTable[i]
}

func (k ChangeKind) change(at place, before, after string) Change {
	entry := k.entry()
	fill := strings.NewReplacer("{where}", at.String(), "{before}", before, "{after}", after)
	return Change{Kind: k, Path: at.pointer, Plain: capitalized(fill.Replace(entry.Says)), Effect: entry.Effect}
}

func capitalized(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}

// CompatibilityDocument is docs/compatibility.md: the contract dialect and the
// change table, written from what CheckDialect and Compatible work with.
func CompatibilityDocument() string {
	var b strings.Builder
	b.WriteString(compatibilityIntroduction)
	writeDialect(&b)
	b.WriteString(changesIntroduction)
	b.WriteString("| kind | effect | what it says |\n|---|---|---|\n")
	for _, e := range changeTable {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", e.Kind, e.Kind, e.Effect, cell(template(e.Says)))
	}
	b.WriteString("\n## Examples\n\nEvery example is run by the tests; every message shown is checked against both schemas.\n")
	for _, e := range changeTable {
		writeExample(&b, e)
	}
	return b.String()
}

func writeExample(b *strings.Builder, e ChangeEntry) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n```text\nbefore  %s\nafter   %s\n", e.Kind, effectMeaning(e.Effect), e.Before, e.After)
	if e.Refused != "" {
		fmt.Fprintf(b, "\naccepted before, refused now   %s\n", e.Refused)
	}
	if e.Unforeseen != "" {
		fmt.Fprintf(b, "\nrefused before, accepted now   %s\n", e.Unforeseen)
	}
	b.WriteString("```\n")
}

func effectMeaning(e Effect) string {
	switch e {
	case BreakingForSenders:
		return "Breaking for senders"
	case BreakingForReaders:
		return "Breaking for readers"
	case BreakingForBoth:
		return "Breaking for senders and readers"
	default:
		return "Compatible"
	}
}

// cell is a text as a cell of a Markdown table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// template is a sentence with its places to fill in italics.
func template(says string) string { return strings.NewReplacer("{", "*", "}", "*").Replace(says) }

const compatibilityIntroduction = `# Contracts: dialect and compatibility

<!-- Written by catalog.CompatibilityDocument; do not edit. Renew with: make docs -->

The schema of a contract says which messages of a type are accepted. This page is about two questions:
what may stand in a schema, and what a change of it does to those who send and those who read.

## The dialect

A contract is written in a part of JSON Schema 2020-12, with four keywords of our own. It is small on purpose:
a schema in it can be read by the people who send the data, and any two versions of it can be compared.

`

const changesIntroduction = `## Changes

Two versions of a contract are compared difference by difference.

- **compatible**: the same messages are accepted, or only the text about them differs.
- **breaking-for-senders**: a message that was accepted may be refused now.
- **breaking-for-readers**: a message may arrive that the old contract refused, so a reader built for it may fail.
- **breaking-for-both**: both of it.

A new version is backward compatible when no change breaks for senders, and forward compatible when none breaks for readers.
The answer is careful: "compatible" is never said by mistake; "breaking" may be said of a change that does no harm.
What cannot be compared is ` + "`not-comparable`" + ` and counts as breaking.

An object that is open (` + "`additionalProperties: true`" + `) accepted anything under any name. To name a field of it is therefore a demand
that older messages may fail; where fields will be added later, close the object.

`
