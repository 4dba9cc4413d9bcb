package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// Limits on one expression, in the unit of CEL's cost model, where reading a
// field costs 1. BenchmarkCostLimit measures what one unit takes: about 130 ns.
const (
	// CostLimit stops an evaluation. Policies that read state are judged inside
	// the transaction that records, where everybody waits: 100,000 units are
	// about 13 ms, and still let a policy look at each of 10,000 rows once.
	CostLimit = 100_000

	// EstimateLimit refuses an expression at release. It is the worst case with
	// lists of assumedItems and texts of assumedText: two nested loops over what
	// an event carries pass, and the CostLimit guards them, three never do.
	EstimateLimit = 1_000_000_000

	assumedItems = 1000 // entries of a list or map that is only known at run time
	assumedText  = 256  // characters of a text that is only known at run time

	// An ordinary event has no list, map or text longer than ordinarySize. What can
	// cost no more than UncountedLimit on any such event is evaluated on it without
	// counting, which takes two thirds of the time.
	ordinarySize   = 256
	UncountedLimit = CostLimit / 2

	maxSource  = 4000 // characters of one expression; a longer one is two policies
	maxNesting = 60   // depth of its syntax tree
	maxNodes   = 4000 // size of its syntax tree, macros expanded
	maxRegex   = 1000 // instructions of a compiled regular expression
)

// An expression is one compiled CEL expression of a policy.
type expression struct {
	field     string
	program   cel.Program
	uncounted cel.Program // the same without a cost limit, for ordinary events; nil where it may cost much
	info      *ast.SourceInfo
	uses      map[string]bool // what it reads, as declared in Reads
}

// What the checked type of an expression must be.
type want struct {
	kind *cel.Type
	hint string
}

var (
	wantBool = want{cel.BoolType, "write a condition, for example event.data.final == true"}
	wantText = want{cel.StringType, `write a text, for example "lot " + text(event.data.lot)`}
)

// newEnvironment declares variables and functions. It holds no clock, no
// randomness and no type with binary fractions that a value could have.
func newEnvironment() (*cel.Env, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	options := append([]cel.EnvOption{
		cel.CustomTypeAdapter(adapter{fallback: types.DefaultTypeAdapter}),
		cel.Variable("event", object),
		cel.Variable("subject", object),
		cel.Variable("state", cel.MapType(cel.StringType, object)),
		cel.Variable("reference", object),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxNesting),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(
			cel.ValidateRegexLiterals(),
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
		),
	}, functions()...)
	return cel.NewEnv(options...)
}

// compile makes an expression, or tells everything that is wrong with it.
func compile(env *cel.Env, field, source string, w want) (*expression, []error) {
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		var faults []error
		for _, e := range issues.Errors() {
			faults = append(faults, located(field, e.Location, e.Message))
		}
		return nil, faults
	}
	c := &check{field: field, tree: checked.NativeRep(), uses: map[string]bool{}}
	c.run()
	if got := checked.OutputType(); !got.IsExactType(w.kind) {
		c.reportAt(c.tree.Expr().ID(), "gives %s, not %s: %s", got, w.kind, w.hint)
	}
	c.estimate(env, checked)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(CostLimit))
	if err != nil {
		return nil, []error{&DefinitionError{Field: field, Text: err.Error()}}
	}
	x := &expression{field: field, program: program, info: c.tree.SourceInfo(), uses: c.uses}
	if e, err := env.EstimateCost(checked, sizes{ordinarySize, ordinarySize}); err == nil && e.Max <= UncountedLimit {
		if x.uncounted, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize)); err != nil {
			return nil, []error{&DefinitionError{Field: field, Text: err.Error()}}
		}
	}
	return x, nil
}

func located(field string, at common.Location, text string) *DefinitionError {
	e := &DefinitionError{Field: field, Text: text}
	if at != nil && at.Line() > 0 {
		e.Line, e.Column = at.Line(), at.Column()+1
	}
	return e
}

// eval evaluates within CostLimit. Errors name the field and the place in it.
func (x *expression) eval(vars *variables) (ref.Val, error) {
	program := x.program
	if vars.ordinary && x.uncounted != nil {
		program = x.uncounted
	}
	v, _, err := program.Eval(vars)
	if err == nil {
		return v, nil
	}
	if cancelled := (interpreter.EvalCancelledError{}); errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return nil, fmt.Errorf("%s: stopped after %d units of cost: it looks at too much for one event", x.field, CostLimit)
	}
	if at := (*types.Err)(nil); errors.As(err, &at) && at.NodeID() > 0 {
		return nil, located(x.field, x.info.GetStartLocation(at.NodeID()), at.Error())
	}
	return nil, fmt.Errorf("%s: %w", x.field, err)
}

// A check looks through a type-checked tree for what CEL allows and policies do not.
type check struct {
	field  string
	tree   *ast.AST
	uses   map[string]bool
	faults []error
}

func (c *check) reportAt(id int64, text string, args ...any) {
	c.faults = append(c.faults, located(c.field, c.tree.SourceInfo().GetStartLocation(id), fmt.Sprintf(text, args...)))
}

func (c *check) run() {
	ast.PreOrderVisit(c.tree.Expr(), ast.NewExprVisitor(c.visit))
	if len(c.faults) > 0 {
		return
	}
	// No double was written, but a function may make one.
	for id, t := range c.tree.TypeMap() {
		if mentions(t, isDouble) {
			c.reportAt(id, "has the type %s: binary fractions are not exact, use dec(\"12.5\")", t)
			return
		}
	}
}

func (c *check) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind:
		if _, ok := e.AsLiteral().(types.Double); ok {
			c.reportAt(e.ID(), "a number with a fraction is not exact: write it as dec(\"12.5\")")
		}
	case ast.IdentKind:
		c.ident(e)
	case ast.CallKind:
		c.call(e)
	case ast.ComprehensionKind:
		c.loop(e)
	case ast.StructKind:
		c.reportAt(e.ID(), "a message %s has no place in a policy: write a map", e.AsStruct().TypeName())
	default: // the other kinds are made of these
	}
}

func (c *check) ident(e ast.Expr) {
	switch e.AsIdent() {
	case "state", "subject":
		c.uses[readState] = true
	case "reference":
		c.uses[readReference] = true
	case "double":
		c.reportAt(e.ID(), "there is no double in a policy: binary fractions are not exact")
	}
}

func (c *check) call(e ast.Expr) {
	call := e.AsCall()
	name, args := call.FunctionName(), call.Args()
	switch name {
	case "double":
		c.reportAt(e.ID(), "double is not exact: use dec, which takes a text or a whole number")
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if isValue(args[0]) || isValue(args[1]) {
			c.reportAt(e.ID(), "value is a decimal text and would compare by its letters: use less(a, b) or lessOrEqual(a, b)")
		}
	case operators.Equals, operators.NotEquals, operators.In:
		c.equality(e, args)
	}
	if call.IsMemberFunction() && strings.HasPrefix(name, "get") && len(args) == 1 && !isFixedZone(args[0]) {
		c.reportAt(e.ID(), "a zone by name depends on the zone tables of the machine: write \"UTC\" or an offset such as \"+01:00\"; event.day and event.shift are local already")
	}
}

// loop refuses what would make a loop ambiguous or its order differ from one
// run to the next.
func (c *check) loop(e ast.Expr) {
	loop := e.AsComprehension()
	if name := loop.IterVar(); isVariable(name) {
		c.reportAt(e.ID(), "the loop variable %s hides the variable of that name: choose another", name)
	}
	if bearsMap(ast.NavigateExpr(c.tree, loop.IterRange())) {
		c.reportAt(e.ID(), "a map that is written in the expression has no fixed order: loop over a list")
	}
}

// equality refuses operators that say "unequal" where functions say "units
// differ": an error must never pass.
func (c *check) equality(e ast.Expr, args []ast.Expr) {
	for _, arg := range args {
		if mentions(c.tree.GetType(arg.ID()), isDecimal) {
			c.reportAt(e.ID(), "decimals do not compare with ==, != and in: use equal(a, b)")
			return
		}
	}
	if isValue(args[0]) && isAmount(args[1]) || isAmount(args[0]) && isValue(args[1]) {
		c.reportAt(e.ID(), "value is a decimal text and \"1.0\" is not \"1\": use equal(a, b)")
	}
}

// bearsMap says whether the value of e may hold a map that e itself writes.
func bearsMap(e ast.NavigableExpr) bool {
	switch e.Type().Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.StringKind, types.BytesKind,
		types.TimestampKind, types.DurationKind, types.OpaqueKind:
		return false
	default:
		return e.Kind() == ast.MapKind || slices.ContainsFunc(e.Children(), bearsMap)
	}
}

// isValue says whether an expression reads the field value, as of a quantity.
func isValue(e ast.Expr) bool {
	return e.Kind() == ast.SelectKind && e.AsSelect().FieldName() == "value" && !e.AsSelect().IsTestOnly()
}

// isAmount says whether an expression is clearly meant as a number.
func isAmount(e ast.Expr) bool {
	if isValue(e) {
		return true
	}
	if e.Kind() != ast.LiteralKind {
		return false
	}
	switch v := e.AsLiteral().(type) {
	case types.Int, types.Uint:
		return true
	case types.String:
		_, err := parseDecimal(string(v))
		return err == nil
	}
	return false
}

func isFixedZone(e ast.Expr) bool {
	if e.Kind() != ast.LiteralKind {
		return false
	}
	zone, ok := e.AsLiteral().(types.String)
	return ok && (zone == "UTC" || len(zone) == 6 && strings.ContainsAny(string(zone[:1]), "+-") && zone[3] == ':')
}

func isVariable(name string) bool {
	switch name {
	case "event", "subject", "state", "reference":
		return true
	}
	return false
}

func isDouble(t *types.Type) bool  { return t.Kind() == types.DoubleKind }
func isDecimal(t *types.Type) bool { return t.IsExactType(decimalType) }

// mentions looks for a kind of type in t and in what t is made of.
func mentions(t *types.Type, is func(*types.Type) bool) bool {
	return is(t) || slices.ContainsFunc(t.Parameters(), func(p *types.Type) bool { return mentions(p, is) })
}

// estimate refuses an expression whose worst case is out of proportion.
func (c *check) estimate(env *cel.Env, checked *cel.Ast) {
	e, err := env.EstimateCost(checked, sizes{assumedItems, assumedText})
	switch {
	case err != nil:
		c.reportAt(c.tree.Expr().ID(), "its cost cannot be estimated: %v", err)
	case e.Max == math.MaxUint64:
		c.reportAt(c.tree.Expr().ID(), "its cost has no bound: take out loops inside loops")
	case e.Max > EstimateLimit:
		c.reportAt(c.tree.Expr().ID(), "may cost %d units over lists of %d entries, more than %d: take out loops inside loops", e.Max, assumedItems, EstimateLimit)
	}
}

// sizes assumes how large what is only known at run time may be.
type sizes struct{ items, text uint64 }

// EstimateSize implements cost.Estimator.
func (s sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if node.ComputedSize() != nil {
		return nil
	}
	size := cost.RangedSizeEstimate(0, s.items)
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		size = cost.RangedSizeEstimate(0, s.text)
	case types.ListKind:
		size = cost.ListSizeEstimate(size, cost.RangedSizeEstimate(0, s.items))
	case types.MapKind:
		size = cost.MapSizeEstimate(size, cost.RangedSizeEstimate(0, s.text), cost.RangedSizeEstimate(0, s.items))
	default: // a value whose type is not known may be a list
	}
	return &size
}

// EstimateCallCost implements cost.Estimator: calls are priced by costs.
func (sizes) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}
