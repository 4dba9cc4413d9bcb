package event

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// A Message is what a system sent, as it came: one CloudEvent, or one record of
// a native message. A file is split into one message per record.
type Message struct {
	System      string
	Name        string // message of the system's mappings; CloudEventMessage for an event sent as such
	ID          string // the source's id, or the identity that the mapping declares
	Version     int    // 1 as first sent, 2, 3 ... each later content under the same id
	Plant       string
	ContentType string
	Channel     string // how it came: "http", "file:shift.csv#17"; says nothing about identity
	Principal   string // who delivered it
	Body        []byte
	Digest      string // of the canonical form without volatile attributes
	Received    time.Time
}

// CloudEventMessage is the Name of messages that are CloudEvents already.
const CloudEventMessage = "event"

// Key is the identity of the message through all its versions.
func (m *Message) Key() string { return MessageKey(m.System, m.Name, m.ID) }

// StatementID names one version of the message.
func (m *Message) StatementID() string { return StatementID(m.Key(), m.Version) }

// Digest is the SHA-256 of the canonical form of a JSON value, in hex.
func Digest(value any) (string, error) {
	b, err := Canonical(value)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
