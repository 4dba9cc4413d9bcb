package report

import "github.com/gapless/gapless/fault"

func notAName(name string) error {
	return fault.New("report.Trace", fault.InvalidRequest, "name", "%.120q; name a reference such as order/1000123, lot/M-100/4711, or the id of a message or event", name)
}

func notFound(name string) error {
	return fault.New("report.Trace", fault.NotFound, "name", "%s", name)
}
