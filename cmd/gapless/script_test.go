package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // to alter a ledger behind the program's back

	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
)

func TestMain(m *testing.M) {
	testscript.Main(program(m), map[string]func(){"gapless": main})
}

// TestScripts runs the stories in testdata/script with the made-up month.
func TestScripts(t *testing.T) {
	testscript.Run(t, stories("testdata/script/*.txtar", nil))
}

// TestScriptsWithTheRealMonth runs the stories about a month with the one that was
// published, where it is present.
func TestScriptsWithTheRealMonth(t *testing.T) {
	data := os.Getenv("GAPLESS_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	data, err := filepath.Abs(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "moulding-plant")); err != nil {
		t.Skip("only the made-up month is tested: name the folder with the real one in GAPLESS_DATA")
	}
	testscript.Run(t, stories("testdata/script/month_*.txtar", []string{"GAPLESS_DATA=" + data}))
}

func stories(pattern string, vars []string) testscript.Params {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		panic("no stories in " + pattern)
	}
	return testscript.Params{
		Files: files,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(append(env.Vars, vars...), "EXAMPLE="+absolute("../../examples/moulding-plant/catalog"), "ROOT="+absolute("../.."))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"month": month, "hub": hub, "unhub": unhub, "code": code, "settled": settled, "raised": raised, "told": told, "applied": applied,
			"rewrite": rewrite, "alter": alter, "lastline": lastLine, "field": field,
		},
	}
}

func absolute(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return path
}

// month DIR puts a month into a folder: the real one where GAPLESS_DATA names it.
// It sets $REPORTS, $TOTAL, $GOOD, $REJECTED, $ORDERS and the line $TOTALS.
func month(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: month DIR")
	}
	dir, totals := ts.MkAbs(args[0]), mouldingplant.RealTotals()
	if data := ts.Getenv("GAPLESS_DATA"); data != "" {
		ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(data, "moulding-plant"))))
	} else {
		var err error
		totals, err = mouldingplant.Write(dir, 1)
		ts.Check(err)
	}
	reports, err := filepath.Glob(filepath.Join(dir, "shift-reports", "*.csv"))
	if err != nil || len(reports) != 1 {
		ts.Fatalf("one shift report is wanted, there are %v (%v)", reports, err)
	}
	ts.Setenv("REPORTS", reports[0])
	setTotals(ts, totals.Count, totals.OrdersProduced)
}

func setTotals(ts *testscript.TestScript, c mouldingplant.Count, orders int) {
	ts.Setenv("TOTAL", strconv.FormatInt(c.Total, 10))
	ts.Setenv("GOOD", strconv.FormatInt(c.Good, 10))
	ts.Setenv("REJECTED", strconv.FormatInt(c.Rejected, 10))
	ts.Setenv("ORDERS", strconv.Itoa(orders))
	ts.Setenv("TOTALS", fmt.Sprintf("total=%d good=%d rejected=%d orders=%d", c.Total, c.Good, c.Rejected, orders))
}

// hub FLAG... starts a hub in the background, on a free port, and sets $GAPLESS_HUB.
// It ends with the script at the latest.
func hub(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: hub FLAG...")
	}
	program, err := exec.LookPath(filepath.Join(strings.SplitN(ts.Getenv("PATH"), string(os.PathListSeparator), 2)[0], "gapless"))
	ts.Check(err)
	cmd := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "warn"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GAPLESS_HOME", "GAPLESS_CATALOG"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	end := func() error {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		err := cmd.Wait()
		ts.Logf("[hub]\n%s", stderr.String())
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		ts.Fatalf("the hub did not start: %v\n%s", end(), stderr.String())
	}
	url := strings.Fields(line)[2]
	ts.Setenv("GAPLESS_HUB", url)
	running := &runningHub{end: end}
	ts.SetCmd("unhub", func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(running.stop()) })
	ts.Defer(func() { _ = running.stop() }) // a script that failed has said why
}

// runningHub ends its hub once.
type runningHub struct{ end func() error }

func (r *runningHub) stop() error {
	if r.end == nil {
		return nil
	}
	end := r.end
	r.end = nil
	return end()
}

// unhub ends the hub as Ctrl-C does.
func unhub(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("no hub runs") }

// code N gapless ARG... runs the program and wants this exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N gapless ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// settled waits until nothing is held any more.
func settled(ts *testscript.TestScript, _ bool, _ []string) {
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for range 400 {
		ts.Check(ts.Exec("gapless", "held"))
		if strings.HasPrefix(ts.ReadFile("stdout"), "nothing is held") {
			return
		}
		<-every.C
	}
	ts.Fatalf("still held after 20 s")
}

// applied REF waits until a command about an object is applied.
func applied(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: applied REF")
	}
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for range 400 {
		ts.Check(ts.Exec("gapless", "trace", args[0]))
		if strings.Contains(ts.ReadFile("stdout"), "applied: ") {
			return
		}
		<-every.C
	}
	ts.Fatalf("nothing is applied after 20 s")
}

// raised N REASON waits until N exceptions of a reason are open.
func raised(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: raised N REASON")
	}
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for range 400 {
		ts.Check(ts.Exec("gapless", "exceptions", "list"))
		if strings.Count(ts.ReadFile("stdout"), "("+args[1]+")") == wanted {
			return
		}
		<-every.C
	}
	ts.Fatalf("not %s are %s after 20 s", args[0], args[1])
}

// told FILE KIND N waits until so many alerts of a kind stand in a file, and wants no more.
func told(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: told FILE KIND N")
	}
	wanted, err := strconv.Atoi(args[2])
	ts.Check(err)
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	found := 0
	for range 600 {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if !errors.Is(err, os.ErrNotExist) {
			ts.Check(err)
		}
		if found = strings.Count(string(text), `"kind":"`+args[1]+`"`); found >= wanted {
			break
		}
		<-every.C
	}
	if found != wanted {
		ts.Fatalf("%d alerts of the kind %s were told, want %d", found, args[1], wanted)
	}
}

// rewrite HOW FROM TO writes a shift report in another way: reversed; or with the
// first productive row recounted (its count is raised by 1,000) or dropped. Then it
// sets $ORDER and $TOTALS as they must come out, and $BEFORE and $AFTER, the good
// parts of the row.
func rewrite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: rewrite reversed|recounted|dropped FROM TO")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[1]), "\n"), "\n")
	head, rows := lines[0], lines[1:]
	switch args[0] {
	case "reversed":
		slices.Reverse(rows)
	case "recounted", "dropped":
		rows = rewriteRow(ts, args[0], strings.Split(strings.TrimRight(head, "\r"), ","), rows)
	default:
		ts.Fatalf("rewrite %s is not known", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(head+"\n"+strings.Join(rows, "\n")+"\n"), 0o600))
}

func rewriteRow(ts *testscript.TestScript, how string, head, rows []string) []string {
	column := func(name string) int {
		return slices.IndexFunc(head, func(h string) bool { return strings.Trim(h, " \ufeff") == name })
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(ts.Getenv(name), 10, 64)
		ts.Check(err)
		return n
	}
	totals := mouldingplant.Count{Total: number("TOTAL"), Good: number("GOOD"), Rejected: number("REJECTED")}
	for i, row := range rows {
		cells, err := csv.NewReader(strings.NewReader(row)).Read()
		ts.Check(err)
		total, _ := strconv.ParseInt(cells[column("itemTotalQuantity")], 10, 64)
		good, _ := strconv.ParseInt(cells[column("itemGoodQuantity")], 10, 64)
		if cells[column("poNote")] == "" || good < 1000 {
			continue
		}
		ts.Setenv("ORDER", "order/"+cells[column("poNote")])
		ts.Setenv("BEFORE", grouped(strconv.FormatInt(good, 10)))
		ts.Setenv("AFTER", grouped(strconv.FormatInt(good+1000, 10)))
		if how == "dropped" {
			setTotals(ts, mouldingplant.Count{Total: totals.Total - total, Good: totals.Good - good, Rejected: totals.Rejected - (total - good)}, int(number("ORDERS")))
			return slices.Delete(slices.Clone(rows), i, i+1)
		}
		cells[column("itemTotalQuantity")], cells[column("itemGoodQuantity")] = strconv.FormatInt(total+1000, 10), strconv.FormatInt(good+1000, 10)
		setTotals(ts, mouldingplant.Count{Total: totals.Total + 1000, Good: totals.Good + 1000, Rejected: totals.Rejected}, int(number("ORDERS")))
		rows[i] = strings.Join(cells, ",")
		return rows
	}
	ts.Fatalf("no productive row in the report")
	return nil
}

// alter FILE STATEMENT changes a SQLite file behind the program's back.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: alter FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	result, err := db.ExecContext(context.Background(), args[1])
	ts.Check(err)
	n, err := result.RowsAffected()
	ts.Check(err)
	ts.Check(db.Close())
	if n == 0 {
		ts.Fatalf("nothing was altered")
	}
}

// lastline TEXT wants this last line of standard output.
func lastLine(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	if got := lines[len(lines)-1]; neg || len(args) != 1 || got != args[0] {
		ts.Fatalf("the last line is %q, want %q", got, args)
	}
}

// field PATH VARIABLE puts a value of the first JSON document in standard output
// into a variable; names in the path are separated by dots, and
// a number is a place in a list.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field PATH VARIABLE")
	}
	var value any
	ts.Check(json.NewDecoder(strings.NewReader(ts.ReadFile("stdout"))).Decode(&value))
	for name := range strings.SplitSeq(args[0], ".") {
		object, _ := value.(map[string]any)
		list, _ := value.([]any)
		place, err := strconv.Atoi(name)
		var ok bool
		if value, ok = object[name]; !ok && err == nil && place < len(list) {
			value, ok = list[place], true
		}
		if !ok {
			ts.Fatalf("there is no %s", args[0])
		}
	}
	ts.Setenv(args[1], fmt.Sprint(value))
}
