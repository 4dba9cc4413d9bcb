package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// isTerminal tells whether somebody watches a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress is one line on standard error that is written over again and again,
// where somebody watches; else it says nothing.
type progress struct {
	w     io.Writer
	live  bool
	width func() int // of the terminal, in columns
	shown time.Time
}

func (c *cli) progress() *progress {
	return &progress{w: c.err, live: isTerminal(c.err), width: func() int { return width(c.err) }}
}

// width is how many columns a terminal has; 80 where it does not say.
func width(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// progressEvery is how often the line changes.
const progressEvery = 100 * time.Millisecond

func (p *progress) show(format string, args ...any) {
	if !p.live || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	text := []rune(printable(fmt.Sprintf(format, args...)))
	// A line that wraps could not be written over.
	fmt.Fprintf(p.w, "\r\x1b[K%s", string(text[:min(len(text), p.width()-1)]))
}

// clear makes room for other text.
func (p *progress) clear() {
	if p.live && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = time.Time{}
	}
}

// printable replaces what a terminal would obey instead of show.
func printable(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			out[i] = '?'
		}
	}
	return string(out)
}

// screen shows text to a person: what messages hold cannot give orders to the
// terminal. Each Write has whole runes, as the writers of package fmt make it.
type screen struct{ w io.Writer }

// Write shows printable text.
func (s screen) Write(b []byte) (int, error) {
	if _, err := io.WriteString(s.w, printable(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
