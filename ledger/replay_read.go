package ledger

import (
	"context"
	"encoding/json"
	"strings"
)

// actReplayed is the act by which events came of a replay.
const actReplayed = "message.replayed"

// Replayed are the acts by which statements of messages came of replays, by the id of the
// statement.
func (l *Ledger) Replayed(ctx context.Context, messages []string) (map[string]Act, error) {
	all := map[string]Act{}
	d := l.store.dialect
	err := l.each(ctx, "select plant, principal, act, subject, detail, recorded from acts where "+d.isIn("subject", "$1")+" and act = $2", []any{d.list(messages), actReplayed}, func(r Row) error {
		var a Act
		var recorded int64
		if err := r.Scan(&a.Plant, &a.Principal, &a.Act, &a.Subject, &a.Detail, &recorded); err != nil {
			return err
		}
		a.Recorded = fromMicros(recorded)
		if c, ok := ParseChange(a.Detail); ok {
			for id := range strings.FieldsSeq(c.After["events"]) {
				all[id] = a
			}
		}
		return nil
	})
	return all, err
}

// A ReplayMember is a message of a replay: what the dry run has found of it, and what
// became of it.
type ReplayMember struct {
	BulkMember
	System, Name, SourceID string
	Result                 ReplayResult // "" before it was looked at
	Found                  string       // why it would be held, or cannot be tried
	Detail                 ReplayDetail
}

// ReplayMembers are members behind a number, of one result or of all where it is "".
func (l *Ledger) ReplayMembers(ctx context.Context, id string, result ReplayResult, after int64, limit int) ([]ReplayMember, error) {
	var all []ReplayMember
	err := l.each(ctx, `select m.n, m.message, m.version, m.outcome, m.words, m.ended, coalesce(f.result, ''), coalesce(f.words, ''), coalesce(f.detail, ''), x.system, x.name, x.id
		from bulk_members m join messages x on x.key = m.message and x.version = m.version left join replay_findings f on f.replay = m.bulk and f.n = m.n
		where m.bulk = $1 and m.n > $2 and ($3 = '' or f.result = $4) order by m.n limit $5`, []any{id, after, string(result), string(result), limit}, func(r Row) error {
		m := ReplayMember{BulkMember: BulkMember{About: aboutMessage}}
		var ended int64
		var detail string
		err := r.Scan(&m.N, &m.Key, &m.Version, &m.Outcome, &m.Words, &ended, &m.Result, &m.Found, &detail, &m.System, &m.Name, &m.SourceID)
		m.Ended = fromMicros(ended)
		if err == nil && detail != "" {
			err = json.Unmarshal([]byte(detail), &m.Detail)
		}
		all = append(all, m)
		return err
	})
	return all, err
}

// ReplayErased are messages that were chosen and whose content is gone, behind a number.
func (l *Ledger) ReplayErased(ctx context.Context, id string, after int64, limit int) ([]ChosenMessage, error) {
	var all []ChosenMessage
	err := l.each(ctx, "select message, version from replay_erased where replay = $1 and n > $2 order by n limit $3", []any{id, after, limit}, func(r Row) error {
		var m ChosenMessage
		err := r.Scan(&m.Key, &m.Version)
		all = append(all, m)
		return err
	})
	return all, err
}

// ReplayFigures are the figures that would move, behind one of them in the order of
// measure, unit, material and order.
func (l *Ledger) ReplayFigures(ctx context.Context, id string, behind FigureKey, limit int) ([]ReplayFigure, error) {
	var all []ReplayFigure
	err := l.each(ctx, "select "+figureColumns+` from replay_figures where replay = $1 and (measure, unit, material, order_ref) > ($2, $3, $4, $5) and before <> after
		order by measure, unit, material, order_ref limit $6`, []any{id, behind.Measure, behind.Unit, string(behind.Material), string(behind.Order), limit}, func(r Row) error {
		f, err := scanFigure(r)
		all = append(all, f)
		return err
	})
	return all, err
}

// ReplayCommands counts the commands of a dry run.
func (l *Ledger) ReplayCommands(ctx context.Context, id string) ([]ReplayCommands, error) {
	var all []ReplayCommands
	err := l.each(ctx, "select "+commandColumns+" from replay_commands where replay = $1 order by effect, reaction, system, command, kind, status", []any{id}, func(r Row) error {
		c, err := scanCommands(r)
		all = append(all, c)
		return err
	})
	return all, err
}

// ReplayTotals are the figures that would move, summed over orders.
func (l *Ledger) ReplayTotals(ctx context.Context, id string) ([]ReplayFigure, error) {
	var all []ReplayFigure
	for behind := (FigureKey{}); ; {
		page, err := l.ReplayFigures(ctx, id, behind, choosePage)
		if err != nil {
			return nil, err
		}
		for _, f := range page {
			behind = f.FigureKey
			f.Order = ""
			if last := len(all) - 1; last >= 0 && all[last].FigureKey == f.FigureKey {
				all[last].Before, all[last].After = all[last].Before.Add(f.Before), all[last].After.Add(f.After)
				continue
			}
			all = append(all, f)
		}
		if len(page) < choosePage {
			return all, nil
		}
	}
}
