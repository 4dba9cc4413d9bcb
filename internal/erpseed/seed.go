package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/internal/erp"
)

// A seeder makes what is missing, from what everything stands on to what stands on it.
type seeder struct {
	c         *erp.Client
	month     *erp.Month
	passwords map[string]string // by login, in capitals
	today     time.Time         // midnight UTC: the server's day
	began     time.Time
	ids       map[string]int64    // "uom/kg", "location/P100-QH", "product/RM-1001"
	items     map[string]erp.Item // by code
}

func (s *seeder) seed(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"company", s.company},
		{"chart of accounts", s.accounts},
		{"fiscal years", s.years},
		{"units", s.units},
		{"plants", s.plants},
		{"products", s.products},
		{"work centers", s.centres},
		{"bills and routings", s.bills},
		{"number ranges", s.sequences},
		{"users", s.users},
		{"opening stock", s.openings},
		{"closed stock period", s.closeStock},
		{"orders", s.orders},
		{"orders of the moulding plant", s.mouldingOrders},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Fprintf(os.Stderr, "erpseed: [%5.1f s] %s\n", time.Since(s.began).Seconds(), step.what)
	}
	return nil
}

type values = map[string]any

// domain is the condition that a field has a value, and so on.
func domain(fieldsAndValues ...any) []any {
	var all []any
	for pair := range slices.Chunk(fieldsAndValues, 2) {
		all = append(all, []any{pair[0], "=", pair[1]})
	}
	return all
}

// ensure is the id of the one record of a domain, which is made where there is none.
func (s *seeder) ensure(ctx context.Context, model string, where []any, v values) (int64, error) {
	id, found, err := s.c.Find(ctx, model, where...)
	if err != nil || found {
		return id, err
	}
	ids, err := s.c.Create(ctx, model, v)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// keep ensures a record and keeps its id under a name.
func (s *seeder) keep(ctx context.Context, name, model string, where []any, v values) error {
	id, err := s.ensure(ctx, model, where, v)
	s.ids[name] = id
	return err
}

// id is what was kept under a name; that it was not is a mistake of this program.
func (s *seeder) id(name string) (int64, error) {
	id, known := s.ids[name]
	if !known {
		return 0, fmt.Errorf("%s is used before it is made", name)
	}
	return id, nil
}

// lookups keeps the ids of all records of a model by one of their fields.
func (s *seeder) lookups(ctx context.Context, prefix, model, field string, where ...any) error {
	rows, err := erp.Read[map[string]any](ctx, s.c, model, append([]any{}, where...), nil, field)
	if err != nil {
		return err
	}
	for _, row := range rows {
		id, err := integer(row["id"])
		if err != nil {
			return fmt.Errorf("%s: %w", model, err)
		}
		s.ids[prefix+"/"+fmt.Sprint(row[field])] = id
	}
	return nil
}

func integer(v any) (int64, error) {
	number, ok := v.(interface{ Int64() (int64, error) })
	if !ok {
		return 0, fmt.Errorf("%v is no number", v)
	}
	return number.Int64()
}

// monthBegin is the first day of the month that is so many away from this one.
func (s *seeder) monthBegin(away int) time.Time {
	return time.Date(s.today.Year(), s.today.Month()+time.Month(away), 1, 0, 0, 0, 0, time.UTC)
}

// opened is the day on which the opening stock was bought: the second of last month.
func (s *seeder) opened() time.Time { return s.monthBegin(-1).AddDate(0, 0, 1) }

func (s *seeder) company(ctx context.Context) error {
	const name = "Example Formulations"
	euro := values{
		"name": "Euro", "code": "EUR", "symbol": "€", "numeric_code": "978", "rounding": erp.Money("0.01"), "digits": 2,
		"rates": erp.Add(values{"date": erp.Date(s.monthBegin(-36)), "rate": erp.Money("1")}),
	}
	if err := s.keep(ctx, "currency", "currency.currency", domain("code", "EUR"), euro); err != nil {
		return err
	}
	if err := s.keep(ctx, "party", "party.party", domain("name", name), values{"name": name}); err != nil {
		return err
	}
	v := values{"party": s.ids["party"], "currency": s.ids["currency"]}
	if err := s.keep(ctx, "company", "company.company", domain("party", s.ids["party"]), v); err != nil {
		return err
	}
	if err := s.lookups(ctx, "group", "res.group", "name"); err != nil {
		return err
	}
	var groups []int64
	for name, id := range s.ids {
		if strings.HasPrefix(name, "group/") {
			groups = append(groups, id)
		}
	}
	err := s.c.Write(ctx, "res.user", values{
		"companies": erp.Link(s.ids["company"]), "company": s.ids["company"], "groups": erp.Link(groups...),
	}, s.c.User())
	if err != nil {
		return err
	}
	return s.c.Refresh(ctx)
}

// accounts makes the chart of accounts, which only a dialogue of the ERP does.
func (s *seeder) accounts(ctx context.Context) error {
	if err := s.lookups(ctx, "account", "account.account", "name"); err != nil {
		return err
	}
	if _, made := s.ids["account/Stock"]; made {
		return nil
	}
	template, err := erp.Read[struct {
		Record int64 `json:"db_id"`
	}](ctx, s.c, "ir.model.data", domain("module", "account", "fs_id", "account_template_root_en"), nil, "db_id")
	if err != nil {
		return err
	}
	if len(template) != 1 {
		return fmt.Errorf("there are %d templates of a chart of accounts, not 1", len(template))
	}
	if err := s.makeChart(ctx, template[0].Record); err != nil {
		return err
	}
	return s.lookups(ctx, "account", "account.account", "name")
}

func (s *seeder) makeChart(ctx context.Context, template int64) error {
	const dialogue = "wizard.account.create_chart."
	var opened []any
	if err := s.c.Call(ctx, &opened, nil, dialogue+"create"); err != nil {
		return err
	}
	if len(opened) == 0 {
		return fmt.Errorf("%screate: no session in the answer", dialogue)
	}
	data := values{"start": values{}}
	execute := func(out any, state string) error {
		return s.c.Call(ctx, out, nil, dialogue+"execute", opened[0], data, state)
	}
	if err := execute(nil, "account"); err != nil {
		return err
	}
	data["account"] = values{"company": s.ids["company"], "account_template": template}
	var proposed struct {
		View struct{ Defaults map[string]any }
	}
	if err := execute(&proposed, "create_account"); err != nil {
		return err
	}
	properties := values{}
	for field, value := range proposed.View.Defaults {
		if !strings.HasSuffix(field, ".") { // what belongs to a field, for display
			properties[field] = value
		}
	}
	data["properties"] = properties
	if err := execute(nil, "create_properties"); err != nil {
		return err
	}
	return s.c.Call(ctx, nil, nil, dialogue+"delete", opened[0])
}

// years makes last, this and next year with their months, and closes accounting up to
// the end of the month before last.
func (s *seeder) years(ctx context.Context) error {
	if err := s.lookups(ctx, "sequence type", "ir.sequence.type", "name"); err != nil {
		return err
	}
	for year := s.today.Year() - 1; year <= s.today.Year()+1; year++ {
		if err := s.year(ctx, year); err != nil {
			return err
		}
	}
	type period struct{ ID int64 }
	open, err := erp.Read[period](ctx, s.c, "account.period", []any{
		[]any{"state", "=", "open"}, []any{"end_date", "<", erp.Date(s.monthBegin(-1))},
	}, nil, "id")
	if err != nil || len(open) == 0 {
		return err
	}
	var ids []int64
	for _, p := range open {
		ids = append(ids, p.ID)
	}
	return s.c.Press(ctx, "account.period", "close", ids...)
}

func (s *seeder) year(ctx context.Context, year int) error {
	name := strconv.Itoa(year)
	kind, err := s.id("sequence type/Account Move")
	if err != nil {
		return err
	}
	sequence, err := s.ensure(ctx, "ir.sequence", domain("name", "Postings "+name), values{
		"name": "Postings " + name, "company": s.ids["company"], "sequence_type": kind, "prefix": name + "-",
	})
	if err != nil {
		return err
	}
	id, err := s.ensure(ctx, "account.fiscalyear", domain("name", name), values{
		"name": name, "company": s.ids["company"], "post_move_sequence": sequence, "account_stock_method": "continental",
		"start_date": erp.Date(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)),
		"end_date":   erp.Date(time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		return err
	}
	_, made, err := s.c.Find(ctx, "account.period", domain("fiscalyear", id, "start_date", erp.Date(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)))...)
	if err != nil || made {
		return err
	}
	return s.c.Press(ctx, "account.fiscalyear", "create_period", id)
}

// units gives kilograms, grams and litres three decimals, and makes a tonne and a carton.
func (s *seeder) units(ctx context.Context) error {
	if err := s.lookups(ctx, "uom", "product.uom", "symbol"); err != nil {
		return err
	}
	for _, symbol := range []string{"kg", "g", "l"} {
		id, err := s.id("uom/" + symbol)
		if err != nil {
			return err
		}
		if err := s.c.Write(ctx, "product.uom", values{"digits": 3, "rounding": 0.001}, id); err != nil {
			return err
		}
	}
	if err := s.lookups(ctx, "uom category", "product.uom.category", "name"); err != nil {
		return err
	}
	err := s.keep(ctx, "uom/ctn24", "product.uom", domain("symbol", "ctn24"), values{
		"name": "Carton of 24", "symbol": "ctn24", "category": s.ids["uom category/Units"], "factor": 24.0, "rate": 0.041666666667, "rounding": 1.0, "digits": 0,
	})
	if err != nil {
		return err
	}
	return s.keep(ctx, "uom/t", "product.uom", domain("symbol", "t"), values{
		"name": "Tonne", "symbol": "t", "category": s.ids["uom category/Weight"], "factor": 1000.0, "rate": 0.001, "rounding": 0.001, "digits": 3,
	})
}

// sequences names the documents of the ERP by what they are.
func (s *seeder) sequences(ctx context.Context) error {
	for kind, prefix := range map[string]string{"Production": "MO", "Internal Shipment": "INT", "Inventory": "INV"} {
		typ, err := s.id("sequence type/" + kind)
		if err != nil {
			return err
		}
		id, found, err := s.c.Find(ctx, "ir.sequence", domain("sequence_type", typ)...)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("the ERP has no sequence of the type %s", kind)
		}
		if err := s.c.Write(ctx, "ir.sequence", values{"prefix": prefix, "padding": 6}, id); err != nil {
			return err
		}
	}
	return nil
}

// A user of the ERP and what it may do.
type user struct {
	login, name string
	groups      []string
}

func userList() []user {
	return []user{
		{"hub", "Integration hub", []string{"Stock", "Production"}},
		{"mes", "Floor: production alone", []string{"Production"}},
		{"qms", "Quality: stock alone", []string{"Stock"}},
		{"reader", "Reader without any right", nil},
		{"clerk", "Clerk who closes periods", []string{"Stock", "Stock Administration", "Account", "Account Administration"}},
	}
}

// logins are the users but the administrator, in capitals.
func logins() []string {
	var all []string
	for _, u := range userList() {
		all = append(all, strings.ToUpper(u.login))
	}
	return all
}

func (s *seeder) users(ctx context.Context) error {
	for _, u := range userList() {
		var groups []int64
		for _, name := range u.groups {
			id, err := s.id("group/" + name)
			if err != nil {
				return err
			}
			groups = append(groups, id)
		}
		_, err := s.ensure(ctx, "res.user", domain("login", u.login), values{
			"login": u.login, "name": u.name, "password": s.passwords[strings.ToUpper(u.login)],
			"companies": erp.Link(s.ids["company"]), "company": s.ids["company"], "groups": erp.Link(groups...),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// closeStock closes the stock books one month before those of accounting, so that a day
// can be closed in accounting and open in stock.
func (s *seeder) closeStock(ctx context.Context) error {
	last := erp.Date(s.monthBegin(-2).AddDate(0, 0, -1))
	_, closed, err := s.c.Find(ctx, "stock.period", domain("date", last, "state", "closed")...)
	if err != nil || closed {
		return err
	}
	id, err := s.ensure(ctx, "stock.period", domain("date", last), values{"date": last, "company": s.ids["company"]})
	if err != nil {
		return err
	}
	return s.c.Press(ctx, "stock.period", "close", id)
}
