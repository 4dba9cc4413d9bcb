package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/gapless/gapless/fault"
)

// A Checkpoint says where the audit chain of every feed stood at one moment. Kept
// outside the database and signed, it proves later that nothing before it was
// altered: see VerifyOptions.Against.
type Checkpoint struct {
	Origin string     // the ledger's name
	Feeds  []FeedHead // by plant
}

// A FeedHead is the newest link of one feed's audit chain.
type FeedHead struct {
	Plant string // "" for what concerns the hub as a whole
	Link  int64  // from 1
	Last  int64  // position of the last event; 0 for none
	Hash  string // of the link, 64 hex digits
}

// Checkpoint reads where the chains stand now, in one consistent view.
func (l *Ledger) Checkpoint(ctx context.Context) (Checkpoint, error) {
	c := Checkpoint{Origin: l.cfg.Name}
	if err := checkOrigin(c.Origin); err != nil {
		return Checkpoint{}, err
	}
	err := l.each(ctx, "select plant, link, last, head from feeds where link > 0 order by plant", nil, func(r Row) error {
		var f FeedHead
		err := r.Scan(&f.Plant, &f.Link, &f.Last, &f.Hash)
		c.Feeds = append(c.Feeds, f)
		return err
	})
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger.Checkpoint: %w", err)
	}
	return c, nil
}

// hubPlant stands in the text of a checkpoint for the feed that belongs to no plant.
const hubPlant = "-"

// Text is the body of the signed note: the origin, then for each feed one line of
// plant (percent-encoded; "-" for the hub as a whole), link, last position and hash.
// The same state always gives the same text.
func (c Checkpoint) Text() string {
	var b strings.Builder
	b.WriteString(c.Origin)
	b.WriteByte('\n')
	for _, f := range c.Feeds {
		fmt.Fprintf(&b, "%s %d %d %s\n", escapePlant(f.Plant), f.Link, f.Last, f.Hash)
	}
	return b.String()
}

func escapePlant(plant string) string {
	switch plant {
	case "":
		return hubPlant
	case hubPlant:
		return "%2D"
	}
	return url.PathEscape(plant)
}

// ParseCheckpoint reads what Text wrote, and nothing else: a text has one reading.
func ParseCheckpoint(text string) (Checkpoint, error) {
	fail := func(format string, args ...any) (Checkpoint, error) {
		return Checkpoint{}, fault.New("ledger.ParseCheckpoint", fault.NotReadable, "checkpoint", format, args...)
	}
	body, ended := strings.CutSuffix(text, "\n")
	if !ended {
		return fail("the last line has no end: the text was cut off")
	}
	lines := strings.Split(body, "\n")
	c := Checkpoint{Origin: lines[0]}
	if err := checkOrigin(c.Origin); err != nil {
		return Checkpoint{}, err
	}
	for i, line := range lines[1:] {
		f, err := parseFeedHead(line)
		if err != nil {
			return fail("line %d: %v", i+2, err)
		}
		c.Feeds = append(c.Feeds, f)
	}
	for i := 1; i < len(c.Feeds); i++ {
		if c.Feeds[i-1].Plant >= c.Feeds[i].Plant {
			return fail("line %d: the plants are not in order", i+2)
		}
	}
	if c.Text() != text {
		return fail("it is not written as this program writes it")
	}
	return c, nil
}

func parseFeedHead(line string) (FeedHead, error) {
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return FeedHead{}, fmt.Errorf("%.80q is not plant, link, position and hash", line)
	}
	var f FeedHead
	var err error
	if fields[0] != hubPlant {
		if f.Plant, err = url.PathUnescape(fields[0]); err != nil {
			return FeedHead{}, fmt.Errorf("plant: %w", err)
		}
	}
	if f.Link, err = strconv.ParseInt(fields[1], 10, 64); err != nil || f.Link < 1 {
		return FeedHead{}, fmt.Errorf("%.20q is no number of a link", fields[1])
	}
	if f.Last, err = strconv.ParseInt(fields[2], 10, 64); err != nil || f.Last < 0 {
		return FeedHead{}, fmt.Errorf("%.20q is no position", fields[2])
	}
	f.Hash = fields[3]
	if raw, err := hex.DecodeString(f.Hash); err != nil || len(raw) != 32 || hex.EncodeToString(raw) != f.Hash {
		return FeedHead{}, fmt.Errorf("%.80q is no SHA-256 in hex", f.Hash)
	}
	return f, nil
}

// checkOrigin refuses a name that would not stay one line of a note.
func checkOrigin(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fault.New("ledger.Checkpoint", fault.InvalidRequest, "name", "a checkpoint needs the ledger's name as one line of text, not %.80q", name)
	}
	return nil
}

// NewCheckpointKey makes an Ed25519 key pair under a name, in the text form of C2SP
// signed-note: private begins with "PRIVATE+KEY+" and is kept secret, apart from the
// database; public is for everybody who verifies. The name, usually the ledger's,
// stands in front of every signature; it has no spaces and no plus sign.
func NewCheckpointKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, err = note.NewSigner(private) // refuses what GenerateKey let pass
	}
	if err != nil {
		return "", "", fault.New("ledger.NewCheckpointKey", fault.InvalidRequest, "name", "%.80q cannot name a key: leave out spaces, plus signs and control characters", name)
	}
	return private, public, nil
}

// Sign is the checkpoint as a signed note (C2SP signed-note,
// https://c2sp.org/signed-note): its text, an empty line and the signature.
func (c Checkpoint) Sign(private string) (string, error) {
	signer, err := note.NewSigner(strings.TrimSpace(private))
	if err != nil {
		return "", fault.New("ledger.Sign", fault.InvalidRequest, "key", "this is no private key as NewCheckpointKey makes it")
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		return "", fmt.Errorf("ledger.Sign: %w", err)
	}
	return string(signed), nil
}

// OpenCheckpoint reads a signed checkpoint. At least one signature must be by one
// of the public keys; where keys were changed, name the old ones too.
func OpenCheckpoint(signed string, public ...string) (Checkpoint, error) {
	var verifiers []note.Verifier
	for _, key := range public {
		verifier, err := note.NewVerifier(strings.TrimSpace(key))
		if err != nil {
			return Checkpoint{}, fault.New("ledger.OpenCheckpoint", fault.InvalidRequest, "key", "this is no public key as NewCheckpointKey makes it")
		}
		verifiers = append(verifiers, verifier)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifiers...))
	if err != nil {
		return Checkpoint{}, fault.Wrap("ledger.OpenCheckpoint", fault.NotReadable, "signature", err)
	}
	return ParseCheckpoint(n.Text)
}
