package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
)

// A tryRequest is what a trial was asked for.
type tryRequest struct {
	folder, system, message, file string
	kind                          string // --format
	lookups, local, states        []string
	shown                         int // records shown in full
}

func (c *cli) catalogTryCommand() *cobra.Command {
	t := tryRequest{}
	cmd := &cobra.Command{
		Use:   "try [DIR] SYSTEM MESSAGE [FILE|-]",
		Short: "show what would become of a message",
		Long: `Takes a message, a file or what you paste, through the catalog without any hub: it
reads the records, maps, identifies, checks and judges each, and shows the events,
which source field gave each target field its value, the figures, what policies
say, and what stands against it with the remedy. Nothing is sent and nothing kept.

What a hub would look up must be given here: bodies of reference data, by the name of
the lookup in the mapping or by ref (--lookup), what the system's own identifiers
stand for where cross-references/ does not say it (--local), states of objects for
policies that read them (--state). An identifier that nobody resolves gets a
stand-in, so that the rest can be checked.

The format is told by the name of the file, else by the content and the mapping;
the same record may always be given as JSON. Exit code 3 where a record would be
held or a policy forbids an event.`,
		Example: `  gapless catalog try graz graz-mes shift-report report.csv
  pbpaste | gapless catalog try graz graz-mes shift-report
  gapless catalog try graz erp order - --lookup bill=bill.json --json`,
		Args: arguments(cobra.RangeArgs(2, 4)),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.place(args)
			return c.catalogTry(cmd.Context(), t)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&t.lookups, "lookup", nil, "body of reference data, `NAME=FILE`; may be given more than once")
	flags.StringArrayVar(&t.local, "local", nil, "what a local identifier stands for, `KIND/ID=REF`; may be given more than once")
	flags.StringArrayVar(&t.states, "state", nil, "state of an object, `REF=FILE`; may be given more than once")
	flags.StringVar(&t.kind, "format", "", "`FORM` of the content: json, ndjson, csv, xlsx or xml, where name and content do not tell")
	flags.IntVar(&t.shown, "records", 3, "how many records, `N`, are shown in full; the others only where something stands against them; 0 for all")
	return cmd
}

// place reads the arguments: a folder comes first where it is one of a catalog,
// or where all four are given.
func (t *tryRequest) place(args []string) {
	t.folder, t.file = ".", "-"
	if len(args) == 4 || len(args) == 3 && isCatalog(args[0]) {
		t.folder, args = args[0], args[1:]
	}
	t.system, t.message = args[0], args[1]
	if len(args) == 3 {
		t.file = args[2]
	}
}

func (c *cli) catalogTry(ctx context.Context, t tryRequest) error {
	r, err := openCatalog(t.folder)
	if err != nil {
		return err
	}
	if err := c.usable(r); err != nil {
		return err
	}
	m, ok := r.catalog.Message(t.system, t.message)
	if !ok {
		return unknownMessage(r.catalog, t)
	}
	body, err := c.readMessage(ctx, t.file)
	if err != nil {
		return err
	}
	kind, err := t.kindOf(m, body)
	if err != nil {
		return err
	}
	given, err := t.given(m, kind, body)
	if err != nil {
		return err
	}
	trial, err := r.catalog.Try(t.system, t.message, kind, body, given)
	if err != nil {
		return err
	}
	v := trialOf(&trial, m, r.catalog.Digest())
	if c.json {
		err = c.printJSON(v)
	} else {
		c.writeTrial(v, t.shown)
	}
	if err == nil && !v.Passes {
		err = foundError{errors.New("something stands against the message")}
	}
	return err
}

// unknownMessage names the messages that there are.
func unknownMessage(k *catalog.Catalog, t tryRequest) error {
	var known []string
	for _, m := range k.Messages() {
		known = append(known, m.System+" "+m.Definition.Message)
	}
	there := "it has none yet"
	if len(known) > 0 {
		there = "it has " + strings.Join(known, ", ")
	}
	return fault.New("catalog.try", fault.MessageUnknown, "", "the catalog in %s has no message %s of %s; %s", t.folder, t.message, t.system, there)
}

// maxTried is how much of a message is read: one byte more than a format takes,
// so that too much is told as such.
const maxTried = 16<<20 + 1

func (c *cli) readMessage(ctx context.Context, file string) ([]byte, error) {
	if file != "-" {
		return os.ReadFile(file)
	}
	if isTerminal(c.in) {
		fmt.Fprintln(c.err, "paste the message, then end it with Ctrl-D on a line of its own")
	}
	return awaited(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.in, maxTried)) })
}

// sniffed is how much of a message tells its format.
const sniffed = 1024

// kindOf is the format of the message: what was asked for, what the file's name
// and content tell, else the one that the mapping declares.
func (t *tryRequest) kindOf(m *catalog.Message, body []byte) (format.Kind, error) {
	if t.kind != "" {
		return format.Kind(t.kind), nil
	}
	name := ""
	if t.file != "-" {
		name = filepath.Base(t.file)
	}
	kind, err := format.Detect(name, body[:min(len(body), sniffed)])
	if err == nil {
		return kind, nil
	}
	declared := slices.Collect(maps.Keys(m.Definition.Formats))
	if own := m.Definition.Format.Kind; own != "" {
		declared = append(declared, own)
	}
	if name == "" && len(declared) == 1 {
		return declared[0], nil
	}
	return "", usageError{fmt.Errorf("%w; or say --format", err)}
}

// given is what the flags say in place of a ledger.
func (t *tryRequest) given(m *catalog.Message, kind format.Kind, body []byte) (catalog.Given, error) {
	given := catalog.Given{Reference: map[event.Ref]any{}, Local: map[string]event.Ref{}, States: map[event.Ref]map[string]any{}}
	byName := map[string]any{}
	for _, pair := range t.lookups {
		name, value, err := readPair("lookup", pair)
		if err != nil {
			return given, err
		}
		_, declared := m.Definition.Lookups[name]
		switch ref, err := event.ParseRef(name); {
		case declared:
			byName[name] = value
		case err == nil:
			given.Reference[ref] = value
		default:
			return given, usageError{fmt.Errorf("--lookup %s: the mapping has no lookup %q; it has: %s", pair, name, listed(slices.Sorted(maps.Keys(m.Definition.Lookups))))}
		}
	}
	for _, pair := range t.states {
		name, value, err := readPair("state", pair)
		if err != nil {
			return given, err
		}
		ref, err := event.ParseRef(name)
		state, ok := value.(map[string]any)
		if err != nil || !ok {
			return given, usageError{fmt.Errorf("--state %s: a ref and the file of a JSON object are expected, for example lot/M-100/4711=state.json", pair)}
		}
		given.States[ref] = state
	}
	for _, pair := range t.local {
		name, text, _ := strings.Cut(pair, "=")
		ref, err := event.ParseRef(text)
		if err != nil || !strings.Contains(name, "/") {
			return given, usageError{fmt.Errorf("--local %s: kind, identifier and ref are expected, for example material/4711=material/M-100", pair)}
		}
		given.Local[name] = ref
	}
	if len(byName) > 0 {
		nameReferences(m, kind, body, byName, given.Reference)
	}
	return given, nil
}

// nameReferences puts bodies that are given by the name of a lookup under the
// refs that the records look up. What cannot be read is told by the trial.
func nameReferences(m *catalog.Message, kind format.Kind, body []byte, byName map[string]any, into map[event.Ref]any) {
	spec, _ := m.Mapping.Format(kind)
	for record, err := range format.Split(spec, body, format.Limits{}) {
		if err != nil {
			continue
		}
		wanted, err := m.Mapping.Lookups(record.Value)
		if err != nil {
			continue
		}
		for _, l := range wanted {
			if value, ok := byName[l.Name]; ok {
				into[l.Ref] = value
			}
		}
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// readPair reads the JSON file of NAME=FILE.
func readPair(flag, pair string) (name string, value any, err error) {
	name, file, ok := strings.Cut(pair, "=")
	if !ok || name == "" || file == "" {
		return "", nil, usageError{fmt.Errorf("--%s %s: a name, = and a file are expected", flag, pair)}
	}
	f, err := os.Open(file)
	if err != nil {
		return "", nil, fmt.Errorf("--%s %s: %w", flag, pair, err)
	}
	decoder := json.NewDecoder(f)
	decoder.UseNumber()
	err = decoder.Decode(&value)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("--%s %s: %s is not readable as JSON: %w", flag, pair, file, err)
	}
	return name, value, nil
}
