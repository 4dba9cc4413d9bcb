// Package alert tells people about groups of exceptions, by the channels and routes that
// a hub is configured with: a file, a webhook, e-mail. What is told, and when, is decided
// elsewhere; a channel sends it in time, or says that it did not.
package alert

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// The kinds of notices.
const (
	Started   = "started"   // a group stands that did not
	Grew      = "grew"      // it is ten times as large as it was told last
	Ended     = "ended"     // nothing of it has stood for a while
	Warned    = "warned"    // members are to be put right soon
	Escalated = "escalated" // members went to another group of people, being late
	Test      = "test"      // of a channel
)

// A Notice is what is told about a group once. It holds no raw content of messages.
type Notice struct {
	ID       string   `json:"id"` // the same whenever it is sent: a receiver drops what it knows
	Kind     string   `json:"kind"`
	Group    string   `json:"group,omitempty"` // "graz/erp/command/receive-goods/period_closed"
	Plant    string   `json:"plant,omitempty"`
	System   string   `json:"system,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Class    string   `json:"class,omitempty"`
	Title    string   `json:"title,omitempty"`  // of the reason
	Count    int64    `json:"count"`            // members, or of them those that it is about
	Effect   string   `json:"effect,omitempty"` // what is at stake
	Remedy   string   `json:"remedy,omitempty"`
	Owners   []string `json:"owners,omitempty"`
	To       string   `json:"to,omitempty"`       // with Escalated: the group that it went to
	Deadline string   `json:"deadline,omitempty"` // the nearest, RFC 3339
	Since    string   `json:"since,omitempty"`    // the group stands since, RFC 3339
	At       string   `json:"at"`                 // decided, RFC 3339
	Link     string   `json:"link,omitempty"`     // opens the group
}

// A Message is what leaves at once: one notice, or several that have waited.
type Message struct {
	ID      string   `json:"id"` // the same for every try
	Notices []Notice `json:"alerts"`
}

// A Channel sends messages. An error says that it may not have arrived, and it is sent
// again. It holds no secret.
type Channel interface {
	Send(ctx context.Context, m *Message) error
}

// Verb says what happened, in words.
func (n *Notice) Verb() string {
	switch n.Kind {
	case Started:
		return "stands"
	case Grew:
		return "has grown"
	case Ended:
		return "has ended"
	case Warned:
		return "is due soon"
	case Escalated:
		return "went to " + n.To
	}
	return n.Kind
}

// headline is a notice in one line.
func (n *Notice) headline() string {
	if n.Kind == Test {
		return "a test of this channel"
	}
	place := n.System
	if n.Plant != "" {
		place = n.Plant + ", " + n.System
	}
	text := fmt.Sprintf("%s: %s %s", place, n.Title, n.Verb())
	if n.Count > 0 {
		text += fmt.Sprintf(" (%d)", n.Count)
	}
	return line(text)
}

// subjectLimit bounds a subject, in characters.
const subjectLimit = 150

// Subject is the message in one line.
func (m *Message) Subject() string {
	text := "[gapless] "
	if len(m.Notices) == 1 {
		text += m.Notices[0].headline()
	} else {
		text += fmt.Sprintf("%d alerts about %d groups", len(m.Notices), m.groups())
	}
	if runes := []rune(text); len(runes) > subjectLimit {
		text = string(runes[:subjectLimit-1]) + "…"
	}
	return text
}

func (m *Message) groups() int {
	seen := map[string]bool{}
	for i := range m.Notices {
		seen[m.Notices[i].Group] = true
	}
	return len(seen)
}

// mostTold is how many notices a text spells out.
const mostTold = 50

// Text is the message for people to read.
func (m *Message) Text() string {
	var b strings.Builder
	if len(m.Notices) > 1 {
		fmt.Fprintf(&b, "%d alerts about %d groups have waited to be told.\n", len(m.Notices), m.groups())
	}
	for i := range m.Notices {
		if i == mostTold {
			fmt.Fprintf(&b, "\nand %d more: gapless alerts list\n", len(m.Notices)-mostTold)
			break
		}
		if len(m.Notices) > 1 {
			b.WriteString("\n")
		}
		m.Notices[i].write(&b)
	}
	return b.String()
}

func (n *Notice) write(b *strings.Builder) {
	b.WriteString(n.headline() + "\n")
	for _, part := range []struct{ label, text string }{
		{"at stake", n.Effect},
		{"what to do", n.Remedy},
		{"for", strings.Join(n.Owners, ", ")},
		{"since", n.Since},
		{"until", n.Deadline},
		{"group", n.Group},
		{"open it", n.Link},
		{"alert", n.ID},
	} {
		if part.text != "" {
			fmt.Fprintf(b, "  %s: %s\n", part.label, line(part.text))
		}
	}
}

// line is a text in one line of printable characters: what a system calls something
// must not become a header or a command of a terminal.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, text)
}

// TestMessage is sent to see whether a channel works.
func TestMessage(id string, at time.Time) *Message {
	return &Message{ID: id, Notices: []Notice{{
		ID: id, Kind: Test, Title: "a test of this channel", Effect: "nothing: somebody tries whether alerts arrive", At: at.UTC().Format(time.RFC3339),
	}}}
}
