package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// The folders to which an Inbox moves what it has read.
const (
	doneFolder    = "done"
	refusedFolder = "refused"
)

// markerSuffix is what stands behind the name of a file that says that it is complete.
const markerSuffix = ".done"

// A Complete says how a file is known to be complete.
type Complete string

// The ways.
const (
	Stable  Complete = "stable"  // it has not changed for a while
	Marker  Complete = "marker"  // an empty file of its name with .done behind it was made after it
	Renamed Complete = "renamed" // it got its name when it was complete
)

// What stands where an InboxConfig says nothing.
const (
	DefaultStable = 10 * time.Second
	DefaultLimit  = 16 << 20
)

// An InboxConfig says which files are read, and what they are.
type InboxConfig struct {
	Folder   string
	Messages []Message        // the first that fits a file's name counts; other files stay where they are
	Complete Complete         // "" is Stable
	Stable   time.Duration    // how long a file must not have changed
	Limit    int64            // of a file, in bytes
	Now      func() time.Time // nil is time.Now
}

// A Message says which message a file is.
type Message struct {
	Message string
	Files   string // pattern of the file's name, as of path.Match
}

// An Inbox reads the files of a folder. It is a connector.Source without a cursor.
// What was taken is moved to done/, what was refused, as a whole or in part, to
// refused/, each with a text beside it that says what became of it.
type Inbox struct {
	config InboxConfig
	open   func(folder string) (*disk, error)

	mu   sync.Mutex // held by the poll in progress
	seen map[string]sighting
}

// A sighting is a file as it was seen, and since when it has been like that.
type sighting struct {
	info  fs.FileInfo
	since time.Time
}

// NewInbox checks the configuration. The error names everything that is wrong.
func NewInbox(c InboxConfig) (*Inbox, error) {
	c.Complete, c.Stable, c.Limit = cmp.Or(c.Complete, Stable), cmp.Or(c.Stable, DefaultStable), cmp.Or(c.Limit, DefaultLimit)
	if c.Now == nil {
		c.Now = time.Now
	}
	var wrong []error
	if c.Folder == "" {
		wrong = append(wrong, errors.New("a folder is missing"))
	}
	if len(c.Messages) == 0 {
		wrong = append(wrong, errors.New("no message says what files are"))
	}
	for _, m := range c.Messages {
		if _, err := path.Match(m.Files, ""); err != nil || m.Files == "" || m.Message == "" {
			wrong = append(wrong, fmt.Errorf("message %q, files %q: a name and a pattern are needed", m.Message, m.Files))
		}
	}
	if c.Complete != Stable && c.Complete != Marker && c.Complete != Renamed {
		wrong = append(wrong, fmt.Errorf("complete %q: it is stable, marker or renamed", c.Complete))
	}
	if c.Stable < 0 || c.Limit < 0 {
		wrong = append(wrong, errors.New("stable and limit are more than zero"))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("file.NewInbox: %w", err)
	}
	return &Inbox{config: c, open: openDisk, seen: map[string]sighting{}}, nil
}

// A drop is a file that is ready to be read.
type drop struct {
	name    string
	message string
	info    fs.FileInfo
}

// Poll takes every file that is complete, the oldest first, as connector.Source says.
func (i *Inbox) Poll(ctx context.Context, _ string, take connector.Take) (string, error) {
	const op = "file.Poll"
	i.mu.Lock()
	defer i.mu.Unlock()
	d, err := i.open(i.config.Folder)
	if err != nil {
		return "", fault.Wrap(op, reasonOf(err), "", err)
	}
	defer d.close()
	drops, err := i.ready(d)
	if err != nil {
		return "", fault.Wrap(op, reasonOf(err), "", err)
	}
	var failed []error
	for _, f := range drops {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		err := i.take(ctx, d, f, take)
		if err == nil {
			continue
		}
		failed = append(failed, fmt.Errorf("%s: %s: %w", op, f.name, err))
		if ctx.Err() != nil || errors.Is(err, fault.Unavailable) {
			break // no file could be taken; else one that cannot must not stop the others
		}
	}
	return "", errors.Join(failed...)
}

// ready are the files that are complete, in the order of their times.
func (i *Inbox) ready(d *disk) ([]drop, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	now := i.config.Now()
	infos := map[string]fs.FileInfo{}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			infos[e.Name()] = info
		}
	}
	seen := map[string]sighting{}
	var drops []drop
	for name, info := range infos {
		message, ok := i.messageOf(name)
		if !ok {
			continue
		}
		s := i.seen[name]
		if s.info == nil || s.info.Size() != info.Size() || !s.info.ModTime().Equal(info.ModTime()) {
			s = sighting{info, now}
		}
		seen[name] = s
		if i.complete(name, s, infos, now) {
			drops = append(drops, drop{name, message, info})
		}
	}
	i.seen = seen
	slices.SortFunc(drops, func(a, b drop) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), strings.Compare(a.name, b.name))
	})
	return drops, nil
}

func (i *Inbox) messageOf(name string) (string, bool) {
	if hidden(name) || i.config.Complete == Marker && strings.HasSuffix(name, markerSuffix) {
		return "", false
	}
	for _, m := range i.config.Messages {
		if ok, err := path.Match(m.Files, name); ok && err == nil {
			return m.Message, true
		}
	}
	return "", false
}

// complete says whether nobody writes to a file any more. A marker that is older
// than the file is one that a file before it has left.
func (i *Inbox) complete(name string, s sighting, infos map[string]fs.FileInfo, now time.Time) bool {
	switch i.config.Complete {
	case Marker:
		marker, ok := infos[name+markerSuffix]
		return ok && !marker.ModTime().Before(s.info.ModTime())
	case Renamed:
		return true
	default:
		return now.Sub(s.since) >= i.config.Stable
	}
}

// take takes one file. Where it changes meanwhile it is left for the next poll.
func (i *Inbox) take(ctx context.Context, d *disk, f drop, take connector.Take) error {
	var taken connector.Taken
	if f.info.Size() > i.config.Limit {
		taken.Refused = fault.New("file.Poll", fault.LimitExceeded, "", "the file has %d bytes, more than %d", f.info.Size(), i.config.Limit)
	} else {
		content, same, err := d.read(f.name, f.info)
		if err != nil || !same {
			delete(i.seen, f.name)
			return err
		}
		taken, err = take(ctx, connector.Received{Message: f.message, ContentType: mediaType(f.name), Channel: "file:" + strings.ToValidUTF8(f.name, "�"), Body: content})
		if err != nil {
			return err
		}
	}
	if same, err := d.unchanged(f.name, f.info); err != nil || !same {
		delete(i.seen, f.name)
		return err
	}
	return i.file(d, f, taken)
}

// file puts a file away. The text about it is written first: whatever has a text
// and is still in the folder is read again, which changes nothing. Where another
// file got the name meanwhile, that is what was moved: it is given back.
func (i *Inbox) file(d *disk, f drop, taken connector.Taken) error {
	folder := doneFolder
	if !taken.Complete() {
		folder = refusedFolder
	}
	if err := d.folder(folder); err != nil {
		return err
	}
	target, err := freeName(d, folder, f.name)
	if err != nil {
		return err
	}
	if err := d.write(target+".txt", []byte(tell(f, taken))); err != nil {
		return err
	}
	if err := d.rename(f.name, target); err != nil {
		return err
	}
	delete(i.seen, f.name)
	if same, err := d.unchanged(target, f.info); err != nil || !same {
		return errors.Join(err, giveBack(d, f.name, target))
	}
	if i.config.Complete == Marker {
		return d.remove(f.name + markerSuffix)
	}
	return nil
}

// giveBack gives a file back its name, which was put away unread. Where the name is
// taken once more a person must look.
func giveBack(d *disk, name, target string) error {
	if taken, err := d.exists(name); err != nil || taken {
		return errors.Join(err, fmt.Errorf("it was replaced twice while it was put away: %s was not read", target))
	}
	if err := d.rename(target, name); err != nil {
		return fmt.Errorf("%s was not read: %w", target, err)
	}
	return d.remove(target + ".txt")
}

// freeName is a name in a folder that no file has: that of the file, else with a
// number before its extension.
func freeName(d *disk, folder, name string) (string, error) {
	extension := path.Ext(name)
	for n := 1; ; n++ {
		target := path.Join(folder, name)
		if n > 1 {
			target = path.Join(folder, fmt.Sprintf("%s.%d%s", strings.TrimSuffix(name, extension), n, extension))
		}
		if taken, err := d.exists(target); err != nil || !taken {
			return target, err
		}
	}
}

// maxTold bounds how many records a text names.
const maxTold = 1000

// tell says what became of a file, for the person who finds it.
func tell(f drop, taken connector.Taken) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, read as %s\n", f.name, f.message)
	if taken.Refused != nil {
		fmt.Fprintf(&b, "nothing of it was kept: %s\n%s\n", taken.Refused.Text(), taken.Refused.Reason.Remedy)
		return b.String()
	}
	counts := map[string]int{}
	var lines []string
	for _, r := range taken.Records {
		status, why := r.Status, r.Held
		if r.Refused != nil {
			status, why = "refused", r.Refused
		}
		counts[status]++
		if why != nil {
			lines = append(lines, fmt.Sprintf("record %d %s: %s\n  %s", r.Record, status, why.Text(), why.Reason.Remedy))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s: %d\n", status, counts[status])
	}
	if rest := len(lines) - maxTold; rest > 0 {
		lines = append(lines[:maxTold], fmt.Sprintf("and %d more", rest))
	}
	if len(lines) > 0 {
		b.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

// mediaType is what a file holds, by its name; "" where the name does not say.
func mediaType(name string) string {
	return map[string]string{
		".csv": "text/csv", ".txt": "text/csv", ".json": "application/json", ".xml": "application/xml",
		".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson",
		".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}[strings.ToLower(path.Ext(name))]
}
