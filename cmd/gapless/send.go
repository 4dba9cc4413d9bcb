package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

func (c *cli) sendCommand() *cobra.Command {
	s := &sender{cli: c}
	var n connection
	var journalName string
	cmd := &cobra.Command{
		Use:   "send FILE...",
		Short: "send files as the plant would drop them",
		Long: `Send files to a hub: CSV, XLSX, XML, JSON, JSON lines, and CloudEvents in JSON.

Which message a file is, its name tells: the mappings of the catalog declare patterns
under "files". --as names system and message where the name does not tell. A folder is
walked in the order of its names, and what no message claims is listed at the end. The
file - is standard input.

Each row is answered by itself: recorded, corrected (it restates what was on record),
duplicate (known, nothing changed), held (kept, and waiting for something or somebody),
or refused (not kept). Sending again never does harm: what is on record already is
answered as a duplicate. So while the hub is away, send tries again by itself.

A key file may hold a key for each system, one a line: "graz-mes gpl_...".

Exit code 3 says that something was held or refused.`,
		Example: `  gapless send shift-report.csv
  gapless send --as graz-mes/shift-report export-17.csv
  gapless send --journal acknowledged.jsonl /mnt/exports
  gapless send --rows 100 large.csv
  mes-export | gapless send --as graz-mes/shift-report --type csv -`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(); err != nil {
				return err
			}
			var err error
			if s.hub, err = n.client(); err != nil {
				return err
			}
			if s.journal, err = openJournal(journalName); err != nil {
				return err
			}
			o, err := s.sendAll(cmd.Context(), args)
			err = errors.Join(err, s.journal.close())
			return c.tellOutcome(o, err)
		},
	}
	n.flags(cmd)
	declare(cmd, "patience", &s.patience)
	flags := cmd.Flags()
	flags.StringVar(&s.as, "as", "", "`SYSTEM/MESSAGE` that the files are, instead of by their names")
	flags.StringVar(&s.kind, "type", "", "form of the content instead of by the file's extension: csv, xlsx, xml, json or ndjson")
	flags.IntVar(&s.rows, "rows", 0, "send so many rows of a CSV or JSON lines file at a time, the header before each part")
	flags.StringVar(&journalName, "journal", "", "`FILE` to which a line is added for each acknowledged message, synced")
	return cmd
}

// tellOutcome prints what became of everything that was sent, also where the rest
// could not be sent.
func (c *cli) tellOutcome(o *outcome, err error) error {
	if o == nil {
		return err
	}
	o.finish()
	switch {
	case c.json:
		err = errors.Join(err, c.printJSON(o))
	case err == nil && len(o.Files)+len(o.LeftOut) == 0:
		fmt.Fprintln(c.out, "there was no file to send")
	default:
		o.print(c.out)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted after %s; send the files again, that changes nothing that is on record", &o.Total)
	case err != nil:
		return err
	case o.Total.Held+o.Total.Refused > 0 || len(o.Stopped) > 0:
		return foundError{errors.New("messages were held or refused")}
	}
	return nil
}

// A sender sends files to a hub.
type sender struct {
	*cli
	hub      *client
	journal  *journal
	as, kind string
	rows     int
	patience time.Duration
	messages []api.CatalogMessage // of the hub's catalog, read when first needed
	quiet    bool                 // no line for each file
}

// check refuses flags that cannot be meant, before anything is sent.
func (s *sender) check() error {
	if s.as != "" {
		system, message, ok := strings.Cut(s.as, "/")
		if !ok || system == "" || message == "" || strings.Contains(message, "/") {
			return usageError{fmt.Errorf("--as %q: write it as SYSTEM/MESSAGE", s.as)}
		}
	}
	if s.kind != "" && mediaTypes[s.kind] == "" {
		return usageError{fmt.Errorf("--type %q: give csv, xlsx, xml, json or ndjson", s.kind)}
	}
	if s.rows < 0 {
		return usageError{fmt.Errorf("--rows %d: give the number of rows to send at a time", s.rows)}
	}
	return nil
}

// A shipment is one file and what it is.
type shipment struct {
	name            string // as it was given
	system, message string // "" for CloudEvents
	source          string // of CloudEvents: the system that says them
	contentType     string
	body            []byte
}

// sender is the system whose key is taken.
func (p *shipment) sender() string { return cmp.Or(p.system, p.source) }

// mediaTypes are the media types by the extension of a file.
var mediaTypes = map[string]string{
	"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson", "jsonl": "application/x-ndjson", "xml": "application/xml",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// Media types of CloudEvents, and the type of JSON lines.
const (
	cloudEvent  = "application/cloudevents+json"
	cloudEvents = "application/cloudevents-batch+json"
	jsonLines   = "application/x-ndjson"
)

// sendAll sends files and folders in order. What cannot be sent for a reason of its
// own does not stop the others.
func (s *sender) sendAll(ctx context.Context, args []string) (*outcome, error) {
	o := newOutcome()
	for _, arg := range args {
		for name, err := range files(arg) {
			if err != nil {
				return o, err
			}
			if err := s.sendFile(ctx, o, name, name == arg); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

// files yields a file, or the files of a folder in the order of their names.
func files(arg string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if arg == "-" {
			yield(arg, nil)
			return
		}
		stopped := errors.New("stopped")
		err := filepath.WalkDir(arg, func(name string, entry fs.DirEntry, err error) error {
			hidden := name != arg && strings.HasPrefix(entry.Name(), ".")
			switch {
			case err != nil:
				return err
			case entry.IsDir() && hidden:
				return fs.SkipDir
			case !entry.IsDir() && !hidden && !yield(name, nil):
				return stopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield("", err)
		}
	}
}

// sendFile sends one file. named says that it was asked for by its name: then it
// must be sendable.
func (s *sender) sendFile(ctx context.Context, o *outcome, name string, named bool) error {
	p, err := s.pack(ctx, name)
	if err != nil {
		return err
	}
	if p == nil {
		if named {
			return s.unclaimed(name)
		}
		o.LeftOut = append(o.LeftOut, name)
		return nil
	}
	o.Files = append(o.Files, sentFile{File: name, System: p.system, Message: p.message})
	sent := &o.Files[len(o.Files)-1]
	err = s.deliver(ctx, o, sent, p)
	if f := fault.Of(err); f != nil && refusesContent(f) {
		o.stopFile(name, f)
		err = nil
	}
	if !s.json && !s.quiet && (err == nil || sent.Rows > 0) { // of what was not answered nothing is known
		fmt.Fprintf(s.out, "%s  %s\n", name, &sent.tally)
	}
	return err
}

// refusesContent tells a refusal of what was sent from one of who sends, which the
// next file would meet too.
func refusesContent(f *fault.Fault) bool {
	switch f.Reason {
	case fault.NotReadable, fault.TypeUnsupported, fault.LimitExceeded, fault.IDMissing, fault.InvalidRequest:
		return true
	}
	return false
}

// pack reads a file and finds out what it is; nil where nothing tells.
func (s *sender) pack(ctx context.Context, name string) (*shipment, error) {
	p := &shipment{name: name}
	extension := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
	if s.kind != "" {
		extension = s.kind
	}
	p.contentType = mediaTypes[extension]
	var err error
	if s.as == "" && name != "-" && extension != "json" {
		if found, err := s.route(ctx, p); err != nil || !found {
			return nil, err
		}
	}
	if p.body, err = s.read(ctx, name); err != nil {
		return nil, err
	}
	if p.contentType == "" {
		p.contentType = sniff(p.body)
	}
	switch {
	case s.as != "":
		p.system, p.message, _ = strings.Cut(s.as, "/")
	case p.contentType == mediaTypes["json"] && isCloudEvent(p):
	case p.system == "":
		if found, err := s.route(ctx, p); err != nil || !found {
			return nil, err
		}
	}
	return p, nil
}

func (s *sender) read(ctx context.Context, name string) ([]byte, error) {
	if name == "-" {
		return awaited(ctx, func() ([]byte, error) { return io.ReadAll(s.in) })
	}
	return os.ReadFile(name)
}

// sniff finds the form of content that has no name.
func sniff(body []byte) string {
	switch text := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case bytes.HasPrefix(body, []byte("PK\x03\x04")):
		return mediaTypes["xlsx"]
	case bytes.HasPrefix(text, []byte("<")):
		return mediaTypes["xml"]
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return mediaTypes["json"]
	}
	return mediaTypes["csv"]
}

// isCloudEvent tells whether JSON is one CloudEvent or a batch of them, and sets
// the media type and who says them.
func isCloudEvent(p *shipment) bool {
	type head struct {
		SpecVersion string `json:"specversion"`
		Source      string `json:"source"`
	}
	var one head
	if json.Unmarshal(p.body, &one) == nil && one.SpecVersion != "" {
		p.contentType, p.source = cloudEvent, one.Source
		return true
	}
	var many []head
	if json.Unmarshal(p.body, &many) == nil && len(many) > 0 && many[0].SpecVersion != "" {
		p.contentType, p.source = cloudEvents, many[0].Source
		return true
	}
	return false
}

// route finds the message of a file by the patterns of the hub's catalog.
func (s *sender) route(ctx context.Context, p *shipment) (bool, error) {
	if s.messages == nil {
		var c api.CatalogView
		key := s.hub.keys.all()[0] // whoever asks, the catalog is the same
		err := s.retried(ctx, func() (bool, error) { return false, s.hub.sendAs(ctx, key, http.MethodGet, "/v1/catalog", nil, &c) })
		if err != nil {
			return false, err
		}
		s.messages = append([]api.CatalogMessage{}, c.Messages...)
	}
	for _, m := range s.messages {
		for _, pattern := range m.Files {
			if ok, err := path.Match(pattern, filepath.Base(p.name)); !ok || err != nil {
				continue // a pattern that is none does not lint
			}
			if p.system != "" && (p.system != m.System || p.message != m.Message) {
				return false, usageError{fmt.Errorf("%s is a file of %s/%s and of %s/%s by its name: say which with --as", p.name, p.system, p.message, m.System, m.Message)}
			}
			p.system, p.message = m.System, m.Message
		}
	}
	return p.system != "", nil
}

func (s *sender) unclaimed(name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "no message of the catalog has files named as %s: say which it is with --as SYSTEM/MESSAGE", filepath.Base(name))
	for _, m := range s.messages {
		if len(m.Files) > 0 {
			fmt.Fprintf(&b, "\n  %s/%s: %s", m.System, m.Message, strings.Join(m.Files, ", "))
		}
	}
	return usageError{errors.New(b.String())}
}

// deliver sends a file, in pieces where it is large or was asked to.
func (s *sender) deliver(ctx context.Context, o *outcome, sent *sentFile, p *shipment) error {
	line := s.progress()
	defer line.clear()
	began := time.Now()
	report := func(row int, a *api.Answer) error {
		sent.add(a)
		o.stop(p.name, row, a)
		line.show("%s  %s, %d/s", p.name, &sent.tally, int64(sent.Rows)*int64(time.Second)/max(int64(time.Since(began)), 1))
		return s.journal.add(p.name, row, a)
	}
	for piece := range s.pieces(p) {
		answered := map[int]bool{} // of this piece: a second try answers them again
		err := s.retried(ctx, func() (bool, error) {
			before := len(answered)
			err := s.post(ctx, p, piece, func(a *api.Answer) error {
				if answered[a.Record] {
					return nil
				}
				answered[a.Record] = true
				row := 0
				if a.Record > 0 {
					row = a.Record + piece.offset
				}
				return report(row, a)
			})
			return len(answered) > before, errors.Join(err, s.journal.sync())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pieces cuts what can be cut. A batch of CloudEvents is kept below what the hub
// answers one by one.
func (s *sender) pieces(p *shipment) iter.Seq[piece] {
	switch p.contentType {
	case mediaTypes["csv"]:
		return tablePieces(p.body, s.rows)
	case jsonLines:
		return linePieces(p.body, s.rows)
	case cloudEvents:
		return eventPieces(p.body, s.rows)
	}
	return func(yield func(piece) bool) { yield(piece{body: p.body}) }
}

// batchOfEvents is how many CloudEvents are sent at once.
const batchOfEvents = 500

func eventPieces(body []byte, rows int) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		var events []json.RawMessage
		if json.Unmarshal(body, &events) != nil {
			yield(piece{body: body}) // the hub says what is wrong
			return
		}
		if rows <= 0 || rows > batchOfEvents {
			rows = batchOfEvents
		}
		for offset := 0; offset < len(events); offset += rows {
			part, err := json.Marshal(events[offset:min(offset+rows, len(events))])
			if err != nil || !yield(piece{body: part, offset: offset}) {
				return // raw JSON always marshals
			}
		}
	}
}

// Pauses between tries.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// retried tries again while the hub is away, until the patience is over. try tells
// whether it came any further: then patience begins anew.
func (s *sender) retried(ctx context.Context, try func() (further bool, err error)) error {
	pause, patience := firstPause, s.patience
	for {
		further, err := try()
		var away awayError
		if err == nil || !errors.As(err, &away) {
			return err
		}
		if further {
			pause, patience = firstPause, s.patience
		}
		wait := max(pause, away.after)
		if wait > patience {
			return fmt.Errorf("gave up after %s: %w", s.patience, away.error)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		patience, pause = patience-wait, min(2*pause, lastPause)
	}
}

// post sends one piece and hands on each answer.
func (s *sender) post(ctx context.Context, p *shipment, part piece, report func(*api.Answer) error) error {
	route := "/v1/events"
	if p.system != "" {
		route = "/v1/messages/" + url.PathEscape(p.system) + "/" + url.PathEscape(p.message)
	}
	key, err := s.hub.keys.of(p.sender())
	if err != nil {
		return err
	}
	r, err := s.hub.request(ctx, http.MethodPost, route, key, part.body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", p.contentType)
	r.Header.Set("Accept", jsonLines)
	if p.name != "-" {
		r.Header.Set("X-Gapless-File", url.PathEscape(filepath.Base(p.name)))
	}
	response, err := s.hub.do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // the answers are read below
	if strings.HasPrefix(response.Header.Get("Content-Type"), jsonLines) {
		return s.readLines(response.Body, report)
	}
	return readAnswers(response.Body, report)
}

// answerLine is one line of a stream of answers: an answer, or the end.
type answerLine struct {
	api.Answer
	Summary *api.Summary `json:"summary"`
	Error   *api.Problem `json:"error"`
}

// readLines hands on answers as they come, and syncs the journal whenever none is
// waiting. A stream without its last line was cut off.
func (s *sender) readLines(body io.Reader, report func(*api.Answer) error) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return awayError{error: errors.New("the hub broke off in its answer")}
		}
		var line answerLine
		if err := json.Unmarshal(text, &line); err != nil {
			return fmt.Errorf("the hub's answer cannot be read: %w", err)
		}
		switch {
		case line.Error != nil:
			return broken(line.Error)
		case line.Summary != nil:
			return nil
		}
		if err := report(&line.Answer); err != nil {
			return err
		}
		if lines.Buffered() == 0 {
			if err := s.journal.sync(); err != nil {
				return err
			}
		}
	}
}

// broken is why a hub could not answer for the rest of the messages.
func broken(p *api.Problem) error {
	f := problemFault(p)
	if errors.Is(f, fault.Unavailable) || errors.Is(f, fault.RateLimited) {
		return awayError{error: f}
	}
	return f
}

// readAnswers reads the answer to one message, or to a batch.
func readAnswers(body io.Reader, report func(*api.Answer) error) error {
	var all struct {
		api.Answer
		Answers []api.Answer `json:"answers"`
		Error   *api.Problem `json:"error"`
	}
	if err := json.NewDecoder(body).Decode(&all); err != nil {
		return awayError{error: fmt.Errorf("the hub broke off in its answer: %w", err)}
	}
	if all.Outcome != "" {
		return report(&all.Answer)
	}
	for i := range all.Answers {
		if err := report(&all.Answers[i]); err != nil {
			return err
		}
	}
	if all.Error != nil {
		return broken(all.Error)
	}
	return nil
}
