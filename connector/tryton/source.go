package tryton

import "time"

// DefaultOverlap is how far a poll looks back where a Config says nothing.
const DefaultOverlap = 2 * time.Minute

// Messages are what a Source can fetch.
func Messages() []string {
	return []string{"orders", "products", "units", "locations", "shipments", "inventories"}
}
