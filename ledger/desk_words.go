package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Effect says in words what does not go on because of a group, and how much of it:
// "receive-goods not done for 12 lots, good 4,200 kg".
func (g *Group) Effect() string {
	done := "not done"
	if g.Reason == fault.PartlyApplied.Code {
		done = "done in part"
	}
	parts := []string{fmt.Sprintf("%s %s for %s", g.Name, done, counted(g.Objects))}
	switch {
	case g.About == aboutMessage:
		parts[0] = several(g.Count, "message") + " not recorded"
		if objects := counted(g.Objects); objects != "" {
			parts[0] += ", about " + objects
		}
	case g.About == aboutDeadline:
		parts[0] = fmt.Sprintf("%s late for %s", g.Name, counted(g.Objects))
	case g.Reason == fault.CorrectionOverdue.Code:
		parts[0] = several(g.Count, "correction") + " of " + g.Name + " awaited"
	case g.About == aboutExpectation:
		parts[0] = fmt.Sprintf("%s awaited for %s", g.Name, counted(g.Objects))
	case len(g.Objects) == 0:
		parts[0] = fmt.Sprintf("%s %s %s", g.Name, done, several(g.Count, "time"))
	}
	for _, a := range g.Amounts {
		parts = append(parts, fmt.Sprintf("%s %s %s", a.Measure, Grouped(a.Value.String()), unitText(a.Unit)))
	}
	return strings.Join(parts, ", ")
}

// counted is how many objects of each kind: "12 lots, 3 orders", the most first.
func counted(objects map[string]int64) string {
	kinds := slices.SortedFunc(maps.Keys(objects), func(a, b string) int {
		if objects[a] != objects[b] {
			return int(objects[b] - objects[a])
		}
		return strings.Compare(a, b)
	})
	parts := make([]string, len(kinds))
	for i, kind := range kinds {
		parts[i] = several(objects[kind], kind)
	}
	return strings.Join(parts, ", ")
}

// several is "1 lot", "12 lots", "2 batches".
func several(n int64, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "ch"):
		return Grouped(strconv.FormatInt(n, 10)) + " " + one + "es"
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ay"):
		return Grouped(strconv.FormatInt(n, 10)) + " " + strings.TrimSuffix(one, "y") + "ies"
	}
	return Grouped(strconv.FormatInt(n, 10)) + " " + one + "s"
}

// unitText is the symbol of a unit, else its name, else its code.
func unitText(code string) string {
	u, ok := event.LookupUnit(code)
	switch {
	case !ok:
		return code
	case u.Symbol != "":
		return u.Symbol
	}
	return u.Name
}

// Grouped writes a decimal with its whole part in groups of three: 5,194,003.
func Grouped(decimal string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(decimal, "-"); negative {
		sign, decimal = "-", rest
	}
	whole, fraction, broken := strings.Cut(decimal, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if broken {
		b.WriteString("." + fraction)
	}
	return sign + b.String()
}
