package flow

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// pack is the revision as it goes on record.
func pack(cat *catalog.Catalog) ([]byte, error) {
	var b bytes.Buffer
	err := cat.Pack(&b)
	return b.Bytes(), err
}

// revision is the catalog of a digest: the one in force, or one from the record.
func (f *Flow) revision(ctx context.Context, digest string) (*catalog.Catalog, error) {
	if cat := f.Catalog(); digest == "" || digest == cat.Digest() {
		return cat, nil
	}
	r, err := f.ledger.RevisionOf(ctx, digest)
	if err != nil {
		return nil, err
	}
	cat, findings := catalog.Unpack(r.Content)
	if cat == nil {
		return nil, fmt.Errorf("flow.revision: %s cannot be read by this version: %s", digest, findings[0])
	}
	return cat, nil
}

// Explain says for a kept message which source fields gave each target field its
// value, by the mapping of the revision that recorded it.
func (f *Flow) Explain(ctx context.Context, messageID string) ([]mapping.Explanation, error) {
	stored, err := f.ledger.Message(ctx, messageID, true)
	if err != nil {
		return nil, err
	}
	if stored.Name == event.CloudEventMessage {
		return nil, nil // it is the event already: every field comes from itself
	}
	if stored.Erased {
		return nil, fault.New("flow.Explain", fault.NotFound, "message", "the raw content of %s was erased", messageID)
	}
	digest, known, err := f.recordedBy(ctx, &stored)
	if err != nil {
		return nil, err
	}
	cat, err := f.revision(ctx, digest)
	if err != nil {
		return nil, err
	}
	m, ok := cat.Mapping(stored.System, stored.Name)
	if !ok {
		return nil, fault.New("flow.Explain", fault.MessageUnknown, "", "%s of %s", stored.Name, stored.System)
	}
	record, err := decodeKept(stored.Body)
	if err != nil {
		return nil, fault.Wrap("flow.Explain", fault.NotReadable, "", err)
	}
	p := &preparation{flow: f, cat: cat, ctx: ctx, a: &arrival{Message: stored.Message, record: record}, e: newEntry(cat), known: known}
	lookups, missing := p.lookups(m)
	if missing != nil {
		return nil, missing
	}
	return m.Explain(record, lookups)
}

// recordedBy is the revision that made the events of a message version, and when
// they were recorded; "" and zero for a version that made none. A later version may
// have corrected them since.
func (f *Flow) recordedBy(ctx context.Context, stored *ledger.StoredMessage) (revision string, at time.Time, err error) {
	made, err := f.ledger.EventsOfMessage(ctx, stored.Key())
	for i := 0; err == nil && i < len(made); i++ {
		var all []ledger.StoredEvent
		all, err = f.ledger.Statements(ctx, made[i].Key)
		for _, e := range all {
			if e.Message == stored.StatementID() && e.Recorded.After(at) {
				revision, at = e.Revision, e.Recorded
			}
		}
	}
	return revision, at, err
}
