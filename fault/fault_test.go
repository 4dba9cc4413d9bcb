package fault

import (
	"bytes"
	"errors"
	flags "flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// update rewrites the golden files: go test ./fault -update.
var update = flags.Bool("update", false, "write the golden files anew")

// declared are the codes of all variables of reasons.go that hold a Reason, in order.
func declared(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, d := range file.Decls {
		variables, ok := d.(*ast.GenDecl)
		if !ok || variables.Tok != token.VAR {
			continue
		}
		for _, s := range variables.Specs {
			spec := s.(*ast.ValueSpec)
			for i, value := range spec.Values {
				code, ok := codeOf(value)
				if !ok {
					t.Errorf("%s is no &Reason{...} with a text as its code", spec.Names[i].Name)
				}
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// codeOf is the first field of &Reason{"code", ...} as it is written.
func codeOf(e ast.Expr) (string, bool) {
	address, ok := e.(*ast.UnaryExpr)
	if !ok {
		return "", false
	}
	literal, ok := address.X.(*ast.CompositeLit)
	if !ok || len(literal.Elts) == 0 {
		return "", false
	}
	if name, ok := literal.Type.(*ast.Ident); !ok || name.Name != "Reason" {
		return "", false
	}
	text, ok := literal.Elts[0].(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return "", false
	}
	return strings.Trim(text.Value, `"`), true
}

func TestEveryReasonThatIsDeclaredIsListedOnceAndInOrder(t *testing.T) {
	var listed []string
	for _, r := range Reasons() {
		listed = append(listed, r.Code)
	}
	want := declared(t)
	if len(want) < 40 {
		t.Fatalf("only %d reasons are found in reasons.go", len(want))
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("Reasons() is not what reasons.go declares:\n%s", diff)
	}
}

func TestTheListCannotBeChangedFromOutside(t *testing.T) {
	Reasons()[0] = nil
	if Reasons()[0] != Unauthenticated || ByCode(Unauthenticated.Code) != Unauthenticated {
		t.Error("a caller has changed the list")
	}
}

func TestEachReasonReadsLikeOne(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	classes := []Class{Heals, Data, Business, Definition, Operations}
	codes, titles := map[string]bool{}, map[string]bool{}
	for _, r := range Reasons() {
		t.Run(r.Code, func(t *testing.T) {
			if !snake.MatchString(r.Code) {
				t.Error("the code is not in snake_case")
			}
			if codes[r.Code] || titles[r.Title] {
				t.Error("the code or the title is taken")
			}
			codes[r.Code], titles[r.Title] = true, true
			if !slices.Contains(classes, r.Class) {
				t.Errorf("class %q", r.Class)
			}
			if first, _ := utf8.DecodeRuneInString(r.Title); r.Title == "" || strings.ContainsAny(r.Title, ".!:") || unicode.IsUpper(first) {
				t.Errorf("the title is a few words without a full stop, to be followed by a colon: %q", r.Title)
			}
			if first, _ := utf8.DecodeRuneInString(r.Remedy); !unicode.IsUpper(first) || !strings.HasSuffix(r.Remedy, ".") || strings.HasSuffix(r.Remedy, "..") {
				t.Errorf("the remedy is no sentence: %q", r.Remedy)
			}
			if strings.ContainsAny(r.Title+r.Remedy, "|\n\t") || strings.Contains(r.Remedy, "  ") || strings.TrimSpace(r.Title) != r.Title {
				t.Error("the text does not fit a table")
			}
			if strings.Count(r.Remedy, "`")%2 != 0 {
				t.Error("a backquote is open")
			}
		})
	}
}

func TestAReasonIsFoundByItsCode(t *testing.T) {
	for _, r := range Reasons() {
		if ByCode(r.Code) != r {
			t.Errorf("%s is %v", r.Code, ByCode(r.Code))
		}
	}
	for _, code := range []string{"", "unit", "UNIT_UNKNOWN", "unit_unknown "} {
		if r := ByCode(code); r != nil {
			t.Errorf("%q is %v", code, r)
		}
	}
}

func TestAFaultTellsWhatWhereAndWhy(t *testing.T) {
	cause := errors.New("no such unit: XYZ")
	for _, c := range []struct {
		name             string
		fault            *Fault
		text, whole, why string
	}{
		{
			"the reason alone", New("flow.identify", UnitUnknown, "", ""),
			"unit is not a code of UN/ECE Recommendation 20", "flow.identify: unit is not a code of UN/ECE Recommendation 20", "",
		},
		{
			"field and values", New("flow.identify", UnitUnknown, "outputs/0/quantity/unit", "%q", "XYZ"),
			`unit is not a code of UN/ECE Recommendation 20 (outputs/0/quantity/unit): "XYZ"`,
			`flow.identify: unit is not a code of UN/ECE Recommendation 20 (outputs/0/quantity/unit): "XYZ"`, `"XYZ"`,
		},
		{
			"a cause below", Wrap("mapping.Apply", UnitUnknown, "unit", cause),
			"unit is not a code of UN/ECE Recommendation 20 (unit): no such unit: XYZ",
			"mapping.Apply: unit is not a code of UN/ECE Recommendation 20 (unit): no such unit: XYZ", "no such unit: XYZ",
		},
		{
			"an object", &Fault{Op: "flow.Decide", Reason: OpenHold, Ref: "lot/M-100/4711", Detail: "hold/qms/1", Err: cause},
			"an open hold forbids it [lot/M-100/4711]: hold/qms/1", "flow.Decide: an open hold forbids it [lot/M-100/4711]: hold/qms/1", "hold/qms/1",
		},
		{
			"percent signs of the sender without values", New("format.Read", NotReadable, "", "100%d of it"),
			"content cannot be read: 100%d of it", "format.Read: content cannot be read: 100%d of it", "100%d of it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.fault.Text() != c.text || c.fault.Error() != c.whole || c.fault.Explanation() != c.why {
				t.Errorf("%q\n%q\n%q", c.fault.Text(), c.fault.Error(), c.fault.Explanation())
			}
		})
	}
}

func TestAFaultIsItsReasonAndItsCauseHoweverWrapped(t *testing.T) {
	f := Wrap("ledger.Read", Unavailable, "", io.ErrUnexpectedEOF)
	for name, err := range map[string]error{
		"bare": f, "wrapped": fmt.Errorf("flow.Take: %w", f), "joined": errors.Join(errors.New("other"), f), "twice": fmt.Errorf("a: %w", fmt.Errorf("b: %w", f)),
	} {
		t.Run(name, func(t *testing.T) {
			if !errors.Is(err, Unavailable) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, NotFound) {
				t.Error(err)
			}
			if Of(err) != f {
				t.Errorf("Of gives %v", Of(err))
			}
		})
	}
	if Of(nil) != nil || Of(io.EOF) != nil || Of(NotFound) != nil {
		t.Error("a fault is found where there is none")
	}
	nested := Wrap("flow.Take", Unavailable, "", New("ledger.Read", LimitExceeded, "", ""))
	if !errors.Is(nested, Unavailable) || !errors.Is(nested, LimitExceeded) || Of(nested) != nested {
		t.Error("of two faults, the outer one is found first and both are known")
	}
	if _, ok := errors.AsType[*Reason](f); ok {
		t.Error("a reason is what a fault has, not a cause below it")
	}
}

func TestTheDocumentIsCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "docs", "reasons.md")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: write it with `make docs`", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("docs/reasons.md is not current: run `make docs`\n%s", diff)
	}
	if rows := strings.Count(b.String(), "\n| `"); rows != len(Reasons()) {
		t.Errorf("%d rows for %d reasons", rows, len(Reasons()))
	}
}

// full takes so many bytes and then fails, as a full disk does.
type full int

func (f *full) Write(p []byte) (int, error) {
	if len(p) > int(*f) {
		return 0, io.ErrShortWrite
	}
	*f -= full(len(p))
	return len(p), nil
}

func TestADocumentThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, room := range []full{0, 300} {
		if err := WriteMarkdown(&room); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}
