CREATE TABLE acts (
	plant     text   not null,
	link      bigint not null,
	n         bigint not null,
	recorded  bigint not null,
	principal text   not null,
	act       text   not null,
	subject   text   not null,
	detail    text   not null,
	primary key (plant, link, n)
)

CREATE INDEX acts_subject on acts (subject)

CREATE TABLE alert_groups (
	plant   text   not null,
	system  text   not null,
	about   text   not null,
	name    text   not null,
	reason  text   not null,
	stage   bigint not null,
	started bigint not null,
	told    bigint not null,
	emptied bigint not null,
	primary key (plant, system, about, name, reason, stage)
) without rowid

CREATE TABLE alert_sends (
	channel  text   not null,
	alert    text   not null,
	state    text   not null check (state in ('waiting', 'sent', 'given-up')),
	bundle   text   not null,
	attempts bigint not null,
	due      bigint not null,
	words    text   not null,
	changed  bigint not null,
	primary key (channel, alert)
) without rowid

CREATE INDEX alert_sends_waiting on alert_sends (channel, due) where state = 'waiting'

CREATE TABLE alerts (
	id      text   not null primary key,
	plant   text   not null,
	kind    text   not null,
	decided bigint not null,
	notice  blob not null
)

CREATE INDEX alerts_decided on alerts (decided, id)

CREATE TABLE attempts (
	step        text   not null,
	number      bigint not null,
	node        text   not null,
	begun       bigint not null,
	send_before bigint not null,
	ended       bigint not null,
	outcome     text   not null check (outcome in ('', 'not-sent', 'unknown', 'absent', 'accepted', 'applied', 'partly-applied', 'refused', 'waived')),
	words       text   not null,
	primary key (step, number)
) without rowid

CREATE TABLE audit (
	plant    text   not null,
	link     bigint not null,
	recorded bigint not null,
	first    bigint not null,
	last     bigint not null,
	rows     bigint not null,
	digest   text   not null,
	hash     text   not null,
	batch    text   not null,
	primary key (plant, link)
)

CREATE TABLE "bulk" (
	id         text   not null primary key,
	plant      text   not null,
	what       text   not null,
	cause      text   not null,
	input      text   not null default '',
	state      text   not null,
	members    bigint not null,
	principal  text   not null,
	why        text   not null,
	created    bigint not null,
	changed    bigint not null
)

CREATE INDEX bulk_examining on bulk (created) where state = 'examining'

CREATE INDEX bulk_running on bulk (created) where state = 'running'

CREATE TABLE "bulk_members" (
	bulk    text   not null,
	n       bigint not null,
	message text   not null,
	version bigint not null,
	about   text   not null,
	outcome text   not null,
	words   text   not null,
	ended   bigint not null,
	primary key (bulk, n)
) without rowid

CREATE INDEX bulk_members_left on bulk_members (bulk, n) where outcome = ''

CREATE TABLE command_keys (
	key            text   not null primary key,
	recorded       bigint not null,
	transaction_id text   not null,
	plant          text   not null,
	system         text   not null,
	status         text   not null check (status in ('waiting', 'due', 'sent', 'accepted', 'applied', 'partly-applied',
		'refused', 'held', 'superseded', 'obsolete', 'reversed', 'waived', 'shadow')),
	attempts       bigint not null,
	digest         text   not null,
	changed        bigint not null
)

CREATE INDEX command_keys_open on command_keys (plant, system, status)
	where status in ('waiting', 'due', 'sent', 'accepted', 'partly-applied', 'refused', 'held')

CREATE INDEX command_keys_shadow on command_keys (transaction_id) where status = 'shadow'

CREATE INDEX command_keys_transaction on command_keys (transaction_id)

CREATE TABLE commits (
	batch    text   not null primary key,
	recorded bigint not null
) without rowid

CREATE INDEX commits_recorded on commits (recorded)

CREATE TABLE contents (
	recorded bigint  not null,
	key      text    not null,
	version  bigint  not null,
	salt     blob not null,
	body     blob not null,
	primary key (recorded, key)
)

CREATE TABLE corrections (
	id         text   not null primary key,
	message    text   not null,
	version    bigint not null,
	plant      text   not null,
	system     text   not null,
	name       text   not null,
	source_id  text   not null,
	what       text   not null,
	asked_of   text   not null,
	asked_by   text   not null,
	state      text   not null,
	asked      bigint not null,
	due        bigint not null,
	ended      bigint not null,
	resolution text   not null
) without rowid

CREATE INDEX corrections_message on corrections (message) where state = 'open'

CREATE INDEX corrections_open on corrections (due) where state = 'open'

CREATE TABLE cross_references (
	system     text   not null,
	kind       text   not null,
	id         text   not null,
	valid_from bigint not null,
	recorded   bigint not null,
	valid_to   bigint not null,
	ref        text   not null,
	event      text   not null,
	withdrawn  bigint not null check (withdrawn in (0, 1)),
	primary key (system, kind, id, valid_from, recorded)
)

CREATE INDEX cross_references_ref on cross_references (ref)

CREATE TABLE cursors (
	consumer text   not null,
	plant    text   not null,
	position bigint not null,
	moved    bigint not null,
	primary key (consumer, plant)
)

CREATE TABLE desk (
	message  text   not null primary key,
	assignee text   not null,
	until    bigint not null,
	since    bigint not null,
	reason   text   not null
) without rowid

CREATE INDEX desk_assignee on desk (assignee)

CREATE TABLE documents (
	system   text   not null,
	number   text   not null,
	step     text   not null,
	kind     text   not null,
	recorded bigint not null,
	primary key (system, number, step)
) without rowid

CREATE INDEX documents_number on documents (number)

CREATE INDEX documents_step on documents (step)

CREATE TABLE edits (
	id         text   not null primary key,
	message    text   not null,
	original   bigint not null,
	version    bigint not null,
	plant      text   not null,
	system     text   not null,
	name       text   not null,
	source_id  text   not null,
	state      text   not null,
	changes    text   not null,
	why        text   not null,
	digest     text   not null,
	author     text   not null,
	second     text   not null,
	made       bigint not null,
	ended      bigint not null,
	resolution text   not null
) without rowid

CREATE INDEX edits_message on edits (message, version)

CREATE INDEX edits_open on edits (plant, made) where state in ('proposed', 'open')

CREATE TABLE event_keys (
	key       text   not null primary key,
	statement bigint not null,
	change    text   not null check (change in ('', 'correction', 'reversal')),
	plant     text   not null,
	position  bigint not null,
	recorded  bigint not null,
	message   text   not null,
	digest    text   not null
) without rowid

CREATE TABLE events (
	plant         text    not null,
	position      bigint  not null,
	recorded      bigint  not null,
	key           text    not null,
	statement     bigint  not null,
	change        text    not null,
	previous      bigint  not null,
	type          text    not null,
	version       bigint  not null,
	system        text    not null,
	identity      text    not null,
	slot          text    not null,
	subject       text    not null,
	occurred_from bigint  not null,
	occurred_to   bigint  not null,
	zone          bigint  not null,
	day           text    not null,
	shift         text    not null,
	sequence      text    not null,
	correlation   text    not null,
	causation     text    not null,
	ordering      text    not null,
	data          blob not null,
	derived       blob not null,
	disputed      bigint  not null check (disputed in (0, 1)),
	message       text    not null,
	mapping       text    not null,
	revision      text    not null,
	origin        text    not null default '',
	origin_epoch  bigint  not null default 0,
	origin_position bigint not null default 0,
	origin_recorded bigint not null default 0,
	link          bigint  not null,
	primary key (plant, position, recorded)
)

CREATE TABLE exception_amounts (
	message text   not null,
	version bigint not null,
	measure text   not null,
	unit    text   not null,
	value   text   not null, place text not null default '', scaled bigint not null default 0, residue text not null default '',
	primary key (message, version, measure, unit)
) without rowid

CREATE INDEX exception_amounts_place on exception_amounts (unit, place, message, version)

CREATE INDEX exception_amounts_unscaled on exception_amounts (message, version) where place = '' or residue <> ''

CREATE TABLE exception_contents (
	word    text   not null,
	message text   not null,
	version bigint not null,
	plant   text   not null,
	source  text   not null,
	primary key (word, message, version)
) without rowid

CREATE INDEX exception_contents_message on exception_contents (message, version, word)

CREATE INDEX exception_contents_source on exception_contents (source)

CREATE TABLE exception_refs (
	ref     text   not null,
	message text   not null,
	version bigint not null,
	primary key (ref, message, version)
) without rowid

CREATE INDEX exception_refs_message on exception_refs (message, version)

CREATE TABLE exception_words (
	word    text   not null,
	message text   not null,
	version bigint not null,
	primary key (word, message, version)
) without rowid

CREATE INDEX exception_words_message on exception_words (message, version, word)

CREATE TABLE "exceptions" (
	message  text   not null,
	version  bigint not null,
	plant    text   not null,
	system   text   not null,
	name     text   not null,
	state    text   not null check (state in ('open', 'resolved', 'waived')),
	reason   text   not null,
	class    text   not null check (class in ('heals', 'data', 'business', 'definition', 'operations')),
	field    text   not null,
	ref      text   not null,
	detail   text   not null,
	owner    text   not null,
	raised   bigint not null,
	deadline bigint not null,
	ended    bigint not null,
	resolution text not null,
	about    text   not null check (about in ('message', 'step', 'deadline', 'expectation')), stage bigint not null default 0,
	primary key (message, version)
)

CREATE INDEX exceptions_group on exceptions (plant, system, about, name, reason, raised, message, version, class, deadline, owner) where state = 'open'

CREATE INDEX exceptions_open on exceptions (raised) where state = 'open'

CREATE INDEX exceptions_raised on exceptions (raised, message)

CREATE INDEX exceptions_stage on exceptions (plant, system, about, name, reason, stage) where state = 'open' and stage > 0

CREATE INDEX exceptions_waived on exceptions (plant) where state = 'waived'

CREATE TABLE expectations (
	transaction_id text   not null,
	name           text   not null,
	cause          text   not null,
	plant          text   not null,
	due            bigint not null,
	state          text   not null check (state in ('open', 'met')),
	primary key (transaction_id, name, cause)
) without rowid

CREATE INDEX expectations_open on expectations (due) where state = 'open'

CREATE TABLE facts (
	plant       text   not null,
	position    bigint not null,
	n           bigint not null,
	recorded    bigint not null,
	version     bigint not null,
	key         text   not null,
	sign        bigint not null check (sign in (-1, 1)),
	measure     text   not null,
	material    text   not null,
	lot         text   not null,
	order_ref   text   not null,
	operation   text   not null,
	work_center text   not null,
	equipment   text   not null,
	reason      text   not null,
	day         text   not null,
	shift       text   not null,
	value       text   not null,
	unit        text   not null,
	base_value  text   not null,
	base_unit   text   not null,
	scaled      bigint not null,
	residue     text   not null,
	factor      text   not null,
	disputed    bigint not null check (disputed in (0, 1)),
	primary key (plant, position, n, recorded)
) without rowid

CREATE TABLE feeds (
	plant    text   not null primary key,
	epoch    bigint not null,
	last     bigint not null check (last >= 0),
	recorded bigint not null,
	link     bigint not null,
	head     text   not null
)

CREATE TABLE inbox (
	key       text   not null primary key,
	state     text   not null check (state in ('recorded', 'held')),
	version   bigint not null,
	effective bigint not null,
	digest    text   not null,
	conflict  text   not null,
	events    text   not null,
	recorded  bigint not null
) without rowid

CREATE TABLE keys (
	id        text   not null primary key,
	principal text   not null references principals (name),
	hash      text   not null,
	created   bigint not null,
	expires   bigint not null,
	revoked   bigint not null
)

CREATE TABLE lane_steps (
	lane  text   not null,
	place bigint not null,
	step  text   not null,
	plant text   not null,
	width bigint not null check (width > 0), ordering text not null default '',
	primary key (lane, place, step)
) without rowid

CREATE INDEX lane_steps_order on lane_steps (lane, ordering, place, step)

CREATE INDEX lane_steps_step on lane_steps (step)

CREATE TABLE lanes (
	lane   text   not null primary key,
	system text   not null,
	plant  text   not null,
	head   text   not null,
	due    bigint not null
) without rowid

CREATE INDEX lanes_due on lanes (plant, system, due)

CREATE TABLE ledger (
	name    text   not null primary key,
	epoch   bigint not null,
	created bigint not null
)

CREATE TABLE messages (
	key          text   not null,
	version      bigint not null,
	recorded     bigint not null,
	plant        text   not null,
	system       text   not null,
	name         text   not null,
	id           text   not null,
	content_type text   not null,
	channel      text   not null,
	principal    text   not null,
	digest       text   not null,
	content      text   not null,
	link         bigint not null,
	n            bigint not null,
	primary key (key, version, recorded)
)

CREATE INDEX messages_link on messages (plant, link, n)

CREATE TABLE moments (
	message text   not null,
	version bigint not null,
	n       bigint not null,
	plant   text   not null,
	system  text   not null,
	about   text   not null,
	name    text   not null,
	reason  text   not null,
	due     bigint not null,
	owner   text   not null,
	passed  bigint not null,
	primary key (message, version, n)
) without rowid

CREATE INDEX moments_due on moments (due) where passed = 0

CREATE INDEX moments_passed on moments (plant, system, about, name, reason) where passed > 0 and version = 0

CREATE TABLE object_events (
	ref      text   not null,
	plant    text   not null,
	position bigint not null,
	recorded bigint not null,
	type     text   not null,
	folds    bigint not null check (folds in (0, 1)),
	primary key (ref, plant, position)
) without rowid

CREATE TABLE objects (
	ref      text    not null primary key,
	kind     text    not null,
	state    blob not null,
	ordering text    not null,
	plant    text    not null,
	position bigint  not null,
	recorded bigint  not null
) without rowid

CREATE TABLE principals (
	name     text   not null primary key,
	kind     text   not null check (kind in ('system', 'person')),
	system   text   not null,
	password text   not null,
	roles    text   not null,
	created  bigint not null,
	disabled bigint not null
)

CREATE TABLE reference (
	ref        text    not null,
	plant      text    not null,
	valid_from bigint  not null,
	recorded   bigint  not null,
	valid_to   bigint  not null,
	event      text    not null,
	withdrawn  bigint  not null check (withdrawn in (0, 1)),
	body       blob not null,
	primary key (ref, plant, valid_from, recorded)
)

CREATE TABLE relations (
	from_ref text   not null,
	kind     text   not null,
	to_ref   text   not null,
	key      text   not null,
	plant    text   not null,
	position bigint not null,
	primary key (from_ref, kind, to_ref, key, position)
) without rowid

CREATE INDEX relations_to on relations (to_ref, kind, from_ref)

CREATE TABLE replay_commands (
	replay   text   not null,
	effect   text   not null,
	kind     text   not null,
	reaction text   not null,
	system   text   not null,
	command  text   not null,
	status   text   not null,
	steps    bigint not null,
	primary key (replay, effect, kind, reaction, system, command, status)
) without rowid

CREATE TABLE replay_erased (
	replay  text   not null,
	n       bigint not null,
	message text   not null,
	version bigint not null,
	primary key (replay, n)
) without rowid

CREATE TABLE replay_figures (
	replay    text not null,
	measure   text not null,
	unit      text not null,
	material  text not null,
	order_ref text not null,
	before    text not null,
	after     text not null,
	primary key (replay, measure, unit, material, order_ref)
) without rowid

CREATE TABLE replay_findings (
	replay text   not null,
	n      bigint not null,
	result text   not null,
	shown  text   not null,
	words  text   not null,
	detail text   not null,
	primary key (replay, n)
) without rowid

CREATE INDEX replay_findings_result on replay_findings (replay, result, n)

CREATE TABLE replays (
	id       text   not null primary key,
	revision text   not null,
	examined bigint not null,
	erased   bigint not null,
	shown    text   not null,
	approval bigint not null check (approval in (0, 1)),
	proposed bigint not null,
	approver text   not null,
	approved bigint not null,
	runner   text   not null
) without rowid

CREATE TABLE revisions (
	digest   text    not null primary key,
	released bigint  not null,
	content  blob not null
)

CREATE TABLE sightings (
	system   text   not null,
	number   text   not null,
	message  text   not null,
	recorded bigint not null,
	primary key (system, number, message)
) without rowid

CREATE TABLE step_members (
	statement text not null,
	step      text not null,
	primary key (statement, step)
) without rowid

CREATE INDEX step_members_step on step_members (step)

CREATE TABLE steps (
	key         text   not null,
	recorded    bigint not null,
	transaction_id text not null,
	plant       text   not null,
	reaction    text   not null,
	role        text   not null,
	system      text   not null,
	command     text   not null,
	object      text   not null,
	cause       text   not null,
	position    bigint not null,
	basis       text   not null,
	amends      text   not null,
	wanted      text   not null,
	lanes       text   not null,
	deadline    bigint not null, members text not null default '', posting text not null default '', ordering text not null default '',
	primary key (key, recorded)
)

CREATE INDEX steps_cause on steps (cause)

CREATE INDEX steps_transaction on steps (transaction_id)

CREATE TABLE "timers" (
	kind           text   not null,
	about          text   not null,
	transaction_id text   not null,
	name           text   not null,
	cause          text   not null,
	plant          text   not null,
	due            bigint not null,
	primary key (kind, about)
) without rowid

CREATE INDEX timers_due on timers (due)

CREATE INDEX timers_transaction on timers (transaction_id)

CREATE TABLE transactions (
	id       text    not null primary key,
	plan     text    not null,
	object   text    not null,
	plant    text    not null,
	version  text    not null,
	state    blob not null,
	complete bigint  not null check (complete in (0, 1)),
	changed  bigint  not null
)

CREATE INDEX transactions_object on transactions (object)

CREATE INDEX transactions_open on transactions (plan, id, version) where complete = 0

CREATE TABLE waits (
	wanted  text   not null,
	message text   not null,
	version bigint not null,
	since   bigint not null,
	primary key (wanted, message, version)
) without rowid

CREATE INDEX waits_message on waits (message, version)

