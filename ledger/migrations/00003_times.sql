-- Times that are awaited, and steps that perform several events together.

-- What is due at a time unless something comes before: the end of a step or an
-- expectation, and the window of a bundle. The row is gone as soon as it came, or the
-- time has passed and that is on record.
create table timers (
	kind           text   not null check (kind in ('step', 'expectation', 'window')),
	about          text   not null,        -- key of the command, of the expectation, or of the window
	transaction_id text   not null,
	name           text   not null,        -- of the expectation, or of the bundle; '' for a step
	cause          text   not null,        -- id of the statement after which something is expected; ''
	plant          text   not null,
	due            bigint not null,
	primary key (kind, about)
){clustered};
create index timers_due on timers (due);
create index timers_transaction on timers (transaction_id);

-- The statements that a step performs together, one a line in the order in which they
-- came; '' for a step that performs its cause. The hub before this one makes no others.
alter table steps add column members text not null default '';

-- Finds the steps that perform a statement with others.
create table step_members (
	statement text not null,
	step      text not null,
	primary key (statement, step)
){clustered};
create index step_members_step on step_members (step);

-- A check can only be made wider by making the table anew. What is about a deadline or
-- an expectation has version 0; the hub before this one reads past it.
create table exceptions_wider (
	message  text   not null,              -- key of the message, of the step, or of the expectation
	version  bigint not null,              -- of the message; of a step one more than its attempts so far; 0 for what is late
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
	about    text   not null check (about in ('message', 'step', 'deadline', 'expectation')),
	primary key (message, version)
);
insert into exceptions_wider (message, version, plant, system, name, state, reason, class, field, ref, detail, owner, raised, deadline, ended, resolution, about)
	select message, version, plant, system, name, state, reason, class, field, ref, detail, owner, raised, deadline, ended, resolution, about from exceptions;
drop table exceptions;
alter table exceptions_wider rename to exceptions;
create index exceptions_open on exceptions (raised) where state = 'open';
