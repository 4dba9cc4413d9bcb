package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

// A journal is the sender's own record of what the hub has acknowledged: one JSON
// line for each message, synced. With it one can prove that what was acknowledged
// is on record. The nil journal keeps nothing.
type journal struct {
	file  *os.File
	lines *json.Encoder
	dirty bool
}

// journalLine is one acknowledged message.
type journalLine struct {
	File     string `json:"file"`
	Row      int    `json:"row,omitempty"`
	ID       string `json:"id"`
	Outcome  string `json:"outcome"`
	Message  string `json:"message"`
	Plant    string `json:"plant,omitempty"`
	Position int64  `json:"position,omitempty"`
	Recorded string `json:"recorded,omitempty"`
}

func openJournal(name string) (*journal, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // the nil journal keeps nothing, as its comment says
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := cutUnfinished(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", err), f.Close())
	}
	return &journal{file: f, lines: json.NewEncoder(f)}, nil
}

// cutUnfinished takes off a last line that a crash did not let end: what is added must not
// go on in it. Its message is sent again, and answered as a duplicate.
func cutUnfinished(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	tail := make([]byte, min(info.Size(), longestLine))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return err
	}
	unfinished := len(tail) - 1 - bytes.LastIndexByte(tail, '\n')
	if unfinished == 0 {
		return nil
	}
	return f.Truncate(info.Size() - int64(unfinished))
}

// add notes an acknowledged message; refused ones were not kept by the hub.
func (j *journal) add(file string, row int, a *api.Answer) error {
	if j == nil || a.Outcome == "" {
		return nil
	}
	j.dirty = true
	err := j.lines.Encode(journalLine{
		File: file, Row: row, ID: a.ID, Outcome: a.Outcome, Message: a.Message, Plant: a.Plant, Position: a.Position, Recorded: a.Recorded,
	})
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// sync makes what was noted outlast a crash.
func (j *journal) sync() error {
	if j == nil || !j.dirty {
		return nil
	}
	j.dirty = false
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.sync(), j.file.Close())
}

func (c *cli) journalCommand() *cobra.Command {
	var n connection
	cmd := &cobra.Command{
		Use:   "journal FILE",
		Short: "check that everything a sender's journal holds is on record",
		Long: `Check a journal of "gapless send --journal" against the hub: every message that was
acknowledged must be on record, under the id that was acknowledged, with its events, as
the echo of what the hub had asked for, or with the reason why it is held; and each row must have been acknowledged as one and the
same message, however often it was sent.

Exit code 3 says that something that was acknowledged is not on record.`,
		Example: `  gapless send --journal acknowledged.jsonl /mnt/exports
  gapless journal acknowledged.jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			check := &journalCheck{client: h, seen: map[string]string{}, Missing: []string{}}
			if err := check.file(cmd.Context(), args[0], c.progress()); err != nil {
				return err
			}
			return c.tellJournal(check)
		},
	}
	n.flags(cmd)
	return cmd
}

// journalCheck compares a journal with what is on record.
type journalCheck struct {
	client *client
	seen   map[string]string // key of the message by system's id and file's row

	Lines    int      `json:"lines"`
	Messages int      `json:"messages"` // distinct
	Held     int      `json:"held"`
	Echoes   int      `json:"echoes"`  // told of what the hub had asked for
	Missing  []string `json:"missing"` // what is not as it was acknowledged
}

// longestLine bounds a line of a journal.
const longestLine = 1 << 20

func (k *journalCheck) file(ctx context.Context, name string, line *progress) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	defer line.clear()
	lines := bufio.NewReaderSize(f, longestLine)
	checked := map[string]bool{}
	for {
		text, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line that did not end was not written in full
		}
		k.Lines++
		if err != nil {
			return fmt.Errorf("line %d of the journal: %w", k.Lines, err)
		}
		var l journalLine
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("line %d of the journal is none of `gapless send --journal`: %w", k.Lines, err)
		}
		if l.Message == "" {
			return fmt.Errorf("line %d of the journal is none of `gapless send --journal`: it names no message", k.Lines)
		}
		k.same(&l)
		if checked[l.Message] {
			continue
		}
		checked[l.Message] = true
		if err := k.message(ctx, &l); err != nil {
			return err
		}
		line.show("%s checked", plural(k.Lines, "line"))
	}
}

// same wants one message for one row, whichever version of it.
func (k *journalCheck) same(l *journalLine) {
	row := fmt.Sprintf("%s row %d id %s", l.File, l.Row, l.ID)
	key, _, _ := strings.Cut(l.Message, ".")
	if before := k.seen[row]; before != "" && before != key {
		k.Missing = append(k.Missing, fmt.Sprintf("%s was acknowledged as message %s and as %s", row, before, key))
	}
	k.seen[row] = key
}

// asked is a message as one of the credentials sees it: a journal may be of several
// systems, and each sees what it has sent.
func (k *journalCheck) asked(ctx context.Context, id string) (m api.MessageView, err error) {
	for _, key := range k.client.keys.all() {
		if err = k.client.sendAs(ctx, key, http.MethodGet, "/v1/messages/"+url.PathEscape(id), nil, &m); !errors.Is(err, fault.NotFound) {
			return m, err
		}
	}
	return m, err
}

func (k *journalCheck) message(ctx context.Context, l *journalLine) error {
	m, err := k.asked(ctx, l.Message)
	switch {
	case errors.Is(err, fault.NotFound):
		k.Missing = append(k.Missing, fmt.Sprintf("%s row %d: message %s is not on record", l.File, l.Row, l.Message))
		return nil
	case err != nil:
		return err
	}
	k.Messages++
	switch {
	case m.SourceID != l.ID:
		k.Missing = append(k.Missing, fmt.Sprintf("%s row %d: message %s is %s, not %s", l.File, l.Row, l.Message, m.SourceID, l.ID))
	case m.Held:
		k.Held++
	case m.Echo: // what it told was on record already: the hub had asked for it
		k.Echoes++
	case len(m.Events) == 0:
		k.Missing = append(k.Missing, fmt.Sprintf("%s row %d: message %s is neither held nor has it events", l.File, l.Row, l.Message))
	}
	return nil
}

func (c *cli) tellJournal(k *journalCheck) error {
	if c.json {
		if err := c.printJSON(k); err != nil {
			return err
		}
	} else {
		for _, text := range k.Missing {
			fmt.Fprintln(c.out, text)
		}
		fmt.Fprintf(c.out, "%s in the journal, %s on record, %d of them held, %d not as acknowledged\n",
			plural(k.Lines, "line"), plural(k.Messages, "message"), k.Held, len(k.Missing))
	}
	if len(k.Missing) > 0 {
		return foundError{errors.New("not everything that was acknowledged is on record")}
	}
	return nil
}
