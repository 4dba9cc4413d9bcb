-- The day of the plant on which a step is posted, "2026-04-01": that of its cause, or
-- one that it was moved to. '' for a status, and where a hub before this one decided
-- the step: that of its cause.
alter table steps add column posting text not null default '';

-- Finds the transactions that a new version of their plan has yet to move.
create index transactions_open on transactions (plan, id, version) where complete = 0;

-- Where the cause of a step stands among the events of its object. Within a lane the
-- step whose cause stands first goes first, then the one that came first. It is '' for
-- one that may have gone out, and for what a hub before this one put there: those are
-- first.
alter table steps add column ordering text not null default '';
alter table lane_steps add column ordering text not null default '';
create index lane_steps_order on lane_steps (lane, ordering, place, step);

-- Numbers of documents that messages told of before anybody knew that they belong to a
-- step: when one is given to a step, what the message stated was an echo.
create table sightings (
	system   text   not null,
	number   text   not null,
	message  text   not null,              -- key of the message
	recorded bigint not null,
	primary key (system, number, message)
){clustered};
