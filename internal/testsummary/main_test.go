package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun runs the real go test on a module made here, so that a change of its events is
// noticed.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs test programs: left out with -short")
	}
	t.Chdir(module(t, map[string]string{
		"good": "func TestGood(t *testing.T) {}\nfunc TestSkipped(t *testing.T) { t.Skip(`no plant`) }\n",
		"bad":  "func TestBad(t *testing.T) { t.Error(`one part is missing`) }\n",
		"torn": "func TestTorn(t *testing.T) { unused := 1 }\n",
	}))
	tests := []struct {
		name string
		args []string
		code int
		want []string // each in the output
	}{
		{
			name: "a good package is fine and its skip is told", args: []string{"./good"}, code: 0,
			want: []string{"could not test: example.test/m/good TestSkipped: no plant\n", "\n1 passed, 0 failed, 1 skipped\n"},
		},
		{
			name: "a failure and a failed build are told in full", args: nil, code: 1,
			want: []string{"one part is missing", "declared and not used: unused", "\n1 passed, 2 failed, 1 skipped\n"},
		},
		{
			name: "a pattern that no test matches fails", args: []string{"./good", "--", "-run", "^TestNone$"}, code: 1,
			want: []string{"no test was executed\n", "\n0 passed, 0 failed, 0 skipped\n"},
		},
		{
			name: "a folder that is not there fails", args: []string{"./none"}, code: 1,
			want: []string{"directory not found"},
		},
		{name: "an unknown flag is wrong usage", args: []string{"-none"}, code: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ending := filepath.Join(t.TempDir(), "ending")
			var stdout, stderr strings.Builder
			code := run(t.Context(), append([]string{"-ending", ending}, tt.args...), &stdout, &stderr)
			if code != tt.code {
				t.Errorf("exit code %d, want %d; stderr:\n%s", code, tt.code, stderr.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("output lacks %q:\n%s", want, stdout.String())
				}
			}
			if tt.code == 2 {
				return
			}
			written, err := os.ReadFile(ending)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(stdout.String(), string(written)) {
				t.Errorf("the ending's file is not the output's end:\n%s", written)
			}
		})
	}
}

func TestRunEndsTestProgramsWhenToldToStop(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs test programs: left out with -short")
	}
	dir := module(t, map[string]string{
		"slow": "func TestSlow(t *testing.T) { _ = os.WriteFile(`began`, nil, 0o644); select {} }\n",
	})
	t.Chdir(dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // ends with ctx at the latest
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := os.Stat(filepath.Join(dir, "slow", "began")); err == nil || ctx.Err() != nil {
				cancel()
				return
			}
		}
	}()
	var stdout, stderr strings.Builder
	if code := run(ctx, []string{"./slow"}, &stdout, &stderr); code != 1 {
		t.Errorf("exit code %d, want 1:\n%s%s", code, stdout.String(), stderr.String())
	}
	if want := "failed: example.test/m/slow"; !strings.Contains(stdout.String(), want) {
		t.Errorf("output lacks %q:\n%s", want, stdout.String())
	}
}

// module makes a module of packages that each hold one test file.
func module(t *testing.T, tests map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module example.test/m\n\ngo 1.26\n"}
	for name, body := range tests {
		imports := "import \"testing\"\n"
		if strings.Contains(body, "os.") {
			imports += "import \"os\"\n"
		}
		files[filepath.Join(name, name+"_test.go")] = "package " + name + "\n\n" + imports + "\n" + body
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
