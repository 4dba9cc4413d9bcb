-- The day of the plant on which a step is posted, "2026-04-01": that of its cause, or
-- one that it was moved to. '' for a status, and where a hub before this one decided
-- the step: that of its cause.
alter table steps add column posting text not null default '';

-- Finds the transactions that a new version of their plan has yet to move.
create index transactions_open on transactions (plan, id, version) where complete = 0;
