package ledger

import (
	"github.com/gapless/gapless/event"
)

// The tables that a commit writes in bulk. The order of columns is the order of
// values in the rows that rows.go builds.
var (
	messagesTable = &table{name: "messages", columns: concat(
		texts("key"), numbers("version", "recorded"),
		texts("plant", "system", "name", "id", "content_type", "channel", "principal", "digest", "content"),
		numbers("link", "n"))}
	contentsTable = &table{name: "contents", columns: concat(
		numbers("recorded"), texts("key"), numbers("version"), blobs("salt", "body"))}
	inboxTable = &table{
		name: "inbox",
		columns: concat(texts("key", "state"), numbers("version", "effective"),
			texts("digest", "conflict", "events"), numbers("recorded")),
		conflict: `on conflict (key) do update set state = excluded.state, version = excluded.version,
			effective = excluded.effective, digest = excluded.digest, conflict = excluded.conflict, events = excluded.events,
			recorded = excluded.recorded`,
	}
	eventsTable = &table{name: "events", columns: concat(
		texts("plant"), numbers("position", "recorded"), texts("key"), numbers("statement"),
		texts("change"), numbers("previous"), texts("type"), numbers("version"),
		texts("system", "identity", "slot", "subject"), numbers("occurred_from", "occurred_to", "zone"),
		texts("day", "shift", "sequence", "correlation", "causation", "ordering"), blobs("data", "derived"),
		numbers("disputed"), texts("message", "mapping", "revision"), numbers("link"))}
	eventKeysTable = &table{
		name: "event_keys",
		columns: concat(texts("key"), numbers("statement"), texts("change", "plant"),
			numbers("position", "recorded"), texts("message", "digest")),
		conflict: `on conflict (key) do update set statement = excluded.statement, change = excluded.change, plant = excluded.plant,
			position = excluded.position, recorded = excluded.recorded, message = excluded.message, digest = excluded.digest`,
	}
	objectEventsTable = &table{name: "object_events", columns: concat(
		texts("ref", "plant"), numbers("position", "recorded"), texts("type"), numbers("folds"))}
	objectsTable = &table{
		name: "objects",
		columns: concat(texts("ref", "kind"), blobs("state"), texts("ordering", "plant"),
			numbers("position", "recorded")),
		conflict: `on conflict (ref) do update set state = excluded.state, ordering = excluded.ordering, plant = excluded.plant,
			position = excluded.position, recorded = excluded.recorded`,
	}
	relationsTable = &table{name: "relations", columns: concat(
		texts("from_ref", "kind", "to_ref", "key", "plant"), numbers("position")), conflict: "on conflict do nothing"}
	factsTable = &table{name: "facts", columns: concat(
		texts("plant"), numbers("position", "n", "recorded", "version"),
		texts("key"), numbers("sign"), texts("measure", "material", "lot", "order_ref", "operation", "work_center", "equipment", "reason", "day", "shift",
			"value", "unit", "base_value", "base_unit"),
		numbers("scaled"), texts("residue", "factor"), numbers("disputed"))}
	exceptionsTable = &table{
		name: "exceptions",
		columns: concat(texts("message"), numbers("version"),
			texts("plant", "system", "name", "state", "reason", "class", "field", "ref", "detail", "owner"),
			numbers("raised", "deadline", "ended"), texts("resolution", "about")),
		conflict: `on conflict (message, version) do update set state = excluded.state, reason = excluded.reason, class = excluded.class,
			field = excluded.field, ref = excluded.ref, detail = excluded.detail, ended = excluded.ended, resolution = excluded.resolution,
			owner = case when ` + sameReason + ` then exceptions.owner else excluded.owner end,
			deadline = case when ` + sameReason + ` then exceptions.deadline else excluded.deadline end,
			stage = case when ` + sameReason + ` then exceptions.stage else 0 end`,
	}
	exceptionRefsTable    = &table{name: "exception_refs", columns: concat(texts("ref", "message"), numbers("version")), conflict: "on conflict do nothing"}
	exceptionWordsTable   = &table{name: "exception_words", columns: concat(texts("word", "message"), numbers("version")), conflict: "on conflict do nothing"}
	exceptionAmountsTable = &table{
		name: "exception_amounts", columns: concat(texts("message"), numbers("version"), texts("measure", "unit", "value", "place"), numbers("scaled"), texts("residue")),
		conflict: "on conflict (message, version, measure, unit) do update set value = excluded.value, place = excluded.place, scaled = excluded.scaled, residue = excluded.residue",
	}
	exceptionContentsTable = &table{
		name: "exception_contents", columns: concat(texts("word", "message"), numbers("version"), texts("plant", "source")), conflict: "on conflict do nothing",
	}
	deskTable = &table{
		name: "desk", columns: concat(texts("message", "assignee"), numbers("until", "since"), texts("reason")),
		conflict: "on conflict (message) do update set assignee = excluded.assignee, until = excluded.until, since = excluded.since, reason = excluded.reason",
	}
	bulkMembersTable = &table{
		name:     "bulk_members",
		columns:  concat(texts("bulk"), numbers("n"), texts("message"), numbers("version"), texts("about", "outcome", "words"), numbers("ended")),
		conflict: "on conflict (bulk, n) do update set outcome = excluded.outcome, words = excluded.words, ended = excluded.ended where bulk_members.outcome = ''",
	}
	actsTable = &table{name: "acts", columns: concat(
		texts("plant"), numbers("link", "n", "recorded"), texts("principal", "act", "subject", "detail"))}
	waitsTable = &table{name: "waits", columns: concat(
		texts("wanted", "message"), numbers("version", "since")), conflict: "on conflict do nothing"}
	referenceTable = &table{name: "reference", columns: concat(
		texts("ref", "plant"), numbers("valid_from", "recorded", "valid_to"), texts("event"),
		numbers("withdrawn"), blobs("body"))}
	crossReferencesTable = &table{name: "cross_references", columns: concat(
		texts("system", "kind", "id"), numbers("valid_from", "recorded", "valid_to"),
		texts("ref", "event"), numbers("withdrawn")), conflict: "on conflict do nothing"}
	transactionsTable = &table{
		name:    "transactions",
		columns: concat(texts("id", "plan", "object", "plant", "version"), blobs("state"), numbers("complete", "changed")),
		conflict: `on conflict (id) do update set plant = excluded.plant, version = excluded.version, state = excluded.state,
			complete = excluded.complete, changed = excluded.changed`,
	}
	expectationsTable = &table{
		name:     "expectations",
		columns:  concat(texts("transaction_id", "name", "cause", "plant"), numbers("due"), texts("state")),
		conflict: "on conflict (transaction_id, name, cause) do update set state = excluded.state",
	}
	momentsTable     = &table{name: "moments", columns: momentTable, conflict: "on conflict do nothing"}
	passedTable      = &table{name: "moments", columns: momentTable, conflict: "on conflict (message, version, n) do update set passed = excluded.passed"}
	alertGroupsTable = &table{
		name:     "alert_groups",
		columns:  concat(texts("plant", "system", "about", "name", "reason"), numbers("stage", "started", "told", "emptied")),
		conflict: "on conflict (plant, system, about, name, reason, stage) do update set started = excluded.started, told = excluded.told, emptied = excluded.emptied",
	}
	alertsTable     = &table{name: "alerts", columns: concat(texts("id", "plant", "kind"), numbers("decided"), blobs("notice")), conflict: "on conflict do nothing"}
	alertSendsTable = &table{
		name: "alert_sends", columns: concat(texts("channel", "alert", "state", "bundle"), numbers("attempts", "due"), texts("words"), numbers("changed")), conflict: "on conflict do nothing",
	}
	timersTable = &table{
		name: "timers", columns: concat(texts("kind", "about", "transaction_id", "name", "cause", "plant"), numbers("due")), conflict: "on conflict do nothing",
	}
	stepMembersTable = &table{name: "step_members", columns: texts("statement", "step"), conflict: "on conflict do nothing"}
	stepsTable       = &table{name: "steps", columns: concat(
		texts("key"), numbers("recorded"), texts("transaction_id", "plant", "reaction", "role", "system", "command", "object",
			"cause"), numbers("position"), texts("basis", "amends", "wanted", "lanes"), numbers("deadline"), texts("members", "posting", "ordering"))}
	commandKeysTable = &table{
		name: "command_keys",
		columns: concat(texts("key"), numbers("recorded"), texts("transaction_id", "plant", "system", "status"), numbers("attempts"),
			texts("digest"), numbers("changed")),
		conflict: `on conflict (key) do update set status = excluded.status, attempts = excluded.attempts, digest = excluded.digest,
			changed = excluded.changed`,
	}
	attemptsTable = &table{
		name: "attempts",
		columns: concat(texts("step"), numbers("number"), texts("node"), numbers("begun", "send_before", "ended"),
			texts("outcome", "words")),
		conflict: "on conflict (step, number) do update set ended = excluded.ended, outcome = excluded.outcome, words = excluded.words",
	}
	documentsTable = &table{
		name: "documents", columns: concat(texts("system", "number", "step", "kind"), numbers("recorded")), conflict: "on conflict do nothing",
	}
	sightingsTable = &table{
		name: "sightings", columns: concat(texts("system", "number", "message"), numbers("recorded")), conflict: "on conflict do nothing",
	}
	laneStepsTable = &table{name: "lane_steps", columns: concat(texts("lane"), numbers("place"), texts("step", "plant"), numbers("width"), texts("ordering"))}
	lanesTable     = &table{
		name:     "lanes",
		columns:  concat(texts("lane", "system", "plant", "head"), numbers("due")),
		conflict: "on conflict (lane) do update set plant = excluded.plant, head = excluded.head, due = excluded.due",
	}
	feedsTable = &table{
		name: "feeds", columns: concat(texts("plant"), numbers("epoch", "last", "recorded", "link"), texts("head")),
		conflict: `on conflict (plant) do update set last = excluded.last, recorded = excluded.recorded, link = excluded.link, head = excluded.head`,
	}
	commitsTable = &table{name: "commits", columns: concat(texts("batch"), numbers("recorded"))}
	auditTable   = &table{name: "audit", columns: concat(
		texts("plant"), numbers("link", "recorded", "first", "last", "rows"), texts("digest", "hash", "batch"))}
)

// sameReason is that an exception is raised again that stands open for the same reason:
// it stays with whom it has come to, and its clock goes on.
const sameReason = "exceptions.state = 'open' and exceptions.reason = excluded.reason"

var momentTable = concat(texts("message"), numbers("version", "n"), texts("plant", "system", "about", "name", "reason"), numbers("due"), texts("owner"), numbers("passed"))

// Places in a row of exceptions that change while a commit is gathered.
const (
	exceptionMessage    = 0
	exceptionVersion    = 1
	exceptionPlant      = 2
	exceptionState      = 5
	exceptionReason     = 6
	exceptionRaised     = 12
	exceptionEnded      = 14
	exceptionResolution = 15
	exceptionAbout      = 16
)

// FactVersion is the version of the way facts are made of events. A new way is
// built beside the old and switched.
const FactVersion = 1

// FactDigits is the scale of facts.scaled: millionths of the base unit.
const FactDigits = 6

func concat(parts ...[]column) []column {
	var all []column
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// factRow is one row of facts; a negative one takes back what an earlier statement said.
func factRow(plant string, position, n, recorded int64, key string, e *event.Event, f *event.Fact, disputed bool, negative bool) ([]any, error) {
	value, base, sign := f.Quantity.Value, f.Base.Value, int64(1)
	if negative {
		value, base, sign = value.Neg(), base.Neg(), -1
	}
	scaled, residue, err := base.Scaled(FactDigits)
	if err != nil {
		return nil, err
	}
	rest := ""
	if !residue.IsZero() {
		rest = residue.String()
	}
	return []any{
		plant, position, n, recorded, int64(FactVersion), key, sign, f.Measure, string(f.Material), string(f.Lot), string(f.Order),
		string(f.Operation), string(f.WorkCenter), string(f.Equipment), f.Reason, e.Day, e.Shift,
		value.String(), f.Quantity.Unit, base.String(), f.Base.Unit, scaled, rest, f.Factor, flag(disputed),
	}, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
