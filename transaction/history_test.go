package transaction_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/transaction"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A recording is what a transaction was given, in order, and what came of it.
type recording struct {
	Inputs   []input              `json:"inputs"`
	Instance transaction.Instance `json:"instance"`
}

type input struct {
	State  *transaction.State    `json:"state,omitempty"`
	Note   *transaction.Happened `json:"note,omitempty"`
	Settle *struct {
		Step      int                    `json:"step"` // its place
		Status    transaction.StepStatus `json:"status"`
		Documents []string               `json:"documents,omitempty"`
		Reason    string                 `json:"reason,omitempty"`
	} `json:"settle,omitempty"`
}

// What was recorded once must replay the same for ever, command keys included:
// they are with the systems that took them.
func TestRecordedHistoriesReplayTheSame(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no histories", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recording
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			if err := d.Decode(&r); err != nil {
				t.Fatal(err)
			}
			desk := newDesk(t, lotPlan())
			for _, in := range r.Inputs {
				switch {
				case in.State != nil:
					desk.world.State = *in.State
					continue
				case in.Note != nil:
					desk.in = desk.plan.Note(desk.in, *in.Note)
				default:
					desk.in = desk.plan.Settle(desk.in, desk.in.Steps[in.Settle.Step].Key, transaction.Result{Status: in.Settle.Status, Documents: in.Settle.Documents, Reason: in.Settle.Reason})
				}
				desk.next()
			}
			if *update {
				r.Instance = desk.in
				text, err := json.MarshalIndent(r, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(r.Instance, desk.in); diff != "" {
				t.Errorf("(-recorded +replayed):\n%s", diff)
			}
		})
	}
}

func BenchmarkNoteAndNext(b *testing.B) {
	d := newDesk(b, lotPlan())
	d.happens("one", "production.completed", "graz", nil)
	d.happens("two", "production.completed", "graz", nil)
	d.happens("three", "production.completed", "graz", nil)
	for i := range 3 {
		d.settle(i, transaction.StepApplied)
	}
	d.world.State.Status = "released"
	d.happens("free", "lot.released", "graz", nil)
	if len(d.in.Events) != 4 || len(d.in.Steps) != 5 {
		b.Fatalf("%d events, %d steps", len(d.in.Events), len(d.in.Steps))
	}
	h := transaction.Happened{Key: "five", ID: "five", Statement: 1, Type: "lot.released", Plant: "graz", Ordering: day(9), Position: 9, Occurred: d.in.Events[0].Occurred}
	b.ReportAllocs()
	for b.Loop() {
		if in := d.plan.Next(d.plan.Note(d.in, h), d.world); len(in.Steps) != 5 {
			b.Fatal("it decided something")
		}
	}
}
