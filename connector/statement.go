package connector

import (
	"context"
	"time"
)

// A Stater states what a system has, for comparison with what is on record. All
// names and codes are the system's own.
type Stater interface {
	// StateStock hands over every line of stock that the system has on its books,
	// one at a time. The statement is worth nothing where an error comes.
	StateStock(ctx context.Context, take func(StockLine) error) (Statement, error)

	// StateOrders does the same with the orders that the system has not closed.
	StateOrders(ctx context.Context, take func(OrderLine) error) (Statement, error)
}

// A Statement is what holds for all lines of one.
type Statement struct {
	From, To   time.Time // when reading began and ended
	Lines      int
	Consistent bool   // nothing was posted meanwhile: all lines are of one moment
	Why        string // it is not; "" where it is
}

// A StockLine is so much of a lot at a place; a zero is not stated.
type StockLine struct {
	Location string
	Product  string
	Lot      string // "" for stock without one
	Quantity string // exact decimal
	Unit     string
}

// An OrderLine is an order and how far it is.
type OrderLine struct {
	Number   string
	State    string // in the system's words
	Product  string
	Quantity string // exact decimal, as planned
	Unit     string
	Key      string // the command key that it carries; "" where others made it
}

// A Lookup answers what a system has of one object now.
type Lookup interface {
	// Look finds an object by its kind and what the system calls it. An error says
	// that the system could not be asked.
	Look(ctx context.Context, kind, id string) (Looked, error)
}

// A Looked is what a system has shown of an object.
type Looked struct {
	Found bool
	Value map[string]any // as the system shows it: JSON values, quantities as decimal text; nil where it is not found
	Read  time.Time      // when; what is shown may be older by then
}
