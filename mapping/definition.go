package mapping

import (
	"fmt"

	"github.com/gapless/gapless/format"
)

// Definition is one mapping file of the catalog, mappings/<system>/<message>.yaml.
// Text marked Bloblang is an expression or, in Map, a list of assignments.
type Definition struct {
	Message   string                      `yaml:"message"`
	System    string                      `yaml:"system"`
	Title     string                      `yaml:"title"`
	Plant     string                      `yaml:"plant"`      // constant; or
	PlantFrom string                      `yaml:"plant-from"` // Bloblang, text
	Format    format.Spec                 `yaml:"format"`
	Formats   map[format.Kind]format.Spec `yaml:"formats"`   // instead of Format, when several kinds are accepted
	Files     []string                    `yaml:"files"`     // patterns of the names of files that hold this message: "monthlyReports_*.csv"
	Identity  []string                    `yaml:"identity"`  // fields, "a.b" for nested ones; "?a" may be absent
	OnChange  OnChange                    `yaml:"on-change"` // "" is conflict
	Volatile  []string                    `yaml:"volatile"`  // fields that say nothing about the content
	Editable  []EditableField             `yaml:"editable"`  // what a person may put right in the hub; nothing else
	Lookups   map[string]LookupDefinition `yaml:"lookups"`
	Occurred  OccurredDefinition          `yaml:"occurred"` // for every output that has none of its own
	Echo      EchoDefinition              `yaml:"echo"`
	Events    []OutputDefinition          `yaml:"events"`
	Cases     []Case                      `yaml:"cases"`
}

// OnChange says what a message with a known identity and other content is.
type OnChange string

// The two kinds of change. The zero OnChange is Conflict.
const (
	Correction OnChange = "correction" // restates the events of the message before
	Conflict   OnChange = "conflict"   // an exception
)

// An EditableField is a field of a message that a person may put right in the hub while
// the message is held.
type EditableField struct {
	Field  string `yaml:"field"`  // as in Identity: "unit", "header.unit"; with * for every item of a list: "lines.*.unit"
	Role   string `yaml:"role"`   // who may edit it, one of EditRoles
	Second string `yaml:"second"` // role of a second person who has to sign; required for a field of the record
}

// An EchoDefinition says how a record shows that it is about what the hub itself
// asked for: the system tells what it did for a command. Such a record settles the
// command and states no new fact.
type EchoDefinition struct {
	Key      string `yaml:"key"`      // Bloblang, text or null: the command key, or the part of it that the system carries
	Document string `yaml:"document"` // Bloblang, text or null: the number that the system gave to what it did
}

// A LookupDefinition names reference data, valid when it happened.
type LookupDefinition struct {
	Reference string `yaml:"reference"` // Bloblang, text of a ref
	Required  bool   `yaml:"required"`
	When      string `yaml:"when"` // Bloblang, bool; "" always
}

// An OccurredDefinition says when it happened.
type OccurredDefinition struct {
	From string `yaml:"from"` // Bloblang, RFC 3339 with offset
	To   string `yaml:"to"`   // Bloblang; "" is the moment From
}

// An OutputDefinition is one event, or one event per item of Each.
type OutputDefinition struct {
	Slot        string             `yaml:"slot"` // plain text; with Each, one {part} is a path in the item: "scrap/{key}"
	Type        string             `yaml:"type"`
	Version     int                `yaml:"version"`     // of the contract, from 1
	When        string             `yaml:"when"`        // Bloblang, bool; "" always
	Each        string             `yaml:"each"`        // Bloblang, list or object; "" for a single event
	Identity    string             `yaml:"identity"`    // Bloblang, text; "" is that of the message
	Map         string             `yaml:"map"`         // Bloblang assignments to root: the data
	Subject     string             `yaml:"subject"`     // Bloblang, text of a ref; "" lets the contract take it from the data
	Occurred    OccurredDefinition `yaml:"occurred"`    // "" is that of the message
	Correlation string             `yaml:"correlation"` // Bloblang, text or null
	Causation   string             `yaml:"causation"`   // Bloblang, text or null
	Sequence    string             `yaml:"sequence"`    // Bloblang, text, number or null
}

// A DefinitionError is one thing wrong in a Definition.
type DefinitionError struct {
	Field  string // "events[0].map"
	Line   int    // in the text of the field, from 1; 0 where it is about the field as a whole
	Column int    // in characters, from 1; 0 with Line 0
	Text   string // what is wrong and what to write instead
}

// Error is "field:line:column: text".
func (e *DefinitionError) Error() string {
	if e.Line == 0 {
		return e.Field + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Field, e.Line, e.Column, e.Text)
}
