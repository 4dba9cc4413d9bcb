// Package file exchanges files with systems that read and write folders. An
// Inbox is a connector.Source: it reads files that a system drops. An Outbox is a
// connector.System: it writes a command as a file.
//
// Files are never read before they are complete and never seen before they are.
// What must be remembered is a name in a folder, changed by one rename at a time,
// so that after a crash at any point the next run goes on.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// A disk is one folder and what is below it. Nothing leads out of it, no link
// and no name of a file.
type disk struct {
	root *os.Root

	// step is asked before each change, with what it is: for tests that take the
	// power away. Nil otherwise.
	step func(what string) error
}

func openDisk(folder string) (*disk, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &disk{root: root}, nil
}

func (d *disk) close() { _ = d.root.Close() } // read and synced before

func (d *disk) about(what string, args ...any) error {
	if d.step == nil {
		return nil
	}
	return d.step(fmt.Sprintf(what, args...))
}

// folder makes a folder where it is missing.
func (d *disk) folder(name string) error {
	if err := d.about("make %s", name); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// write makes a file with this content, or none: it is written under a name that
// nobody looks at, synced and renamed. It replaces what has the name.
func (d *disk) write(name string, content []byte) error {
	part, err := d.prepare(name, content)
	if err != nil {
		return err
	}
	return d.rename(part, name)
}

// prepare writes and syncs a file under a name that nobody looks at.
func (d *disk) prepare(name string, content []byte) (part string, err error) {
	part = path.Join(path.Dir(name), "."+path.Base(name)+".part")
	if err := d.about("write %s", part); err != nil {
		return "", err
	}
	f, err := d.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return "", err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	return part, errors.Join(err, f.Close())
}

// rename renames a file and syncs the folders that it left and came to.
func (d *disk) rename(from, to string) error {
	if err := d.about("rename %s to %s", from, to); err != nil {
		return err
	}
	if err := d.root.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(d.sync(path.Dir(to)), d.sync(path.Dir(from)))
}

func (d *disk) remove(name string) error {
	if err := d.about("remove %s", name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// claim makes an empty file, unless there is one.
func (d *disk) claim(name string) error {
	if err := d.about("claim %s", name); err != nil {
		return err
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), d.sync(path.Dir(name)))
}

func (d *disk) sync(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// exists says whether there is a file of a name. An error says that nobody knows.
func (d *disk) exists(name string) (bool, error) {
	_, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// read reads a file of this size, and says whether it has stayed as it was.
func (d *disk) read(name string, before fs.FileInfo) (content []byte, same bool, err error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close() //nolint:errcheck // only read
	opened, err := f.Stat()
	if err != nil || !os.SameFile(before, opened) {
		return nil, false, err
	}
	content, err = io.ReadAll(io.LimitReader(f, before.Size()+1))
	if err != nil {
		return nil, false, err
	}
	same, err = d.unchanged(name, before)
	return content, same && int64(len(content)) == before.Size(), err
}

// unchanged says whether a file is still the one that was seen.
func (d *disk) unchanged(name string, before fs.FileInfo) (bool, error) {
	now, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(before, now) && now.Size() == before.Size() && now.ModTime().Equal(before.ModTime()), nil
}

// hidden says whether a file is one that somebody is still writing, or that is no
// message at all, by its name.
func hidden(name string) bool {
	lower := strings.ToLower(name)
	for _, end := range []string{".part", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", "~"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$")
}
