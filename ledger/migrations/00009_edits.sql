-- What people change of messages, and corrections that they ask of sources.

-- The content of a message version that was edited is a version beside it. What is
-- proposed has none until a second person has signed.
create table edits (
	id         text   not null primary key,
	message    text   not null,            -- key of the message
	original   bigint not null,            -- the version that was edited
	version    bigint not null,            -- the version with the edited content; 0 while there is none
	plant      text   not null,
	system     text   not null,
	name       text   not null,            -- of the message
	source_id  text   not null,
	state      text   not null,            -- proposed, refused, made, open, agreed, replaced
	changes    text   not null,            -- fields with before and after, JSON
	why        text   not null,
	digest     text   not null,            -- of what was shown and signed
	author     text   not null,            -- signature, JSON
	second     text   not null,            -- signature of a second person, JSON; '' for none
	made       bigint not null,
	ended      bigint not null,            -- when it was refused, or the difference closed; 0
	resolution text   not null
){clustered};
create index edits_message on edits (message, version);
create index edits_open on edits (plant, made) where state in ('proposed', 'open');

-- What a source was asked to correct, and until when.
create table corrections (
	id         text   not null primary key,
	message    text   not null,            -- key of the message
	version    bigint not null,            -- the version that is wrong
	plant      text   not null,
	system     text   not null,
	name       text   not null,            -- of the message
	source_id  text   not null,
	what       text   not null,
	asked_of   text   not null,            -- a person, an owner group, or the system
	asked_by   text   not null,
	state      text   not null,            -- open, answered, ended
	asked      bigint not null,
	due        bigint not null,
	ended      bigint not null,
	resolution text   not null
){clustered};
create index corrections_message on corrections (message) where state = 'open';
create index corrections_open on corrections (due) where state = 'open';

-- A check can only be made wider by making the table anew; the program knows the kinds.
create table timers_wider (
	kind           text   not null,        -- step, expectation, window, correction
	about          text   not null,        -- key of the command, of the expectation, of the window, or of the correction
	transaction_id text   not null,
	name           text   not null,        -- of the expectation, or of the bundle; of the message to be corrected; '' for a step
	cause          text   not null,        -- id of the statement after which something is expected; ''
	plant          text   not null,
	due            bigint not null,
	primary key (kind, about)
){clustered};
insert into timers_wider (kind, about, transaction_id, name, cause, plant, due)
	select kind, about, transaction_id, name, cause, plant, due from timers;
drop table timers;
alter table timers_wider rename to timers;
create index timers_due on timers (due);
create index timers_transaction on timers (transaction_id);
