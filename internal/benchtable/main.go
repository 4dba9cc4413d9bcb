// Command benchtable measures durable intake beside the floor that the database
// alone gives, in one run, and writes the table of docs/benchmarks.md: medians of
// several rounds, as ratios, with the machine.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 3, "how often everything is measured; the table holds medians")
	messages := flag.Int("messages", 20000, "messages for each measurement of intake")
	out := flag.String("out", "", "file to write the table to; standard output where empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *messages, *out); err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds, messages int, out string) error {
	found := map[string][]float64{}
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
		for _, step := range []struct{ pattern, folder, time string }{
			{"^BenchmarkFloor$", "./ledger", "1s"},
			{"^BenchmarkIntake$", ".", strconv.Itoa(messages) + "x"},
		} {
			if err := measure(ctx, step.pattern, step.folder, step.time, found); err != nil {
				return err
			}
		}
	}
	page := table(found, rounds, messages)
	if out == "" {
		_, err := os.Stdout.Write(page)
		return err
	}
	return os.WriteFile(out, append(page, notes(out)...), 0o644)
}

// marker begins what people have written under the table; it is kept.
const marker = "<!-- notes -->"

// notes are what people have written under an earlier table; nothing where there
// is none.
func notes(file string) []byte {
	before, err := os.ReadFile(file)
	if err != nil {
		return nil // the first table
	}
	if at := bytes.Index(before, []byte(marker)); at >= 0 {
		return append([]byte("\n"), before[at:]...)
	}
	return nil
}

// result is a line such as "BenchmarkIntake/sqlite/batch=1-2  20000  812 ns/op  4100 messages/s".
var result = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+.*?([\d.]+) (?:messages|events)/s`)

func measure(ctx context.Context, pattern, folder, benchtime string, found map[string][]float64) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", benchtime, "-timeout", "30m", folder)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", pattern, folder, err, output)
	}
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		m := result.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		rate, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "  %-40s %8.0f/s\n", m[1], rate)
		found[m[1]] = append(found[m[1]], rate)
	}
	return nil
}

func median(rates []float64) float64 {
	if len(rates) == 0 {
		return 0
	}
	rates = slices.Sorted(slices.Values(rates))
	return (rates[(len(rates)-1)/2] + rates[len(rates)/2]) / 2
}

func table(found map[string][]float64, rounds, messages int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Benchmarks

Durable intake over HTTP, acknowledged after the synced commit: messages of 1 KiB through a mapping and the standard
policies (one of which reads state), facts included, one in ten about one hot lot; 64 clients in the same process.
The floor is the best of multi-row inserts of 64, 256 and 1,024 events into the final schema, the same rows with
nothing decided, measured in the same run. Medians of %d rounds of %d messages; trust the ratios. Made by
`+"`make bench-table`"+` on %s.

| database | floor, events/s | single posts/s | of the floor | wanted | batches of 100, messages/s | of the floor | wanted |
|---|---|---|---|---|---|---|---|
`, rounds, messages, machine())
	for _, database := range []string{"sqlite", "postgres"} {
		floor := 0.0
		for _, size := range []string{"64", "256", "1024"} {
			floor = max(floor, median(found["BenchmarkFloor/"+size+"/"+database]))
		}
		if floor == 0 {
			fmt.Fprintf(&b, "| %s | not measured: no server | | | | | | |\n", database)
			continue
		}
		single, batch := median(found["BenchmarkIntake/"+database+"/batch=1"]), median(found["BenchmarkIntake/"+database+"/batch=100"])
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f %% | 40 %% | %.0f | %.0f %% | 60 %% |\n", database, floor, single, 100*single/floor, batch, 100*batch/floor)
	}
	return b.Bytes()
}

// machine is what the figures were measured on.
func machine() string {
	model := "an unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	load := ""
	if f, err := os.Open("/proc/loadavg"); err == nil {
		b, _ := io.ReadAll(f) // the load is a remark, not a result
		_ = f.Close()
		load = ", load " + strings.SplitN(string(b), " ", 2)[0] + " at the end"
	}
	return fmt.Sprintf("%d cores of %s, %s, %s%s", runtime.NumCPU(), model, runtime.Version(), time.Now().UTC().Format(time.DateOnly), load)
}
