-- Bulk work does more than to resume: what it does and what it was told stand in columns
-- whose values the program knows.
create table bulk_all (
	id         text   not null primary key,
	plant      text   not null,
	what       text   not null,            -- "resume"
	cause      text   not null,            -- the group of exceptions; '' where it is about something else
	input      text   not null default '', -- what it was told besides, JSON; '' for nothing
	state      text   not null,
	members    bigint not null,
	principal  text   not null,
	why        text   not null,
	created    bigint not null,
	changed    bigint not null
);
insert into bulk_all (id, plant, what, cause, input, state, members, principal, why, created, changed)
	select id, plant, what, cause, '', state, members, principal, why, created, changed from bulk;
drop table bulk;
alter table bulk_all rename to bulk;
create index bulk_running on bulk (created) where state = 'running';

create table bulk_members_all (
	bulk    text   not null,
	n       bigint not null,               -- from 1, the oldest first
	message text   not null,               -- key of the message or the step
	version bigint not null,
	about   text   not null,
	outcome text   not null,               -- '' before its turn
	words   text   not null,
	ended   bigint not null,
	primary key (bulk, n)
){clustered};
insert into bulk_members_all (bulk, n, message, version, about, outcome, words, ended)
	select bulk, n, message, version, about, outcome, words, ended from bulk_members;
drop table bulk_members;
alter table bulk_members_all rename to bulk_members;
create index bulk_members_left on bulk_members (bulk, n) where outcome = '';
