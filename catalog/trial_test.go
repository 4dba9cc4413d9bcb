package catalog

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/policy"
)

const shiftRows = "day,shift,order,material,good,unit\n"

func tried(t testing.TB, c *Catalog, rows string, given Given) Trial {
	t.Helper()
	trial, err := c.Try("graz-mes", "shift-report", format.CSV, []byte(shiftRows+rows), given)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

func TestATrialShowsWhatAMessageBecomes(t *testing.T) {
	trial := tried(t, small(t), "2026-03-02,1,1000123,4711,12.5,kg\n", Given{})
	if !trial.OK() || len(trial.Records) != 1 || len(trial.Records[0].Events) != 1 {
		t.Fatalf("got %+v", trial)
	}
	record := trial.Records[0]
	e := record.Events[0]
	type shown struct {
		Number                            int
		Plant, Slot, Type, Day, Shift     string
		Subject                           event.Ref
		Refs                              []event.Ref
		Fact, Material, From, To, StandIn string
	}
	got := shown{
		record.Number, record.Plant, e.Slot, e.Type, e.Day, e.Shift, e.Subject, e.Refs,
		e.Facts[0].Measure + " " + e.Facts[0].Base.String(), string(e.Facts[0].Material),
		e.Occurred.From.Format("15:04Z07:00"), e.Occurred.To.Format("15:04Z07:00"), strings.Join(e.StandIns, ","),
	}
	want := shown{
		2, "graz", "good", "production.completed", "2026-03-02", "1", "order/1000123",
		[]event.Ref{"order/1000123", "material/M-100", "work-center/graz/L1"},
		"good 12.5 KGM", "material/M-100", "06:00+01:00", "14:00+01:00", "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(record.Explanations) == 0 {
		t.Error("nothing is explained")
	}
}

func TestWhatStandsAgainstATriedRecord(t *testing.T) {
	for name, test := range map[string]struct {
		row    string
		reason *fault.Reason
		field  string
	}{
		"a unit that nobody translated":  {"2026-03-02,1,1000123,4711,12.5,KG\n", fault.CodeUnknown, "unit"},
		"an order that is no text":       {"2026-03-02,1,,4711,12.5,kg\n", fault.IDMissing, "order"},
		"a row with too many cells":      {"2026-03-02,1,1000123,4711,12.5,kg,more\n", fault.NotReadable, ""},
		"a shift that the plant has not": {"2026-03-02,9,1000123,4711,12.5,kg\n", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			trial := tried(t, small(t), test.row, Given{})
			f := trial.Records[0].Fault
			if trial.OK() || f == nil {
				t.Fatalf("it passed: %+v", trial)
			}
			if test.reason != nil && (f.Reason != test.reason || f.Field != test.field) {
				t.Errorf("got %v at %q, want %s at %q", f, f.Field, test.reason, test.field)
			}
		})
	}
}

func TestATrialTellsFaultsOfTheContractPerEvent(t *testing.T) {
	trial := tried(t, small(t), "2026-03-02,1,1000123,4711,-5,kg\n2026-03-02,2,1000123,4711,5,kg\n", Given{})
	if trial.OK() || len(trial.Records) != 2 {
		t.Fatalf("got %+v", trial)
	}
	faults := trial.Records[0].Events[0].Faults
	if len(faults) != 1 || faults[0].Reason != fault.QuantityNegative || len(trial.Records[1].Events[0].Faults) != 0 {
		t.Errorf("got %v and %v", faults, trial.Records[1].Events[0].Faults)
	}
}

func TestLocalIdentifiersOfATrial(t *testing.T) {
	row := "2026-03-02,1,1000123,0815,12.5,kg\n"
	e := tried(t, small(t), row, Given{}).Records[0].Events[0]
	if diff := cmp.Diff([]string{"material 0815"}, e.StandIns); diff != "" || len(e.Faults) > 0 {
		t.Errorf("%s %v", diff, e.Faults)
	}
	e = tried(t, small(t), row, Given{Local: map[string]event.Ref{"material/0815": "material/M-9"}}).Records[0].Events[0]
	if len(e.StandIns) > 0 || e.Facts[0].Material != "material/M-9" {
		t.Errorf("stand-ins %v, material %s", e.StandIns, e.Facts[0].Material)
	}
	e = tried(t, small(t), "2027-03-02,1,1000123,4711,12.5,kg\n", Given{}).Records[0].Events[0]
	if e.Facts[0].Material != "material/M-200" {
		t.Errorf("material %s, want the one valid when it happened", e.Facts[0].Material)
	}
}

func TestATrialAsksForTheReferenceDataThatItNeeds(t *testing.T) {
	c := small(t)
	record := []byte(`{"day": "2026-03-02", "shift": "1", "order": "1", "material": "M-100", "good": "1", "unit": "kg", "bill": "yes"}`)
	trial, err := c.Try("graz-mes", "shift-report", format.JSON, record, Given{})
	if err != nil {
		t.Fatal(err)
	}
	if f := trial.Records[0].Fault; f == nil || f.Reason != fault.ReferenceMissing || f.Ref != "material/M-100" {
		t.Errorf("got %v", f)
	}
	trial, err = c.Try("graz-mes", "shift-report", format.JSON, record, Given{Reference: map[event.Ref]any{"material/M-100": map[string]any{}}})
	if err != nil || !trial.OK() {
		t.Errorf("with the body: %v %+v", err, trial)
	}
}

func TestPoliciesOfATrial(t *testing.T) {
	c := small(t, edit{"policies/no-release-under-hold.yaml", "on: [lot.released]", "on: [production.completed]"},
		edit{"policies/no-release-under-hold.yaml", "effect: forbid", "effect: dispute"},
		edit{"policies/no-release-under-hold.yaml", "type: lot.released", "type: production.completed"},
		edit{"policies/no-release-under-hold.yaml", "type: lot.released", "type: production.completed"})
	given := Given{States: map[event.Ref]map[string]any{"order/1000123": {"open": map[string]any{"holds": []any{"hold/qms/1"}}}}}
	e := tried(t, c, "2026-03-02,1,1000123,4711,12.5,kg\n", given).Records[0].Events[0]
	if len(e.Verdicts) != 1 || e.Verdicts[0].Outcome != policy.Stop || e.Stopped() {
		t.Errorf("got %+v", e.Verdicts)
	}
}

func TestAMessageThatTheCatalogHasNotCannotBeTried(t *testing.T) {
	c := small(t)
	if _, err := c.Try("graz-mes", "nothing", format.JSON, nil, Given{}); !errors.Is(err, fault.MessageUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Try("graz-mes", "shift-report", format.XML, nil, Given{}); !errors.Is(err, fault.TypeUnsupported) {
		t.Errorf("got %v", err)
	}
}
