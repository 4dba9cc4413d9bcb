-- The desk: what people decide about what does not go on, what it is found by, what
-- is at stake, and bulk work.

-- By the key of the message or the step, not of one exception: what people decided
-- stays with what is raised about the same thing again.
create table desk (
	message  text   not null primary key,
	assignee text   not null,              -- a person or an owner group; '' for the owner of the exception
	until    bigint not null,              -- it is snoozed to this time; 0 where it is not
	since    bigint not null,              -- when it was snoozed: what is raised later shows at once
	reason   text   not null               -- for which it was snoozed: another one shows at once
){clustered};
create index desk_assignee on desk (assignee);

-- The objects that an exception is about, as far as they are known.
create table exception_refs (
	ref     text   not null,
	message text   not null,
	version bigint not null,
	primary key (ref, message, version)
){clustered};
create index exception_refs_message on exception_refs (message, version);

-- The words that an exception is found by, in small letters.
create table exception_words (
	word    text   not null,
	message text   not null,
	version bigint not null,
	primary key (word, message, version)
){clustered};

-- What is at stake: the facts of the event behind an exception, in base units.
create table exception_amounts (
	message text   not null,
	version bigint not null,
	measure text   not null,
	unit    text   not null,
	value   text   not null,               -- exact decimal
	primary key (message, version, measure, unit)
){clustered};

create index exceptions_group on exceptions (plant, system, about, name, reason, raised, message) where state = 'open';
create index exceptions_raised on exceptions (raised, message);
create index exceptions_waived on exceptions (plant) where state = 'waived';

-- Bulk work: one decision about many exceptions, its members fixed when it begins.
create table bulk (
	id         text   not null primary key,
	plant      text   not null,
	what       text   not null,            -- "resume"
	cause      text   not null,            -- the group of exceptions
	state      text   not null check (state in ('running', 'paused', 'cancelled', 'done')),
	members    bigint not null,
	principal  text   not null,
	why        text   not null,
	created    bigint not null,
	changed    bigint not null
);
create index bulk_running on bulk (created) where state = 'running';

create table bulk_members (
	bulk    text   not null,
	n       bigint not null,               -- from 1, oldest exception first
	message text   not null,
	version bigint not null,
	about   text   not null,
	outcome text   not null check (outcome in ('', 'resumed', 'held', 'moved-on', 'failed')),
	words   text   not null,
	ended   bigint not null,
	primary key (bulk, n)
){clustered};
create index bulk_members_left on bulk_members (bulk, n) where outcome = '';
