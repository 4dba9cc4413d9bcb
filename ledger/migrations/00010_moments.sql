-- Moments: when an exception, or something that is awaited, is warned of and handed on.
-- How far an exception has come: 0 nothing, 1 warned, 2 handed on once, and so forth.
alter table exceptions add column stage bigint not null default 0;
create index exceptions_stage on exceptions (plant, system, about, name, reason, stage) where state = 'open' and stage > 0;

-- Each is a row until what it is about has ended, or it is raised for another reason.
create table moments (
	message text   not null,              -- key of the message, the step or the expectation
	version bigint not null,              -- of the exception; 0 before there is one: of what is awaited
	n       bigint not null,              -- the stage that is reached then
	plant   text   not null,              -- the group that the exception belongs to, or would
	system  text   not null,
	about   text   not null,
	name    text   not null,
	reason  text   not null,
	due     bigint not null,
	owner   text   not null,              -- the group that it goes to; '' for a warning
	passed  bigint not null,              -- when it was passed; 0 before
	primary key (message, version, n)
){clustered};
create index moments_due on moments (due) where passed = 0;
create index moments_passed on moments (plant, system, about, name, reason) where passed > 0 and version = 0;
