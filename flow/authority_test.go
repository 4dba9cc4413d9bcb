package flow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/ledger"
)

func TestNothingIsKeptOfWhatAKeyMayNotSay(t *testing.T) {
	h := newHub(t)
	person := ledger.Principal{Name: "anna", Kind: ledger.PersonKind, Grants: []ledger.Grant{{Role: ledger.Operator}}}
	for name, x := range map[string]struct {
		from ledger.Principal
		e    doc
		want string
	}{
		"the key of another system":             {key("linz-mes"), made("e1", "1", "1"), "refused foreign_source"},
		"a part of another system":              {key("linz-mes"), made("e1", "1", "1", doc{"source": "graz-mes/line 1"}), "refused foreign_source"},
		"a system whose name only begins alike": {key("graz"), made("e1", "1", "1"), "refused foreign_source"},
		"a system that nobody knows":            {key("mars"), made("e1", "1", "1", doc{"source": "mars"}), "refused system_unknown"},
		"a person who is no steward":            {person, made("e1", "1", "1"), "refused foreign_source"},
	} {
		t.Run(name, func(t *testing.T) {
			h.becomes(h.one(events(t, x.from, x.e)), x.want)
		})
	}
	for name, from := range map[string]ledger.Principal{"the key of another system": key("linz-mes"), "a person who is no steward": person} {
		d := weighing("W-1", "CAP28", "2026-03-02T08:00:00Z")
		d.From = from
		if _, err := h.take(d); err == nil || !isFault(err, "foreign_source") {
			t.Errorf("%s at the door of native messages: %v", name, err)
		}
	}
	if n := h.count(); n != (ledger.Totals{}) {
		t.Errorf("something was kept: %+v", n)
	}
}

func TestASystemSpeaksWithinItsAuthority(t *testing.T) {
	h := newHub(t)
	steward := ledger.Principal{Name: "eva", Kind: ledger.PersonKind, Grants: []ledger.Grant{{Role: ledger.Steward}}}
	cases := []struct {
		name string
		from ledger.Principal
		e    doc
		want string
	}{
		{"a release by the shop floor", key("graz-mes"), released("1", lot1, "2026-03-02T08:00:00Z"), "held authority_missing"},
		{"production at a plant that is not the system's", key("graz-mes"), made("2", "1", "1", doc{"plant": "linz"}), "held authority_missing"},
		{"production at a plant that nobody knows", key("graz-mes"), made("3", "1", "1", doc{"plant": "mars"}), "held plant_unknown"},
		{"a system of several plants that names none", key("qms"), cloud("qms", "4", "hold.placed", "2026-03-02T08:00:00Z", placed("", "H", lot1, "")["data"].(doc), doc{"plant": ""}), "held plant_unknown"},
		{"a system of one plant that names none", key("graz-mes"), made("5", "1", "1", doc{"plant": ""}), "recorded"},
		{"before the plant's begin", key("graz-mes"), made("6", "1", "1", doc{"time": "2025-12-31T23:59:59+01:00"}), "held before_begin"},
		{"at the plant's begin", key("graz-mes"), made("7", "1", "1", doc{"time": "2026-01-01T00:00:00+01:00"}), "recorded"},
		{"ten minutes ahead", key("graz-mes"), made("8", "1", "1", doc{"time": "2026-06-01T08:10:00Z"}), "held time_invalid"},
		{"a clock that is four minutes ahead", key("graz-mes"), made("9", "1", "1", doc{"time": "2026-06-01T08:04:00Z"}), "recorded"},
		{"an end in the future", key("graz-mes"), made("10", "1", "1", doc{"occurredto": "2027-01-01T00:00:00Z"}), "held time_invalid"},
		{"the year 0001", key("graz-mes"), made("11", "1", "1", doc{"time": "0001-01-01T00:00:00Z"}), "held time_invalid"},
		{"the year 9999", key("graz-mes"), made("12", "1", "1", doc{"time": "9999-12-31T23:59:59Z"}), "held time_invalid"},
		{"a steward delivers for a system", steward, made("13", "1", "1"), "recorded"},
		{"not even a steward gives a system authority", steward, released("14", lot1, "2026-03-02T08:00:00Z"), "held authority_missing"},
	}
	recorded := int64(0)
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			if x.from.Kind == ledger.PersonKind || x.from.System == "graz-mes" {
				x.e["source"] = "graz-mes"
			}
			h.t = t
			h.becomes(h.one(events(t, x.from, x.e)), x.want)
			if x.want == "recorded" {
				recorded++
			}
		})
	}
	h.t = t
	want := ledger.Totals{Messages: int64(len(cases)), Events: recorded, Held: int64(len(cases)) - recorded}
	if diff := cmp.Diff(want, h.count()); diff != "" {
		t.Error(diff)
	}
	h.verified()
}

func TestARevisedAuthorityLetsHeldMessagesGoOnWhenRetried(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(created("c", lot1, "2026-03-01T08:00:00Z")), "recorded")
	e := released("r", lot1, "2026-03-02T08:00:00Z")
	e["source"] = "graz-mes"
	h.becomes(h.says(e), "held authority_missing")
	h = h.again(map[string]string{"systems/graz-mes.yaml": "system: graz-mes\ntitle: Manufacturing execution in Graz\nroles: [mes, qms]\nplants: [graz]\n"})
	h.becomes(h.retried(messageKey("graz-mes", "r")), "recorded")
	h.verified()
}
