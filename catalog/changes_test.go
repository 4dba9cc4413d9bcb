package catalog

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write generated files anew instead of comparing them")

func TestEveryExampleOfTheChangeTableShowsItsChange(t *testing.T) {
	for _, entry := range ChangeTable() {
		t.Run(string(entry.Kind), func(t *testing.T) {
			changes := Compatible(parsed(entry.Before), parsed(entry.After))
			if len(changes) != 1 || changes[0].Kind != entry.Kind || changes[0].Effect != entry.Effect {
				t.Fatalf("got %+v, want one change %s with effect %s", changes, entry.Kind, entry.Effect)
			}
			if plain := changes[0].Plain; strings.ContainsAny(plain, "{}") || !strings.HasSuffix(plain, ".") {
				t.Errorf("not a sentence: %q", plain)
			}
			if same := Compatible(parsed(entry.Before), parsed(entry.Before)); len(same) > 0 {
				t.Errorf("a schema differs from itself: %+v", same)
			}
		})
	}
}

// The effects are not asserted only: a validator shows a message that breaks.
func TestEveryBreakingExampleOfTheChangeTableHasAMessageThatProvesIt(t *testing.T) {
	for _, entry := range ChangeTable() {
		t.Run(string(entry.Kind), func(t *testing.T) {
			ours := strings.Contains(entry.Before+entry.After, `"x-`)
			if ours || entry.Kind == NotComparable {
				if entry.Refused+entry.Unforeseen != "" {
					t.Error("JSON Schema does not enforce this; the example can have no message")
				}
				return
			}
			before, after := mustCompile(t, entry.Before), mustCompile(t, entry.After)
			if (entry.Refused != "") != entry.Effect.BreaksSenders() || (entry.Unforeseen != "") != entry.Effect.BreaksReaders() {
				t.Fatalf("the messages (%q, %q) do not fit the effect %s", entry.Refused, entry.Unforeseen, entry.Effect)
			}
			if entry.Refused != "" && (!accepts(before, entry.Refused) || accepts(after, entry.Refused)) {
				t.Errorf("%s is not accepted before and refused after", entry.Refused)
			}
			if entry.Unforeseen != "" && (accepts(before, entry.Unforeseen) || !accepts(after, entry.Unforeseen)) {
				t.Errorf("%s is not refused before and accepted after", entry.Unforeseen)
			}
		})
	}
}

func TestTheChangeTableHasEveryKindOnce(t *testing.T) {
	declared := declaredKinds(t)
	var listed []string
	for _, entry := range ChangeTable() {
		listed = append(listed, string(entry.Kind))
	}
	slices.Sort(listed)
	if diff := cmp.Diff(declared, listed); diff != "" {
		t.Errorf("constants of type ChangeKind, and rows of the table (+):\n%s", diff)
	}
}

// declaredKinds reads the constants of type ChangeKind from the source, so that
// one cannot be declared and left out of the table.
func declaredKinds(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "changes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "ChangeKind" {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is not a literal", spec.Names[0])
		}
		kind, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, kind)
		return true
	})
	slices.Sort(kinds)
	return kinds
}

func TestAKindOutsideOfTheTableBreaks(t *testing.T) {
	change := ChangeKind("unheard-of").change(place{}, "", "")
	if change.Effect != BreakingForBoth || change.Plain == "" {
		t.Errorf("got %+v", change)
	}
}

func TestTheCompatibilityDocumentIsCurrent(t *testing.T) {
	file := filepath.Join("..", "docs", "compatibility.md")
	if *update {
		if err := os.WriteFile(file, []byte(CompatibilityDocument()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), CompatibilityDocument()); diff != "" {
		t.Errorf("docs/compatibility.md is not current; renew it with go test ./catalog -update\n%s", diff)
	}
}

func TestTheEffectOfSeveralChangesIsTheSumOfTheirs(t *testing.T) {
	tests := map[string]struct {
		effects []Effect
		want    Effect
	}{
		"no change is compatible":                     {nil, EffectCompatible},
		"notes are compatible":                        {[]Effect{EffectCompatible, EffectCompatible}, EffectCompatible},
		"one that breaks for senders is enough":       {[]Effect{EffectCompatible, BreakingForSenders}, BreakingForSenders},
		"one that breaks for readers is enough":       {[]Effect{BreakingForReaders, EffectCompatible}, BreakingForReaders},
		"one for each of them breaks for both":        {[]Effect{BreakingForReaders, BreakingForSenders}, BreakingForBoth},
		"one that breaks for both breaks for both":    {[]Effect{BreakingForBoth}, BreakingForBoth},
		"an unstated effect does not hide one stated": {[]Effect{"", BreakingForBoth}, BreakingForBoth},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var changes []Change
			for _, effect := range test.effects {
				changes = append(changes, Change{Effect: effect})
			}
			if got := EffectOf(changes); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
