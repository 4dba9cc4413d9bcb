package main

import (
	"context"
	"fmt"

	"github.com/gapless/gapless/internal/erp"
)

func (s *seeder) plants(ctx context.Context) error {
	for _, p := range erp.Plants() {
		if err := s.plant(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Code, err)
		}
	}
	// The warehouse that the ERP brings along is nobody's.
	id, found, err := s.c.Find(ctx, "stock.location", domain("code", "WH")...)
	if err == nil && found {
		err = s.c.Write(ctx, "stock.location", values{"active": false}, id)
	}
	if err != nil {
		return err
	}
	return s.lookups(ctx, "location", "stock.location", "code", []any{"code", "in", []string{"SUP", "CUS"}})
}

// plant makes a warehouse. Hold and rejected lie in the warehouse, but not in its storage:
// they count in the plant, and no reservation takes from them.
func (s *seeder) plant(ctx context.Context, p erp.Plant) error {
	places := []struct {
		place erp.Place
		kind  string
	}{
		{erp.Floor, "production"},
		{erp.Difference, "lost_found"},
		{erp.Scrap, "lost_found"},
		{erp.Input, "storage"},
		{erp.Storage, "storage"},
		{erp.Output, "storage"},
		{erp.Hold, "storage"},
		{erp.Rejected, "storage"},
	}
	for _, l := range places {
		code := l.place.At(p.Code)
		v := values{"code": code, "name": p.Name + " " + string(l.place), "type": l.kind}
		if err := s.keep(ctx, "location/"+code, "stock.location", domain("code", code), v); err != nil {
			return err
		}
	}
	at := func(place erp.Place) int64 { return s.ids["location/"+place.At(p.Code)] }
	warehouse := values{
		"code": p.Code, "name": p.Name, "type": "warehouse",
		"input_location": at(erp.Input), "storage_location": at(erp.Storage), "output_location": at(erp.Output),
		"production_location": at(erp.Floor), "lost_found_location": at(erp.Difference),
		"waste_locations": erp.Link(at(erp.Scrap)),
	}
	if err := s.keep(ctx, "location/"+p.Code, "stock.location", domain("code", p.Code), warehouse); err != nil {
		return err
	}
	err := s.c.Write(ctx, "stock.location", values{"parent": s.ids["location/"+p.Code]},
		at(erp.Input), at(erp.Storage), at(erp.Output), at(erp.Hold), at(erp.Rejected))
	if err != nil || !p.Inspects {
		return err
	}
	return s.c.Write(ctx, "stock.location", values{"production_output_location": at(erp.Hold)}, s.ids["location/"+p.Code])
}

// centres makes the work centers of each plant, and the operations that they can do.
func (s *seeder) centres(ctx context.Context) error {
	for _, p := range erp.Plants() {
		root, err := s.ensure(ctx, "production.work.center", domain("name", p.Code), values{
			"name": p.Code, "company": s.ids["company"], "warehouse": s.ids["location/"+p.Code],
		})
		if err != nil {
			return err
		}
		s.ids["centre/"+p.Code] = root
		for i, does := range p.Centres {
			if err := s.centre(ctx, p.Code, fmt.Sprintf("%s-WC%02d", p.Code, i+1), does, root); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *seeder) centre(ctx context.Context, plant, code, does string, root int64) error {
	if err := s.keep(ctx, "ability/"+does, "production.work.center.category", domain("name", does), values{"name": does}); err != nil {
		return err
	}
	operation := values{"name": does, "work_center_category": s.ids["ability/"+does]}
	if err := s.keep(ctx, "operation/"+does, "production.routing.operation", domain("name", does), operation); err != nil {
		return err
	}
	name := code + " " + does
	_, err := s.ensure(ctx, "production.work.center", domain("name", name), values{
		"name": name, "parent": root, "category": s.ids["ability/"+does], "company": s.ids["company"],
		"warehouse": s.ids["location/"+plant], "cost_method": "hour", "cost_price": erp.Money("45"),
	})
	return err
}
