package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// contentErased is the act by which raw content may be missing.
const contentErased = "content.erased"

// Erase removes the raw content of one version of a message, with the salt of its
// digest and the words that exceptions are found by. What was made of it stays: events, facts, the message's id and digests;
// so does the audit chain, which never covered the content itself. Who did it and
// why goes on record in the same commit. NotFound where no such version is on
// record or its content was erased before.
func (l *Ledger) Erase(ctx context.Context, principal, messageID, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return fault.New("ledger.Erase", fault.InvalidRequest, "reason", "say why the content is erased: it goes on record")
	}
	key, version, err := event.ParseStatementID(messageID)
	if err != nil {
		return fault.Wrap("ledger.Erase", fault.InvalidRequest, "message", err)
	}
	plant, err := l.plantOfContent(ctx, key, version)
	if err != nil {
		return err
	}
	return l.act(ctx, Act{Plant: plant, Principal: principal, Act: contentErased, Subject: messageID, Detail: reason},
		func(ctx context.Context, s *session, _ time.Time) error {
			return errors.Join(
				s.shred(ctx, "delete from contents where key = $1 and recorded = (select recorded from messages where key = $2 and version = $3)", key, key, int64(version)),
				s.shred(ctx, "delete from exception_contents where source = $1", messageID))
		})
}

// plantOfContent finds the plant of a message version whose content is still there.
func (l *Ledger) plantOfContent(ctx context.Context, key string, version int) (string, error) {
	plant, found, kept := "", false, false
	err := l.each(ctx, "select m.plant, c.version from messages m left join contents c on c.recorded = m.recorded and c.key = m.key where m.key = $1 and m.version = $2",
		[]any{key, version}, func(r Row) error {
			var content *int64
			err := r.Scan(&plant, &content)
			found, kept = true, content != nil
			return err
		})
	switch {
	case err != nil:
		return "", fmt.Errorf("ledger.Erase: %w", err)
	case !found:
		return "", fault.New("ledger.Erase", fault.NotFound, "message", "no message %s is on record", event.StatementID(key, version))
	case !kept:
		return "", fault.New("ledger.Erase", fault.NotFound, "message", "the content of message %s was erased before", event.StatementID(key, version))
	}
	return plant, nil
}

// shred deletes so that SQLite overwrites the freed pages with zeros. PostgreSQL
// frees them at its next vacuum.
func (s *session) shred(ctx context.Context, text string, args ...any) error {
	if s.dialect != sqlite3 {
		return s.exec(ctx, text, args...)
	}
	for _, step := range []func() error{
		func() error { _, err := s.conn.ExecContext(ctx, "pragma secure_delete = on"); return err },
		func() error { return s.exec(ctx, text, args...) },
		func() error { _, err := s.conn.ExecContext(ctx, "pragma secure_delete = off"); return err },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	return nil
}
