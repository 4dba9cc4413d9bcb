package tryton_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
)

// month is the middle of a month before or after the one of the run.
func (e *erp) month(n int) string {
	now := e.outside.Now().UTC()
	return time.Date(now.Year(), now.Month()+time.Month(n), 15, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// The periods of the server: stock is closed to the end of the third month before
// this one, accounting to the end of the second.
const (
	stockClosed      = -3
	accountingClosed = -2
)

// TestRefusals provokes each refusal for real, by a request alone.
func TestRefusals(t *testing.T) {
	foil := func(from, to, quantity, unit, date string) string {
		return fmt.Sprintf(`{"do": "transfer", "from": %q, "to": %q, "date": %q, "lines": [{"product": "PK-2002", "quantity": %q, "unit": %q}]}`, from, to, date, quantity, unit)
	}
	count := func(date string) string {
		return fmt.Sprintf(`{"do": "count", "location": "P300-OUT", "date": %q, "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`, date)
	}
	for _, c := range []struct {
		name    string
		request func(e *erp) string
		reason  *fault.Reason
		words   string
	}{
		{"stock period closed", func(e *erp) string { return count(e.month(stockClosed)) }, fault.PeriodClosed, "you must reopen period"},
		{"accounting period closed", func(e *erp) string { return count(e.month(accountingClosed)) }, fault.AccountingClosed, "you must create a period"},
		{"lot missing", func(*erp) string {
			return `{"do": "transfer", "from": "P100-STO", "to": "P100-REJ", "lines": [{"product": "RM-1001", "quantity": "1", "unit": "kg"}]}`
		}, fault.LotMissing, "you must provide a stock lot"},
		{"lot that the ERP does not know", func(*erp) string {
			return `{"do": "transfer", "from": "P100-STO", "to": "P100-REJ", "lines": [{"product": "RM-1001", "lot": "NO-SUCH", "quantity": "1", "unit": "kg"}]}`
		}, fault.LotMissing, `no lot "NO-SUCH"`},
		{"lot of another product", func(*erp) string {
			return `{"do": "transfer", "from": "P100-STO", "to": "P100-REJ", "lines": [{"product": "RM-1002", "lot": "RM-1001-2610-A", "quantity": "1", "unit": "kg"}]}`
		}, fault.LotMissing, `no lot "RM-1001-2610-A"`},
		{"lot expired", func(e *erp) string {
			return e.fill(`{"do": "issue", "order": "ORDER", "lines": [
				{"product": "RM-1001", "lot": "RM-1001-EXPIRED", "quantity": "8.5", "unit": "kg"},
				{"product": "RM-1002", "lot": "RM-1002-2610-A", "quantity": "1.42", "unit": "kg"},
				{"product": "RM-1003", "lot": "RM-1003-2610-A", "quantity": "0.08", "unit": "kg"}]}`, e.order())
		}, fault.LotExpired, "has expired"},
		{"stock of the product not enough", func(*erp) string { return foil("P300-STO", "P300-REJ", "9999999", "m", "") }, fault.StockInsufficient, "answered false"},
		{"stock of the lot not enough", func(e *erp) string {
			return e.fill(`{"do": "issue", "order": "ORDER", "lines": [{"product": "RM-1001", "lot": "RM-1001-2610-B", "quantity": "10000", "unit": "kg"}]}`, e.order())
		}, fault.StockInsufficient, "10000 is needed"},
		{"unknown product", func(*erp) string {
			return `{"do": "transfer", "from": "P100-STO", "to": "P100-REJ", "lines": [{"product": "XX-1", "quantity": "1", "unit": "kg"}]}`
		}, fault.MasterDataMissing, `"XX-1"`},
		{"unknown unit", func(*erp) string { return foil("P300-STO", "P300-REJ", "1", "furlong", "") }, fault.MasterDataMissing, `"furlong"`},
		{"unknown location", func(*erp) string { return foil("P300-NOWHERE", "P300-REJ", "1", "m", "") }, fault.MasterDataMissing, `"P300-NOWHERE"`},
		{"unknown order", func(e *erp) string { return e.fill(`{"do": "issue", "order": "MO-NONE", `+consumed+`}`, "") }, fault.MasterDataMissing, `"MO-NONE"`},
		{"unit of another category", func(*erp) string { return foil("P300-STO", "P300-REJ", "1", "kg", "") }, fault.UnitRefused, "Weight"},
		{"unit of another category in an order", func(*erp) string {
			return `{"do": "order", "product": "SF-3001", "quantity": "1", "unit": "l", "warehouse": "P100"}`
		}, fault.UnitRefused, ""},
		{"precision", func(*erp) string { return foil("P300-STO", "P300-REJ", "1.23456", "m", "") }, fault.PrecisionRefused, "exceeds the limit"},
		{"operation not finished", func(e *erp) string {
			order := e.order()
			e.applies(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order))
			return e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, order)
		}, fault.WrongState, "must be finished"},
		{"receipt before the issue", func(e *erp) string {
			return e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, e.order())
		}, fault.WrongState, "is waiting"},
		{"issued with other lines", func(e *erp) string {
			order := e.order()
			e.applies(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order))
			return e.fill(`{"do": "issue", "order": "ORDER", "lines": [{"product": "RM-1003", "lot": "RM-1003-2610-A", "quantity": "0.07", "unit": "kg"}]}`, order)
		}, fault.WrongState, "0.08 kg of RM-1003"},
		{"order that is not released", func(e *erp) string {
			draft := e.applies(`{"do": "order", "product": "SF-3001", "quantity": "10", "unit": "kg", "warehouse": "P100", "text": "` + e.tag + `"}`)
			return e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, draft.Number)
		}, fault.WrongState, "is draft"},
		{"a question that a person must answer", func(e *erp) string { return foil("P300-STO", "P300-REJ", "1", "m", e.month(5)) }, fault.UnclassifiedRefusal, "in the future"},
		{"a location outside of the plant", func(e *erp) string {
			order := e.order()
			e.applies(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order))
			return e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P200-QH"}]}`, order)
		}, fault.UnclassifiedRefusal, "not valid according to its domain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t)
			e.refuses(c.request(e), c.reason, c.words)
		})
	}
}

func TestWhatTheAccountMayNotDoIsDenied(t *testing.T) {
	for user, request := range map[string]string{
		"mes": `{"do": "transfer", "from": "P300-STO", "to": "P300-REJ", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`,
		"qms": `{"do": "operation", "order": "ORDER", "operation": "Dispensing", "minutes": "1"}`,
	} {
		t.Run(user, func(t *testing.T) {
			e := open(t)
			config := tryton.Config{ClientConfig: e.outside.config(user)}
			order := ""
			if user == "qms" {
				order = e.order()
			}
			system, err := tryton.New(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(system.Close)
			e.system = system
			e.refuses(e.fill(request, order), fault.AccessDenied, "allowed")
		})
	}
}

func TestAPartialReservationIsDropped(t *testing.T) {
	e := open(t)
	order := e.order()
	e.refuses(e.fill(`{"do": "issue", "order": "ORDER", "lines": [
		{"product": "RM-1002", "lot": "RM-1002-2610-A", "quantity": "1", "unit": "kg"},
		{"product": "RM-1003", "quantity": "99999", "unit": "kg"}]}`, order), fault.StockInsufficient, "kg of RM-1003") // without a lot, so that the ERP itself is asked
	var orders []struct {
		State string
		Moves []struct{ State string } `json:"inputs."`
	}
	q := tryton.Query{Domain: []any{[]any{"number", "=", order}}, Fields: []string{"state", "inputs.state"}}
	if err := e.client.SearchRead(t.Context(), "production", q, &orders); err != nil {
		t.Fatal(err)
	}
	for _, m := range orders[0].Moves {
		if m.State != "draft" {
			t.Errorf("a component is %s", m.State)
		}
	}
	e.applies(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order)) // it goes on from there
}

func TestAStepThatIsSilentlyIgnoredIsSeen(t *testing.T) {
	e := open(t)
	order := e.order()
	e.outside.before["model.production.run"] = func() { // somebody takes the reservation back
		if err := e.client.Button(t.Context(), "production", "wait", nil, orderIDs(t, e, order)...); err != nil {
			t.Error(err)
		}
	}
	e.refuses(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order), fault.WrongState, "is waiting after the ERP has answered")
}

func TestAnOrderThatSomebodyChangesMeanwhileIsNotOverwritten(t *testing.T) {
	e := open(t)
	order := e.order()
	e.outside.before["model.production.write"] = func() {
		if err := e.client.Write(t.Context(), "production", orderIDs(t, e, order)[0], map[string]any{"planned_start_date": e.month(1), "planned_date": e.month(1)}); err != nil {
			t.Error(err)
		}
	}
	e.refuses(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order), fault.ChangedMeanwhile, "modified in the meanwhile")
}

func TestALockThatSomebodyHoldsIsWaitedForAndThenTold(t *testing.T) {
	e := open(t)
	order := e.order()
	e.outside.before["model.production.assign_try"] = func() { lock(t, e) }
	e.refuses(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order), fault.RecordLocked, "could not obtain lock")
	if n := e.outside.calls("model.production.assign_try"); n < 3 {
		t.Errorf("it was tried %d times", n)
	}
}

// lock holds what a reservation needs, until the test ends. A tape has recorded it.
func lock(t *testing.T, e *erp) {
	env := e.outside.env
	if env == nil {
		return
	}
	address := fmt.Sprintf("postgres://tryton:%s@127.0.0.1:%s/%s", env["TRYTON_PG_PASSWORD"], cmp.Or(env["TRYTON_PGPORT"], "55432"), env["TRYTON_DB"])
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // which ends the transaction
	if _, err := conn.Exec(t.Context(), "begin"); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), "select id from stock_move where state = 'done' for update"); err != nil {
		t.Error(err)
	}
}

func TestASessionThatHasEndedIsOpenedOnceMore(t *testing.T) {
	e := open(t)
	e.order()
	if _, err := e.outside.send(`{"id": 1, "method": "common.db.logout", "params": []}`, e.outside.session); err != nil {
		t.Fatal(err)
	}
	e.order()
	if n := e.outside.calls("common.db.login"); n != 2 {
		t.Errorf("it has logged in %d times", n)
	}
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	e := open(t)
	config := e.outside.config("nobody-" + e.tag)
	config.Password = "not the password"
	system, err := tryton.New(tryton.Config{ClientConfig: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	for range 5 {
		_, err := system.Perform(t.Context(), e.command(`{"do": "count", "location": "P300-OUT", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`))
		if !errors.Is(err, fault.CredentialsRefused) || !errors.Is(err, connector.ErrNotSent) || connector.WaitOf(err) < 5*time.Minute {
			t.Errorf("%v, wait %s", err, connector.WaitOf(err))
		}
		if strings.Contains(err.Error(), config.Password) {
			t.Error("the password is told")
		}
	}
	if n := e.outside.calls("common.db.login"); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
	e.outside.Advance(10 * time.Minute)
	if _, err := system.Perform(t.Context(), e.command(`{"do": "count", "location": "P300-OUT", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`)); !errors.Is(err, fault.CredentialsRefused) {
		t.Error(err)
	}
	if n := e.outside.calls("common.db.login"); n != 2 {
		t.Errorf("after the pause it was tried %d times", n)
	}
}

func TestAnAccountThatIsLockedIsLeftAlone(t *testing.T) {
	e := open(t)
	user := "locked-" + e.tag
	for range 6 { // as somebody does who has the wrong password
		login := fmt.Sprintf(`{"id": 1, "method": "common.db.login", "params": [%q, {"password": "wrong"}, "en"]}`, user)
		if _, err := e.outside.send(login, ""); err != nil {
			t.Fatal(err)
		}
	}
	system, err := tryton.New(tryton.Config{ClientConfig: e.outside.config(user)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	before := e.outside.calls("common.db.login")
	for range 3 {
		_, err := system.Perform(t.Context(), e.command(`{"do": "count", "location": "P300-OUT", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`))
		if !errors.Is(err, fault.RateLimited) || !errors.Is(err, connector.ErrNotSent) || connector.WaitOf(err) < time.Minute {
			t.Errorf("%v, wait %s", err, connector.WaitOf(err))
		}
	}
	if n := e.outside.calls("common.db.login") - before; n != 1 {
		t.Errorf("it was tried %d times", n)
	}
}
