-- Moments: when an exception, or something that is awaited, is warned of and handed on.
-- And alerts: what is told about groups of exceptions, and what became of telling it.
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

-- What was told about a group: of stage 0 that it stands, of the others that members
-- have come to the stage.
create table alert_groups (
	plant   text   not null,
	system  text   not null,
	about   text   not null,
	name    text   not null,
	reason  text   not null,
	stage   bigint not null,
	started bigint not null,              -- since when it stands; 0: it does not
	told    bigint not null,              -- power of ten of its members that was told last
	emptied bigint not null,              -- when it was found without members; 0 where it has some
	primary key (plant, system, about, name, reason, stage)
){clustered};

create table alerts (
	id      text   not null primary key,
	plant   text   not null,
	kind    text   not null,              -- started, grew, ended, warned, escalated
	decided bigint not null,
	notice  {bytes} not null              -- what is told, JSON
);
create index alerts_decided on alerts (decided, id);

create table alert_sends (
	channel  text   not null,
	alert    text   not null,
	state    text   not null check (state in ('waiting', 'sent', 'given-up')),
	bundle   text   not null,             -- message that it goes out with; '' before the first try
	attempts bigint not null,
	due      bigint not null,             -- it is not tried before
	words    text   not null,             -- why it did not go out
	changed  bigint not null,
	primary key (channel, alert)
){clustered};
create index alert_sends_waiting on alert_sends (channel, due) where state = 'waiting';
