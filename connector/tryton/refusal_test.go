package tryton

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// TestWhatTheServerSaysIsToldApart holds the answers of a real server, as they
// were measured, to what they mean; most are provoked by TestRefusals too.
func TestWhatTheServerSaysIsToldApart(t *testing.T) {
	definitions := `[["type", "in", ["view"]], {"help": "` + strings.Repeat("x", 42_000) + `"}]`
	for answer, want := range map[string]*fault.Reason{
		`["UserError", ["To modify stock move \"1.000kg [RM-1001] Paracetamol API\" you must reopen period \"2026-08-31\".", "", null]]`:                           fault.PeriodClosed,
		`["UserError", ["To continue, you must create a period for the date \"09/27/2026\".", "", null]]`:                                                          fault.AccountingClosed,
		`["UserError", ["To move product \"[RM-1001] Paracetamol API\" you must provide a stock lot.", "", null]]`:                                                 fault.LotMissing,
		`["UserError", ["You cannot process move \"1.000kg [RM-1001] X\" because its lot \"RM-1001-EXPIRED\" has expired.", "", null]]`:                            fault.LotExpired,
		`["UserError", ["You are trying to read records \"999999\" of \"Product Variant\" that don't exist anymore.", "", null]]`:                                  fault.MasterDataMissing,
		`["UserError", ["The value \"999999\" for field \"To Location\" in \"Stock Move\" does not exist.", "", null]]`:                                            fault.MasterDataMissing,
		`["cannot convert between Volume and Weight without a factor or rate", ""]`:                                                                                fault.UnitRefused,
		`["UserError", ["The value for field \"Uom\" in \"Production\" is not valid according to its domain.", "", ` + definitions + `]]`:                          fault.UnitRefused,
		`["UserError", ["The value for field \"Lot\" in \"Stock Move\" is not valid according to its domain.", "", ` + definitions + `]]`:                          fault.UnclassifiedRefusal,
		`["UserError", ["The number of digits in the value \"1.5\" for field \"Quantity\" in \"Stock Move\" exceeds the limit of \"0\".", "", null]]`:              fault.PrecisionRefused,
		`["UserError", ["You are not allowed to access \"Stock Move\".", "", null]]`:                                                                               fault.AccessDenied,
		`["UserError", ["Calling button \"done on \"production\" is not allowed.", "", null]]`:                                                                     fault.AccessDenied,
		`["UserError", ["You are not allowed to read records \"999999\" of \"Production\" because of at least one of these rules:\nUser in companies", "", null]]`: fault.UnclassifiedRefusal, // unknown, or of another company
		`["UserError", ["To complete production \"MO000021\", work \"Dispensing @ MO000021\" must be finished.", "", null]]`:                                       fault.WrongState,
		`["UserError", ["You cannot modify stock move \"5.000kg [SF-3001] X\" because it is done.", "", null]]`:                                                    fault.WrongState,
		`["UserError", ["To modify stock move \"0.710kg [RM-1002] X\" you must reset its state to draft.", "", null]]`:                                             fault.WrongState,
		`["UserError", ["You cannot use more than 10.0kg of lot \"U\" in \"11.000kg [SF-3001] X\".", "", null]]`:                                                   fault.UnclassifiedRefusal,
		`["UserWarning", ["118b9c.effective_date_future", "The moves \"1.000kg [RM-1001] X\" have effective dates in the future.", ""]]`:                           fault.UnclassifiedRefusal,
		`["ConcurrencyException", "Records were modified in the meanwhile"]`:                                                                                       fault.ChangedMeanwhile,
		`["could not obtain lock on row in relation \"stock_move\"\n", ""]`:                                                                                        fault.RecordLocked,
		`["deadlock detected\nDETAIL:  Process 1 waits", ""]`:                                                                                                      fault.RecordLocked,
		`["could not serialize access due to concurrent update\n", ""]`:                                                                                            fault.ChangedMeanwhile,
		`["'product'", ""]`: fault.UnclassifiedRefusal,
		`["can't multiply sequence by non-int of type 'float'", ""]`: fault.UnclassifiedRefusal,
		`[]`: fault.UnclassifiedRefusal,
	} {
		refused, ok := errors.AsType[*Refusal](refusalOf(t, answer))
		if !ok || refused.Reason != want {
			t.Errorf("%.200s\nis %v, not %s", answer, refused, want)
			continue
		}
		if len(refused.Text) > 300 || refused.Text == "" && answer != "[]" || strings.Contains(refused.Text, "effective_date_future") {
			t.Errorf("%.200s\nis told as %q", answer, refused.Text)
		}
		if !errors.Is(refused, want) {
			t.Errorf("%.200s: the error does not carry the reason", answer)
		}
	}
}

func TestAServerThatHasLostItsDatabaseIsNoRefusal(t *testing.T) {
	for answer, notSent := range map[string]bool{
		`["connection to server at \"127.0.0.1\", port 55432 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n", ""]`: true,
		`["connection to server at \"127.0.0.1\", port 55432 failed: FATAL:  database \"nodb\" does not exist\n", ""]`:                                                   true,
		`["server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n", ""]`:                                                    false,
		`["connection already closed", ""]`: false,
	} {
		err := refusalOf(t, answer)
		if _, refused := errors.AsType[*Refusal](err); refused || errors.Is(err, connector.ErrNotSent) != notSent {
			t.Errorf("%s\nis %v", answer, err)
		}
	}
}

func refusalOf(t *testing.T, answer string) error {
	t.Helper()
	var parts []json.RawMessage
	if err := json.Unmarshal([]byte(answer), &parts); err != nil {
		t.Fatal(err)
	}
	return (&Client{}).refusal("model.stock.move.do", parts)
}

func TestQuantitiesOfUnitsAreConvertedExactly(t *testing.T) {
	kg := unit{ID: 2, Symbol: "kg", Category: 2, Factor: "1", Rate: "1"}
	for _, c := range []struct {
		quantity string
		from     unit
		want     string
	}{
		{"0.1", unit{ID: 34, Symbol: "t", Category: 2, Factor: "1000", Rate: "0.001"}, "100"},
		{"1", unit{ID: 3, Symbol: "g", Category: 2, Factor: "0.001", Rate: "1000"}, "0.001"},
		{"24", unit{ID: 33, Symbol: "third", Category: 2, Factor: "0.333333333333", Rate: "3"}, "8"}, // the rate is what was entered
		{"7", kg, "7"},
	} {
		var q amount
		if err := json.Unmarshal([]byte(c.quantity), &q); err != nil {
			t.Fatal(err)
		}
		if got, err := inUnit(*q.Decimal, c.from, kg); err != nil || plain(got) != c.want {
			t.Errorf("%s %s are %v, %v", c.quantity, c.from.Symbol, got, err)
		}
	}
	var q amount
	_ = json.Unmarshal([]byte("1"), &q) // a number
	if _, err := inUnit(*q.Decimal, unit{ID: 21, Symbol: "l", Category: 4, Factor: "1", Rate: "1"}, kg); !errors.Is(err, fault.UnitRefused) {
		t.Error(err)
	}
}
