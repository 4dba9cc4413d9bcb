-- What exceptions are found by besides refs and words: what is at stake, and what their
-- messages say.

-- The value as a text that sorts as numbers do, '' for what was raised before; and in
-- millionths and what they leave, so that SQL can sum it.
alter table exception_amounts add column place text not null default '';
alter table exception_amounts add column scaled bigint not null default 0;
alter table exception_amounts add column residue text not null default '';
create index exception_amounts_unscaled on exception_amounts (message, version) where place = '' or residue <> '';
create index exception_amounts_place on exception_amounts (unit, place, message, version);

-- Words of raw content, in small letters. Who may not see that content must not find by
-- them, and they go with it when it is erased.
create table exception_contents (
	word    text   not null,
	message text   not null,               -- key of the message or the step
	version bigint not null,
	plant   text   not null,               -- of the message that says it
	source  text   not null,               -- id of its version
	primary key (word, message, version)
){clustered};
create index exception_contents_source on exception_contents (source);
create index exception_contents_message on exception_contents (message, version, word);

-- Whether an exception has a word that many have.
create index exception_words_message on exception_words (message, version, word);

-- The queue reads nothing but this, and what is at stake.
drop index exceptions_group;
create index exceptions_group on exceptions (plant, system, about, name, reason, raised, message, version, class, deadline, owner) where state = 'open';
