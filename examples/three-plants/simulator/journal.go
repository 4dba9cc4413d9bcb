package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// longestLine bounds a line of a journal.
const longestLine = 1 << 20

// A journal is a file of JSON lines that only grows. A line counts once it is
// synced: what a process was killed over in the middle of a line never happened.
type journal struct{ file *os.File }

// openJournal opens a journal, makes it where there is none, hands on every line,
// and cuts off a last one that was not finished.
func openJournal(name string, line func([]byte) error) (*journal, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a journal: %w", err)
	}
	whole, err := readLines(file, line)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", name, errors.Join(err, file.Close()))
	}
	return &journal{file}, nil
}

// readLines hands on every whole line and answers how many bytes they have.
func readLines(file io.Reader, line func([]byte) error) (int64, error) {
	var whole int64
	lines := bufio.NewReaderSize(file, longestLine)
	for {
		text, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil // what is left was not finished
		case err != nil:
			return whole, err
		}
		if err := line(bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			return whole, fmt.Errorf("after byte %d: %w", whole, err)
		}
		whole += int64(len(text))
	}
}

// add writes a line and syncs it.
func (j *journal) add(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write a journal: %w", err)
	}
	if len(text) >= longestLine {
		return fmt.Errorf("write a journal: a line of %d bytes", len(text))
	}
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write a journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync a journal: %w", err)
	}
	return nil
}

func (j *journal) close() error { return j.file.Close() }
