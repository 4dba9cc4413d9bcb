-- One ledger of one site. Times are UTC microseconds, refs and digests text,
-- bodies bytes. {bytes}, {partitioned} and {clustered} are what the two databases
-- write differently; everything else is the same text.

create table ledger (
	name    text   not null primary key,
	epoch   bigint not null,
	created bigint not null
);

-- A feed per plant: position, time and audit link are taken here, inside the commit.
create table feeds (
	plant    text   not null primary key,
	epoch    bigint not null,
	last     bigint not null check (last >= 0),
	recorded bigint not null,
	link     bigint not null,
	head     text   not null
);

-- A lost COMMIT answer is looked up by the batch's id.
create table commits (
	batch    text   not null primary key,
	recorded bigint not null
){clustered};
create index commits_recorded on commits (recorded);

-- Uniqueness of messages: narrow, never partitioned, never trimmed.
create table inbox (
	key       text   not null primary key,
	state     text   not null check (state in ('recorded', 'held')),
	version   bigint not null,             -- the version that the state is about
	effective bigint not null,             -- the version whose events stand; 0 while none
	digest    text   not null,             -- of that version
	conflict  text   not null,             -- digest of the last content refused as a conflict
	events    text   not null,             -- keys of the statements that it made, one a line
	recorded  bigint not null
){clustered};

create table messages (
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
	content      text   not null,          -- salted digest of the raw content
	link         bigint not null,
	n            bigint not null,          -- order within the link
	primary key (key, version, recorded)
){partitioned};
create index messages_link on messages (plant, link, n);

-- Raw content apart, so that it can be erased without breaking the audit chain.
-- Its key rises with time: appending is cheaper than finding a place among hashes.
create table contents (
	recorded bigint  not null,             -- of the message
	key      text    not null,
	version  bigint  not null,
	salt     {bytes} not null,
	body     {bytes} not null,
	primary key (recorded, key)
);

-- Uniqueness of statements, and the newest statement of each key.
create table event_keys (
	key       text   not null primary key,
	statement bigint not null,
	change    text   not null check (change in ('', 'correction', 'reversal')),
	plant     text   not null,
	position  bigint not null,
	recorded  bigint not null,
	message   text   not null,             -- key of the message that stated it
	digest    text   not null
){clustered};

create table events (
	plant         text    not null,
	position      bigint  not null,
	recorded      bigint  not null,
	key           text    not null,
	statement     bigint  not null,
	change        text    not null,
	previous      bigint  not null,        -- position of the statement before; 0 for the first
	type          text    not null,
	version       bigint  not null,
	system        text    not null,
	identity      text    not null,
	slot          text    not null,
	subject       text    not null,
	occurred_from bigint  not null,
	occurred_to   bigint  not null,
	zone          bigint  not null,        -- minutes east of UTC where it happened
	day           text    not null,
	shift         text    not null,
	sequence      text    not null,
	correlation   text    not null,
	causation     text    not null,
	ordering      text    not null,        -- place among the events of its subject
	data          {bytes} not null,        -- canonical JSON
	derived       {bytes} not null,        -- canonical JSON: refs, folds, relations, verdicts
	disputed      bigint  not null check (disputed in (0, 1)),
	message       text    not null,        -- id of the message version
	mapping       text    not null,
	revision      text    not null,
	origin        text    not null default '', -- the ledger that recorded it first; '' = here
	origin_epoch  bigint  not null default 0,
	origin_position bigint not null default 0,
	origin_recorded bigint not null default 0,
	link          bigint  not null,
	primary key (plant, position, recorded)
){partitioned};

-- The history of every object that an event touches.
create table object_events (
	ref      text   not null,
	plant    text   not null,
	position bigint not null,
	recorded bigint not null,
	type     text   not null,
	folds    bigint not null check (folds in (0, 1)), -- the event counts for the object's state
	primary key (ref, plant, position)
){clustered};

create table objects (
	ref      text    not null primary key,
	kind     text    not null,
	state    {bytes} not null,
	ordering text    not null,             -- of the last event in the fold
	plant    text    not null,
	position bigint  not null,
	recorded bigint  not null
){clustered};

create table relations (
	from_ref text   not null,
	kind     text   not null,
	to_ref   text   not null,
	key      text   not null,              -- of the event that states it
	plant    text   not null,
	position bigint not null,
	primary key (from_ref, kind, to_ref, key, position)
){clustered};
create index relations_to on relations (to_ref, kind, from_ref);

create table facts (
	plant       text   not null,
	position    bigint not null,
	n           bigint not null,
	recorded    bigint not null,
	version     bigint not null,           -- of the way facts are made
	key         text   not null,           -- of the event
	sign        bigint not null check (sign in (-1, 1)), -- -1 takes back what the statement before said
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
	value       text   not null,           -- as reported; negative where it takes back
	unit        text   not null,
	base_value  text   not null,
	base_unit   text   not null,
	scaled      bigint not null,           -- base value in millionths, toward zero
	residue     text   not null,           -- what millionths cannot carry; '' for nothing
	factor      text   not null,
	disputed    bigint not null check (disputed in (0, 1)),
	primary key (plant, position, n, recorded)
){partitioned}{clustered};

-- What stands in the way of a message version, or of a step, until it is resolved.
create table exceptions (
	message  text   not null,              -- key of the message, or of the step
	version  bigint not null,              -- of the message; of a step one more than its attempts so far
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
	about    text   not null check (about in ('message', 'step')),
	primary key (message, version)
);
create index exceptions_open on exceptions (raised) where state = 'open';

-- Every change of an exception, and every act of a person: never altered.
create table acts (
	plant     text   not null,
	link      bigint not null,
	n         bigint not null,
	recorded  bigint not null,
	principal text   not null,
	act       text   not null,             -- "exception.raised", "key.created"
	subject   text   not null,
	detail    text   not null,
	primary key (plant, link, n)
);
create index acts_subject on acts (subject);

create table waits (
	wanted  text   not null,               -- "reference:bom/M-100", "cross-reference:..."
	message text   not null,
	version bigint not null,
	since   bigint not null,
	primary key (wanted, message, version)
){clustered};
create index waits_message on waits (message, version);

-- Bitemporal reference data: what was valid when, as known when.
create table reference (
	ref        text    not null,
	plant      text    not null,
	valid_from bigint  not null,
	recorded   bigint  not null,
	valid_to   bigint  not null,
	event      text    not null,           -- its version: the id of the event
	withdrawn  bigint  not null check (withdrawn in (0, 1)),
	body       {bytes} not null,
	primary key (ref, plant, valid_from, recorded)
);

create table cross_references (
	system     text   not null,
	kind       text   not null,
	id         text   not null,
	valid_from bigint not null,
	recorded   bigint not null,
	valid_to   bigint not null,
	ref        text   not null,
	event      text   not null,            -- '' where it comes from the catalog
	withdrawn  bigint not null check (withdrawn in (0, 1)),
	primary key (system, kind, id, valid_from, recorded)
);
create index cross_references_ref on cross_references (ref);

-- One link per commit and feed; hash covers the link before.
create table audit (
	plant    text   not null,
	link     bigint not null,
	recorded bigint not null,
	first    bigint not null,              -- first position; 0 where the commit has no event
	last     bigint not null,              -- the feed's last position after the commit
	rows     bigint not null,
	digest   text   not null,
	hash     text   not null,
	batch    text   not null,
	primary key (plant, link)
);

create table revisions (
	digest   text    not null primary key,
	released bigint  not null,
	content  {bytes} not null
);

create table principals (
	name     text   not null primary key,
	kind     text   not null check (kind in ('system', 'person')),
	system   text   not null,              -- whom a system's key speaks for
	password text   not null,              -- argon2id, persons only
	roles    text   not null,              -- JSON: [{"role":"operator","plant":"graz"}]
	created  bigint not null,
	disabled bigint not null
);

create table keys (
	id        text   not null primary key,
	principal text   not null references principals (name),
	hash      text   not null,
	created   bigint not null,
	expires   bigint not null,
	revoked   bigint not null
);

create table cursors (
	consumer text   not null,
	plant    text   not null,
	position bigint not null,
	moved    bigint not null,
	primary key (consumer, plant)
);
