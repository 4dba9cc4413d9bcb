-- What is on record makes other systems follow: transactions, their steps, and
-- the attempts at them.

-- A transaction is what a plan makes of the events about one object. Its state is
-- the plan's own; here it is bytes.
create table transactions (
	id       text    not null primary key, -- plan and object: "lot-to-stock lot/M-100/4711"
	plan     text    not null,
	object   text    not null,
	plant    text    not null,             -- of the event that moved it last
	version  text    not null,             -- digest of the plan that decided its steps
	state    {bytes} not null,
	complete bigint  not null check (complete in (0, 1)),
	changed  bigint  not null
);
create index transactions_object on transactions (object);

-- A step is what a plan decided that a system must do. The row never changes;
-- where the step stands is in command_keys.
create table steps (
	key         text   not null,           -- the command key
	recorded    bigint not null,
	transaction_id text not null,
	plant       text   not null,
	reaction    text   not null,
	role        text   not null,
	system      text   not null,           -- that the role stood for then
	command     text   not null,
	object      text   not null,
	cause       text   not null,           -- id of the event's statement
	position    bigint not null,           -- of the cause in the plant's feed; 0 where it was not known
	basis       text   not null,           -- id of the statement that it starts from; '' for none
	amends      text   not null,           -- key of the step that it amends or undoes; ''
	wanted      text   not null,           -- the status that it brings about; '' where it is no such step
	lanes       text   not null,           -- refs, one a line, sorted
	deadline    bigint not null,           -- 0 for none
	primary key (key, recorded)
){partitioned};
create index steps_transaction on steps (transaction_id);
create index steps_cause on steps (cause);

-- Uniqueness of commands, and where each stands: narrow, never partitioned, never
-- trimmed. The digest is that of the request that went out first: the same key is
-- never sent with other content.
create table command_keys (
	key            text   not null primary key,
	recorded       bigint not null,        -- of the step
	transaction_id text   not null,
	plant          text   not null,
	system         text   not null,
	status         text   not null check (status in ('waiting', 'due', 'sent', 'accepted', 'applied', 'partly-applied',
		'refused', 'held', 'superseded', 'obsolete', 'reversed', 'waived', 'shadow')),
	attempts       bigint not null,
	digest         text   not null,        -- '' before the first attempt
	changed        bigint not null
);
create index command_keys_transaction on command_keys (transaction_id);
create index command_keys_open on command_keys (plant, system, status)
	where status in ('waiting', 'due', 'sent', 'accepted', 'partly-applied', 'refused', 'held');

-- Steps of one system about one ref are performed in order. A lane names the
-- first of them; its due time is what is claimed. A lane whose first step is not
-- first in all of its lanes is never due.
create table lanes (
	lane   text   not null primary key,    -- system and ref: "erp lot/M-100/4711"
	system text   not null,
	plant  text   not null,                -- of the first step
	head   text   not null,                -- key of the first step
	due    bigint not null
){clustered};
create index lanes_due on lanes (plant, system, due);

create table lane_steps (
	lane  text   not null,
	place bigint not null,                 -- order in which steps came
	step  text   not null,
	plant text   not null,
	width bigint not null check (width > 0), -- in how many lanes the step stands
	primary key (lane, place, step)
){clustered};
create index lane_steps_step on lane_steps (step);

-- An attempt is on record before it leaves.
create table attempts (
	step        text   not null,
	number      bigint not null,
	node        text   not null,
	begun       bigint not null,
	send_before bigint not null,           -- nothing of it leaves later
	ended       bigint not null,           -- 0 while nothing is known of its end
	outcome     text   not null check (outcome in ('', 'not-sent', 'unknown', 'absent', 'accepted', 'applied', 'partly-applied', 'refused', 'waived')),
	words       text   not null,           -- what the system said, or what stood in the way
	primary key (step, number)
){clustered};

-- The numbers that systems gave to what they did.
create table documents (
	system   text   not null,
	number   text   not null,
	step     text   not null,
	kind     text   not null,
	recorded bigint not null,
	primary key (system, number, step)
){clustered};
create index documents_step on documents (step);
create index documents_number on documents (number);

-- What a plan expects after an event, until it is there.
create table expectations (
	transaction_id text   not null,
	name           text   not null,
	cause          text   not null,        -- id of the statement after which it is expected
	plant          text   not null,
	due            bigint not null,
	state          text   not null check (state in ('open', 'met')),
	primary key (transaction_id, name, cause)
){clustered};
create index expectations_open on expectations (due) where state = 'open';
