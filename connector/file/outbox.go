package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// sentFolder is where an Outbox remembers what it has written, since who reads a
// file takes it away.
const sentFolder = "sent"

// An OutboxConfig says where commands are written.
type OutboxConfig struct {
	Folder string
	Now    func() time.Time // nil is time.Now
}

// An Outbox writes each command as a file of its own, named by command and key.
// It is a connector.System, and keyed: writing again changes nothing, also where
// the file was taken away meanwhile.
//
// The request is {body: any JSON value}, which becomes a file .json, or
// {text: "…", extension: "csv"}. Before the file gets its name, sent/<name>.begun
// says that it may have got it; afterwards sent/<name>.done says that it has.
// Where a crash has left the first alone and the file is not there, nobody can
// tell whether it was taken: the command is undecided.
type Outbox struct {
	config OutboxConfig
	open   func(folder string) (*disk, error)
}

// NewOutbox checks the configuration. That the folder is away at the moment is no
// fault of it.
func NewOutbox(c OutboxConfig) (*Outbox, error) {
	if c.Folder == "" {
		return nil, errors.New("file.NewOutbox: a folder is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Outbox{config: c, open: openDisk}, nil
}

// Traits are those of a file named by the key.
func (o *Outbox) Traits() connector.Traits {
	return connector.Traits{Class: connector.Keyed, KeyCarrier: "the file's name"}
}

// nameParts are what a file's name may be made of.
var (
	nameForm      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	extensionForm = regexp.MustCompile(`^[a-z0-9]{1,10}$`)
)

// draftOf is the file of a command.
func draftOf(cmd connector.Command) (name string, content []byte, err error) {
	extension := "json"
	body, hasBody := cmd.Request["body"]
	text, hasText := cmd.Request["text"].(string)
	if named, ok := cmd.Request["extension"].(string); ok {
		extension = named
	}
	for key := range cmd.Request {
		if key != "body" && key != "text" && key != "extension" && key != "find" {
			return "", nil, fmt.Errorf("%.40s: the request of a file has body, or text and extension", key)
		}
	}
	switch {
	case hasBody == hasText:
		return "", nil, errors.New("the request of a file has either body or text")
	case !nameForm.MatchString(cmd.Name) || !nameForm.MatchString(cmd.Key) || !extensionForm.MatchString(extension):
		return "", nil, fmt.Errorf("command %.40q, key %.80q and extension %.20q make no name of a file", cmd.Name, cmd.Key, extension)
	case hasText:
		content = []byte(text)
	default:
		if content, err = json.MarshalIndent(body, "", "  "); err != nil {
			return "", nil, err
		}
		content = append(content, '\n')
	}
	return cmd.Name + "-" + cmd.Key + "." + extension, content, nil
}

// Perform writes the file of a command, as connector.System says.
func (o *Outbox) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	const op = "file.Perform"
	if ctx.Err() != nil {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSentInTime, context.Cause(ctx))
	}
	name, content, err := draftOf(cmd)
	if err != nil {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSendable, err)
	}
	d, err := o.open(o.config.Folder)
	if err != nil {
		return connector.Outcome{}, connector.NotSent(op, reasonOf(err), err)
	}
	defer d.close()
	known, err := whatIs(d, name)
	switch {
	case err != nil: // nobody knows of earlier attempts; this one has done nothing
		return connector.Outcome{}, connector.NotSent(op, reasonOf(err), err)
	case known == connector.FoundApplied:
		return o.settle(d, op, name)
	case known == connector.Undecided:
		return connector.Outcome{}, connector.Unknown(op, fault.StepUndecided, fmt.Errorf("%s was begun and is not there: it may have been taken", name))
	}
	part, err := o.prepare(d, name, content)
	if err != nil {
		return connector.Outcome{}, connector.NotSent(op, reasonOf(err), err)
	}
	return o.publish(d, op, cmd, part, name)
}

// prepare writes everything but the name.
func (o *Outbox) prepare(d *disk, name string, content []byte) (part string, err error) {
	if err := d.folder(sentFolder); err != nil {
		return "", err
	}
	return d.prepare(name, content)
}

// publish gives the file its name, once.
func (o *Outbox) publish(d *disk, op string, cmd connector.Command, part, name string) (connector.Outcome, error) {
	begun := path.Join(sentFolder, name+".begun")
	if err := d.claim(begun); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return connector.Outcome{}, connector.Unknown(op, fault.AnswerLost, fmt.Errorf("another attempt at %s is under way", name))
		}
		return connector.Outcome{}, withdraw(d, op, begun, connector.NotSent(op, reasonOf(err), err))
	}
	if err := cmd.InTime(o.config.Now()); err != nil {
		return connector.Outcome{}, withdraw(d, op, begun, errors.Join(err, d.remove(part)))
	}
	if err := d.rename(part, name); err != nil {
		if hidden, wrong := d.exists(part); wrong != nil || !hidden { // it may have got its name all the same
			return connector.Outcome{}, connector.Unknown(op, fault.AnswerLost, errors.Join(err, wrong))
		}
		return connector.Outcome{}, withdraw(d, op, begun, connector.NotSent(op, reasonOf(err), err))
	}
	return o.settle(d, op, name)
}

// withdraw takes back that the file may have got its name, and gives the error of an
// attempt that has done nothing; where that cannot be taken back nobody knows.
func withdraw(d *disk, op, begun string, err error) error {
	if gone := d.remove(begun); gone != nil {
		return connector.Unknown(op, fault.AnswerLost, errors.Join(err, gone))
	}
	return err
}

// settle remembers that the file got its name. Only then is it called applied:
// before, the next attempt could not tell where the file was taken away.
func (o *Outbox) settle(d *disk, op, name string) (connector.Outcome, error) {
	begun, done := path.Join(sentFolder, name+".begun"), path.Join(sentFolder, name+".done")
	there, err := d.exists(begun)
	if err == nil && there {
		err = d.rename(begun, done)
	}
	if err != nil {
		return connector.Outcome{}, connector.Unknown(op, fault.AnswerLost, err)
	}
	return connector.Outcome{Status: connector.Applied, Documents: documents(name)}, nil
}

func documents(name string) []connector.Document {
	return []connector.Document{{Number: name, Kind: "file"}}
}

// whatIs is what the folder shows of a file.
func whatIs(d *disk, name string) (connector.FindStatus, error) {
	for _, place := range []struct {
		name string
		is   connector.FindStatus
	}{
		{path.Join(sentFolder, name+".done"), connector.FoundApplied},
		{name, connector.FoundApplied},
		{path.Join(sentFolder, name+".begun"), connector.Undecided},
	} {
		there, err := d.exists(place.name)
		if err != nil {
			return "", err
		}
		if there {
			return place.is, nil
		}
	}
	return connector.Absent, nil
}

// Find looks for the file of a command, as connector.System says.
func (o *Outbox) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	const op = "file.Find"
	if ctx.Err() != nil {
		return connector.Finding{}, connector.Unknown(op, fault.AnswerLost, context.Cause(ctx))
	}
	name, _, err := draftOf(cmd)
	if err != nil {
		return connector.Finding{}, connector.Unknown(op, fault.NotSendable, err)
	}
	d, err := o.open(o.config.Folder)
	if err != nil {
		return connector.Finding{}, connector.Unknown(op, reasonOf(err), err)
	}
	defer d.close()
	is, err := whatIs(d, name)
	if err != nil {
		return connector.Finding{}, connector.Unknown(op, reasonOf(err), err)
	}
	f := connector.Finding{Status: is}
	if is == connector.FoundApplied {
		f.Documents = documents(name)
	}
	return f, nil
}

// reasonOf is why a folder could not be used.
func reasonOf(err error) *fault.Reason {
	if errors.Is(err, fs.ErrPermission) {
		return fault.AccessDenied
	}
	return fault.SystemDown
}
