package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events are lines of go test -json, shortened to what matters here.
const (
	twoTests = `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestB","Elapsed":0.1}
{"Action":"pass","Package":"p","Elapsed":0.25}`

	subtests = `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/good"}
{"Action":"run","Package":"p","Test":"TestA/bad"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: the table's own word\n"}
{"Action":"output","Package":"p","Test":"TestA/good","Output":"never to be seen\n"}
{"Action":"output","Package":"p","Test":"TestA/bad","Output":"    a_test.go:4: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA/bad","Elapsed":0}
{"Action":"pass","Package":"p","Test":"TestA/good","Elapsed":0}
{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p","Elapsed":0.01}`

	skips = `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestDB"}
{"Action":"output","Package":"p","Test":"TestDB","Output":"=== RUN   TestDB\n"}
{"Action":"output","Package":"p","Test":"TestDB","Output":"    db_test.go:9: no PostgreSQL:\n"}
{"Action":"output","Package":"p","Test":"TestDB","Output":"        set GAPLESS_TEST_POSTGRES\n"}
{"Action":"output","Package":"p","Test":"TestDB","Output":"--- SKIP: TestDB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestDB","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestMute"}
{"Action":"output","Package":"p","Test":"TestMute","Output":"--- SKIP: TestMute (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestMute","Elapsed":0}
{"Action":"pass","Package":"p","Elapsed":0}`

	failedBuild = `
{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1: declared and not used: x\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p [p.test]"}`

	exitInTest = `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"exit status 4\n"}
{"Action":"fail","Package":"p","Elapsed":0}`

	cutOff = `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}`

	noTests = `
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p","Elapsed":0}`
)

func TestReport(t *testing.T) {
	tests := []struct {
		name   string
		events string
		total  int
		ok     bool
		want   string
	}{
		{
			name: "passed tests are counted and otherwise silent", events: twoTests, total: 3, ok: true,
			want: "[1/3]    ok   p (2 passed, 0.25 s)\n\n2 passed, 0 failed, 0 skipped\n",
		},
		{
			name: "a failed subtest counts once and is told in full, with its parent's words", events: subtests,
			want: "[1]      FAIL p (1 passed, 1 failed, 0.01 s)\n" +
				"--- p TestA/bad\n    a_test.go:3: the table's own word\n    a_test.go:4: got 1, want 2\n" +
				"\nfailed: p TestA/bad\n1 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "each skipped test is named with its reason", events: skips, ok: true,
			want: "[1]      ok   p (1 passed, 2 skipped, 0 s)\n\n" +
				"could not test: p TestDB: no PostgreSQL: set GAPLESS_TEST_POSTGRES\n" +
				"could not test: p TestMute: it gives no reason\n" +
				"1 passed, 0 failed, 2 skipped\n",
		},
		{
			name: "a package that does not build counts as one failure and shows the compiler's words", events: failedBuild,
			want: "[1]      FAIL p (0 passed, 0 s)\n" +
				"--- p\np.go:1: declared and not used: x\nFAIL\tp [build failed]\n" +
				"\nfailed: p\n0 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a test in which the program ended has failed", events: exitInTest,
			want: "[1]      FAIL p (1 passed, 1 failed, 0 s)\n--- p TestB\n--- p\nexit status 4\n" +
				"\nfailed: p TestB\n1 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a package of which go test said no more has failed", events: cutOff,
			want: "--- p did not end\n\nfailed: p\n0 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a run without any test is not in order", events: noTests,
			want: "[1]      --   p (no tests, 0 s)\n\n" +
				"packages without a test that this run selects: 1\nno test was executed\n0 passed, 0 failed, 0 skipped\n",
		},
		{
			name: "a line that is no event is passed on", events: "warning: no such thing\n" + twoTests, ok: true,
			want: "warning: no such thing\n[1]      ok   p (2 passed, 0.25 s)\n\n2 passed, 0 failed, 0 skipped\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			r := NewReport(&out)
			r.Total = tt.total
			if err := r.Read(strings.NewReader(tt.events)); err != nil {
				t.Fatal(err)
			}
			r.End()
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if r.OK() != tt.ok {
				t.Errorf("OK() = %v, want %v", r.OK(), tt.ok)
			}
		})
	}
}

func TestTickNamesWhatRunsOnlyAfterSilence(t *testing.T) {
	var out strings.Builder
	r := NewReport(&out)
	r.Tick()
	r.Tick()
	if got, want := out.String(), "[0]      ...  building\n"; got != want {
		t.Errorf("before any event: %q, want %q", got, want)
	}
	out.Reset()
	if err := r.Read(strings.NewReader(twoTests + "\n" + strings.ReplaceAll(cutOff, `"p"`, `"q"`))); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	r.Tick()
	if got := out.String(); got != "" {
		t.Errorf("right after a package's line: %q, want nothing", got)
	}
	r.Tick()
	if got, want := out.String(), "[1]      ...  q\n"; got != want {
		t.Errorf("after silence: %q, want %q", got, want)
	}
}
