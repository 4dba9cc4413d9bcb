package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
)

// dimension checks that there are units of the dimension that a quantity must have.
func (c *fieldCompiler) dimension(rule *quantityRule, pointer string) {
	if rule == nil || rule.dimension == "" || event.IsDimension(rule.dimension) {
		return
	}
	c.report(pointer+"/x-quantity/dimension", fmt.Sprintf("no unit measures %.80q, so no value would be accepted", rule.dimension), dimensionRemedy(rule.dimension))
}

// dimensionWords is a dimension that has a name, not only an expression of units.
var dimensionWords = regexp.MustCompile(`^[a-z]{4,}( [a-z]+)*$`)

// maxTypos is in how many letters a name may differ from the one that was meant.
const maxTypos = 2

// dimensionRemedy names the dimension that was meant, where one is spelt much
// like it, else those that have a name.
func dimensionRemedy(text string) string {
	named := slices.DeleteFunc(event.Dimensions(), func(name string) bool { return !dimensionWords.MatchString(name) })
	best, typos := "", maxTypos+1
	for _, name := range named {
		if n := typosBetween(strings.ToLower(text), name); n < typos && n < len(name)/2 {
			best, typos = name, n
		}
	}
	if best != "" {
		return "Write " + best + "; docs/units.md lists the dimension of every unit."
	}
	return "Write one of " + strings.Join(named, ", ") + ", or an expression of docs/units.md."
}

// typosBetween is how many letters must be put in, taken out or exchanged to
// make one text of the other (the Levenshtein distance); past what a typo can be
// it only says that it is more.
func typosBetween(a, b string) int {
	from, to := []rune(a), []rune(b)
	if len(from)-len(to) > maxTypos || len(to)-len(from) > maxTypos {
		return maxTypos + 1
	}
	row := make([]int, len(to)+1) // distances of the letters so far to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i, letter := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, other := range to {
			exchanged := diagonal
			if letter != other {
				exchanged++
			}
			diagonal = row[j+1]
			row[j+1] = min(exchanged, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
