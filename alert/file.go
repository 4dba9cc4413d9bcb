package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
)

// A file appends what is told as JSON lines: for a program that ships logs.
type file struct {
	path string
	mu   sync.Mutex
}

func newFile(c *ChannelConfig) (*file, error) {
	if c.Path == "" {
		return nil, errors.New("path is missing: name the file")
	}
	return &file{path: c.Path}, nil
}

// fileLine is one notice with the message that it left with.
type fileLine struct {
	Message string `json:"message"`
	Notice
}

// Send appends the notices and syncs the file. Where the last line is half written, as a
// full disk leaves it, they begin on one of their own.
func (f *file) Send(_ context.Context, m *Message) error {
	var b bytes.Buffer
	for i := range m.Notices {
		text, err := json.Marshal(fileLine{m.ID, m.Notices[i]})
		if err != nil {
			return fmt.Errorf("alert.file: %w", err)
		}
		b.Write(append(text, '\n'))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	to, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("alert.file: %w", err)
	}
	half, err := halfWritten(to)
	if half {
		_, err = to.WriteString("\n")
	}
	if err == nil {
		_, err = to.Write(b.Bytes())
	}
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return fmt.Errorf("alert.file: %w", err)
	}
	return nil
}

// halfWritten tells whether a file ends within a line.
func halfWritten(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n', err
}
