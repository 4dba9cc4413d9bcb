-- Replay: what a dry run has found is on record before anything of it runs.

-- The dry run of bulk work that replays. Its choice is the input of the bulk work, the
-- messages that it is about are the members.
create table replays (
	id       text   not null primary key,  -- of the bulk work
	revision text   not null,              -- of the catalog, under which it was looked at
	examined bigint not null,              -- members that were looked at
	erased   bigint not null,              -- messages that were chosen and are no members: their content is gone
	shown    text   not null,              -- digest over all that was found
	approval bigint not null check (approval in (0, 1)), -- a second person must approve
	proposed bigint not null,              -- when everything was looked at; 0 before
	approver text   not null,              -- ''
	approved bigint not null,              -- 0
	runner   text   not null               -- who lets it run; ''
){clustered};
create index bulk_examining on bulk (created) where state = 'examining';

-- What would become of a member.
create table replay_findings (
	replay text   not null,
	n      bigint not null,                -- of the member
	result text   not null,
	shown  text   not null,                -- digest of the statements that would follow
	words  text   not null,
	detail text   not null,                -- JSON; '' where nothing changes
	primary key (replay, n)
){clustered};
create index replay_findings_result on replay_findings (replay, result, n);

-- Messages that were chosen and whose content was erased.
create table replay_erased (
	replay  text   not null,
	n       bigint not null,
	message text   not null,
	version bigint not null,
	primary key (replay, n)
){clustered};

-- What the events that change count before and after, in base units.
create table replay_figures (
	replay    text not null,
	measure   text not null,
	unit      text not null,
	material  text not null,
	order_ref text not null,
	before    text not null,               -- exact decimal
	after     text not null,
	primary key (replay, measure, unit, material, order_ref)
){clustered};

-- How many commands of a kind would go out, or would not.
create table replay_commands (
	replay   text   not null,
	effect   text   not null,
	kind     text   not null,
	reaction text   not null,
	system   text   not null,
	command  text   not null,
	status   text   not null,
	steps    bigint not null,
	primary key (replay, effect, kind, reaction, system, command, status)
){clustered};
