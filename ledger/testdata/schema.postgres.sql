table acts
	plant text collate "C" not null
	link bigint not null
	n bigint not null
	recorded bigint not null
	principal text collate "C" not null
	act text collate "C" not null
	subject text collate "C" not null
	detail text collate "C" not null
	PRIMARY KEY (plant, link, n)
	CREATE INDEX acts_subject ON public.acts USING btree (subject)
table alert_groups
	plant text collate "C" not null
	system text collate "C" not null
	about text collate "C" not null
	name text collate "C" not null
	reason text collate "C" not null
	stage bigint not null
	started bigint not null
	told bigint not null
	emptied bigint not null
	PRIMARY KEY (plant, system, about, name, reason, stage)
table alert_sends
	channel text collate "C" not null
	alert text collate "C" not null
	state text collate "C" not null
	bundle text collate "C" not null
	attempts bigint not null
	due bigint not null
	words text collate "C" not null
	changed bigint not null
	CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'given-up'::text])))
	PRIMARY KEY (channel, alert)
	CREATE INDEX alert_sends_waiting ON public.alert_sends USING btree (channel, due) WHERE (state = 'waiting'::text)
table alerts
	id text collate "C" not null
	plant text collate "C" not null
	kind text collate "C" not null
	decided bigint not null
	notice bytea not null
	PRIMARY KEY (id)
	CREATE INDEX alerts_decided ON public.alerts USING btree (decided, id)
table attempts
	step text collate "C" not null
	number bigint not null
	node text collate "C" not null
	begun bigint not null
	send_before bigint not null
	ended bigint not null
	outcome text collate "C" not null
	words text collate "C" not null
	CHECK ((outcome = ANY (ARRAY[''::text, 'not-sent'::text, 'unknown'::text, 'absent'::text, 'accepted'::text, 'applied'::text, 'partly-applied'::text, 'refused'::text, 'waived'::text])))
	PRIMARY KEY (step, number)
table audit
	plant text collate "C" not null
	link bigint not null
	recorded bigint not null
	first bigint not null
	last bigint not null
	rows bigint not null
	digest text collate "C" not null
	hash text collate "C" not null
	batch text collate "C" not null
	PRIMARY KEY (plant, link)
table bulk
	id text collate "C" not null
	plant text collate "C" not null
	what text collate "C" not null
	cause text collate "C" not null
	input text collate "C" not null
	state text collate "C" not null
	members bigint not null
	principal text collate "C" not null
	why text collate "C" not null
	created bigint not null
	changed bigint not null
	PRIMARY KEY (id)
	CREATE INDEX bulk_examining ON public.bulk USING btree (created) WHERE (state = 'examining'::text)
	CREATE INDEX bulk_running ON public.bulk USING btree (created) WHERE (state = 'running'::text)
table bulk_members
	bulk text collate "C" not null
	n bigint not null
	message text collate "C" not null
	version bigint not null
	about text collate "C" not null
	outcome text collate "C" not null
	words text collate "C" not null
	ended bigint not null
	PRIMARY KEY (bulk, n)
	CREATE INDEX bulk_members_left ON public.bulk_members USING btree (bulk, n) WHERE (outcome = ''::text)
table command_keys
	key text collate "C" not null
	recorded bigint not null
	transaction_id text collate "C" not null
	plant text collate "C" not null
	system text collate "C" not null
	status text collate "C" not null
	attempts bigint not null
	digest text collate "C" not null
	changed bigint not null
	CHECK ((status = ANY (ARRAY['waiting'::text, 'due'::text, 'sent'::text, 'accepted'::text, 'applied'::text, 'partly-applied'::text, 'refused'::text, 'held'::text, 'superseded'::text, 'obsolete'::text, 'reversed'::text, 'waived'::text, 'shadow'::text])))
	PRIMARY KEY (key)
	CREATE INDEX command_keys_open ON public.command_keys USING btree (plant, system, status) WHERE (status = ANY (ARRAY['waiting'::text, 'due'::text, 'sent'::text, 'accepted'::text, 'partly-applied'::text, 'refused'::text, 'held'::text]))
	CREATE INDEX command_keys_shadow ON public.command_keys USING btree (transaction_id) WHERE (status = 'shadow'::text)
	CREATE INDEX command_keys_transaction ON public.command_keys USING btree (transaction_id)
table commits
	batch text collate "C" not null
	recorded bigint not null
	PRIMARY KEY (batch)
	CREATE INDEX commits_recorded ON public.commits USING btree (recorded)
table contents
	recorded bigint not null
	key text collate "C" not null
	version bigint not null
	salt bytea not null
	body bytea not null
	PRIMARY KEY (recorded, key)
table corrections
	id text collate "C" not null
	message text collate "C" not null
	version bigint not null
	plant text collate "C" not null
	system text collate "C" not null
	name text collate "C" not null
	source_id text collate "C" not null
	what text collate "C" not null
	asked_of text collate "C" not null
	asked_by text collate "C" not null
	state text collate "C" not null
	asked bigint not null
	due bigint not null
	ended bigint not null
	resolution text collate "C" not null
	PRIMARY KEY (id)
	CREATE INDEX corrections_message ON public.corrections USING btree (message) WHERE (state = 'open'::text)
	CREATE INDEX corrections_open ON public.corrections USING btree (due) WHERE (state = 'open'::text)
table cross_references
	system text collate "C" not null
	kind text collate "C" not null
	id text collate "C" not null
	valid_from bigint not null
	recorded bigint not null
	valid_to bigint not null
	ref text collate "C" not null
	event text collate "C" not null
	withdrawn bigint not null
	CHECK ((withdrawn = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (system, kind, id, valid_from, recorded)
	CREATE INDEX cross_references_ref ON public.cross_references USING btree (ref)
table cursors
	consumer text collate "C" not null
	plant text collate "C" not null
	position bigint not null
	moved bigint not null
	PRIMARY KEY (consumer, plant)
table desk
	message text collate "C" not null
	assignee text collate "C" not null
	until bigint not null
	since bigint not null
	reason text collate "C" not null
	PRIMARY KEY (message)
	CREATE INDEX desk_assignee ON public.desk USING btree (assignee)
table documents
	system text collate "C" not null
	number text collate "C" not null
	step text collate "C" not null
	kind text collate "C" not null
	recorded bigint not null
	PRIMARY KEY (system, number, step)
	CREATE INDEX documents_number ON public.documents USING btree (number)
	CREATE INDEX documents_step ON public.documents USING btree (step)
table edits
	id text collate "C" not null
	message text collate "C" not null
	original bigint not null
	version bigint not null
	plant text collate "C" not null
	system text collate "C" not null
	name text collate "C" not null
	source_id text collate "C" not null
	state text collate "C" not null
	changes text collate "C" not null
	why text collate "C" not null
	digest text collate "C" not null
	author text collate "C" not null
	second text collate "C" not null
	made bigint not null
	ended bigint not null
	resolution text collate "C" not null
	PRIMARY KEY (id)
	CREATE INDEX edits_message ON public.edits USING btree (message, version)
	CREATE INDEX edits_open ON public.edits USING btree (plant, made) WHERE (state = ANY (ARRAY['proposed'::text, 'open'::text]))
table event_keys
	key text collate "C" not null
	statement bigint not null
	change text collate "C" not null
	plant text collate "C" not null
	position bigint not null
	recorded bigint not null
	message text collate "C" not null
	digest text collate "C" not null
	CHECK ((change = ANY (ARRAY[''::text, 'correction'::text, 'reversal'::text])))
	PRIMARY KEY (key)
table events
	plant text collate "C" not null
	position bigint not null
	recorded bigint not null
	key text collate "C" not null
	statement bigint not null
	change text collate "C" not null
	previous bigint not null
	type text collate "C" not null
	version bigint not null
	system text collate "C" not null
	identity text collate "C" not null
	slot text collate "C" not null
	subject text collate "C" not null
	occurred_from bigint not null
	occurred_to bigint not null
	zone bigint not null
	day text collate "C" not null
	shift text collate "C" not null
	sequence text collate "C" not null
	correlation text collate "C" not null
	causation text collate "C" not null
	ordering text collate "C" not null
	data bytea not null
	derived bytea not null
	disputed bigint not null
	message text collate "C" not null
	mapping text collate "C" not null
	revision text collate "C" not null
	origin text collate "C" not null
	origin_epoch bigint not null
	origin_position bigint not null
	origin_recorded bigint not null
	link bigint not null
	partition by RANGE (recorded)
	CHECK ((disputed = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (plant, "position", recorded)
table exception_amounts
	message text collate "C" not null
	version bigint not null
	measure text collate "C" not null
	unit text collate "C" not null
	value text collate "C" not null
	place text collate "C" not null
	scaled bigint not null
	residue text collate "C" not null
	PRIMARY KEY (message, version, measure, unit)
	CREATE INDEX exception_amounts_place ON public.exception_amounts USING btree (unit, place, message, version)
	CREATE INDEX exception_amounts_unscaled ON public.exception_amounts USING btree (message, version) WHERE ((place = ''::text) OR (residue <> ''::text))
table exception_contents
	word text collate "C" not null
	message text collate "C" not null
	version bigint not null
	plant text collate "C" not null
	source text collate "C" not null
	PRIMARY KEY (word, message, version)
	CREATE INDEX exception_contents_message ON public.exception_contents USING btree (message, version, word)
	CREATE INDEX exception_contents_source ON public.exception_contents USING btree (source)
table exception_refs
	ref text collate "C" not null
	message text collate "C" not null
	version bigint not null
	PRIMARY KEY (ref, message, version)
	CREATE INDEX exception_refs_message ON public.exception_refs USING btree (message, version)
table exception_words
	word text collate "C" not null
	message text collate "C" not null
	version bigint not null
	PRIMARY KEY (word, message, version)
	CREATE INDEX exception_words_message ON public.exception_words USING btree (message, version, word)
table exceptions
	message text collate "C" not null
	version bigint not null
	plant text collate "C" not null
	system text collate "C" not null
	name text collate "C" not null
	state text collate "C" not null
	reason text collate "C" not null
	class text collate "C" not null
	field text collate "C" not null
	ref text collate "C" not null
	detail text collate "C" not null
	owner text collate "C" not null
	raised bigint not null
	deadline bigint not null
	ended bigint not null
	resolution text collate "C" not null
	about text collate "C" not null
	stage bigint not null
	CHECK ((about = ANY (ARRAY['message'::text, 'step'::text, 'deadline'::text, 'expectation'::text])))
	CHECK ((class = ANY (ARRAY['heals'::text, 'data'::text, 'business'::text, 'definition'::text, 'operations'::text])))
	CHECK ((state = ANY (ARRAY['open'::text, 'resolved'::text, 'waived'::text])))
	PRIMARY KEY (message, version)
	CREATE INDEX exceptions_group ON public.exceptions USING btree (plant, system, about, name, reason, raised, message, version, class, deadline, owner) WHERE (state = 'open'::text)
	CREATE INDEX exceptions_open ON public.exceptions USING btree (raised) WHERE (state = 'open'::text)
	CREATE INDEX exceptions_raised ON public.exceptions USING btree (raised, message)
	CREATE INDEX exceptions_stage ON public.exceptions USING btree (plant, system, about, name, reason, stage) WHERE ((state = 'open'::text) AND (stage > 0))
	CREATE INDEX exceptions_waived ON public.exceptions USING btree (plant) WHERE (state = 'waived'::text)
table expectations
	transaction_id text collate "C" not null
	name text collate "C" not null
	cause text collate "C" not null
	plant text collate "C" not null
	due bigint not null
	state text collate "C" not null
	CHECK ((state = ANY (ARRAY['open'::text, 'met'::text])))
	PRIMARY KEY (transaction_id, name, cause)
	CREATE INDEX expectations_open ON public.expectations USING btree (due) WHERE (state = 'open'::text)
table facts
	plant text collate "C" not null
	position bigint not null
	n bigint not null
	recorded bigint not null
	version bigint not null
	key text collate "C" not null
	sign bigint not null
	measure text collate "C" not null
	material text collate "C" not null
	lot text collate "C" not null
	order_ref text collate "C" not null
	operation text collate "C" not null
	work_center text collate "C" not null
	equipment text collate "C" not null
	reason text collate "C" not null
	day text collate "C" not null
	shift text collate "C" not null
	value text collate "C" not null
	unit text collate "C" not null
	base_value text collate "C" not null
	base_unit text collate "C" not null
	scaled bigint not null
	residue text collate "C" not null
	factor text collate "C" not null
	disputed bigint not null
	partition by RANGE (recorded)
	CHECK ((disputed = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	CHECK ((sign = ANY (ARRAY[('-1'::integer)::bigint, (1)::bigint])))
	PRIMARY KEY (plant, "position", n, recorded)
table feeds
	plant text collate "C" not null
	epoch bigint not null
	last bigint not null
	recorded bigint not null
	link bigint not null
	head text collate "C" not null
	CHECK ((last >= 0))
	PRIMARY KEY (plant)
table inbox
	key text collate "C" not null
	state text collate "C" not null
	version bigint not null
	effective bigint not null
	digest text collate "C" not null
	conflict text collate "C" not null
	events text collate "C" not null
	recorded bigint not null
	CHECK ((state = ANY (ARRAY['recorded'::text, 'held'::text])))
	PRIMARY KEY (key)
table keys
	id text collate "C" not null
	principal text collate "C" not null
	hash text collate "C" not null
	created bigint not null
	expires bigint not null
	revoked bigint not null
	FOREIGN KEY (principal) REFERENCES principals(name)
	PRIMARY KEY (id)
table lane_steps
	lane text collate "C" not null
	place bigint not null
	step text collate "C" not null
	plant text collate "C" not null
	width bigint not null
	ordering text collate "C" not null
	CHECK ((width > 0))
	PRIMARY KEY (lane, place, step)
	CREATE INDEX lane_steps_order ON public.lane_steps USING btree (lane, ordering, place, step)
	CREATE INDEX lane_steps_step ON public.lane_steps USING btree (step)
table lanes
	lane text collate "C" not null
	system text collate "C" not null
	plant text collate "C" not null
	head text collate "C" not null
	due bigint not null
	PRIMARY KEY (lane)
	CREATE INDEX lanes_due ON public.lanes USING btree (plant, system, due)
table ledger
	name text collate "C" not null
	epoch bigint not null
	created bigint not null
	PRIMARY KEY (name)
table messages
	key text collate "C" not null
	version bigint not null
	recorded bigint not null
	plant text collate "C" not null
	system text collate "C" not null
	name text collate "C" not null
	id text collate "C" not null
	content_type text collate "C" not null
	channel text collate "C" not null
	principal text collate "C" not null
	digest text collate "C" not null
	content text collate "C" not null
	link bigint not null
	n bigint not null
	partition by RANGE (recorded)
	PRIMARY KEY (key, version, recorded)
	CREATE INDEX messages_link ON ONLY public.messages USING btree (plant, link, n)
table moments
	message text collate "C" not null
	version bigint not null
	n bigint not null
	plant text collate "C" not null
	system text collate "C" not null
	about text collate "C" not null
	name text collate "C" not null
	reason text collate "C" not null
	due bigint not null
	owner text collate "C" not null
	passed bigint not null
	PRIMARY KEY (message, version, n)
	CREATE INDEX moments_due ON public.moments USING btree (due) WHERE (passed = 0)
	CREATE INDEX moments_passed ON public.moments USING btree (plant, system, about, name, reason) WHERE ((passed > 0) AND (version = 0))
table object_events
	ref text collate "C" not null
	plant text collate "C" not null
	position bigint not null
	recorded bigint not null
	type text collate "C" not null
	folds bigint not null
	CHECK ((folds = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (ref, plant, "position")
table objects
	ref text collate "C" not null
	kind text collate "C" not null
	state bytea not null
	ordering text collate "C" not null
	plant text collate "C" not null
	position bigint not null
	recorded bigint not null
	PRIMARY KEY (ref)
table principals
	name text collate "C" not null
	kind text collate "C" not null
	system text collate "C" not null
	password text collate "C" not null
	roles text collate "C" not null
	created bigint not null
	disabled bigint not null
	CHECK ((kind = ANY (ARRAY['system'::text, 'person'::text])))
	PRIMARY KEY (name)
table reference
	ref text collate "C" not null
	plant text collate "C" not null
	valid_from bigint not null
	recorded bigint not null
	valid_to bigint not null
	event text collate "C" not null
	withdrawn bigint not null
	body bytea not null
	CHECK ((withdrawn = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (ref, plant, valid_from, recorded)
table relations
	from_ref text collate "C" not null
	kind text collate "C" not null
	to_ref text collate "C" not null
	key text collate "C" not null
	plant text collate "C" not null
	position bigint not null
	PRIMARY KEY (from_ref, kind, to_ref, key, "position")
	CREATE INDEX relations_to ON public.relations USING btree (to_ref, kind, from_ref)
table replay_commands
	replay text collate "C" not null
	effect text collate "C" not null
	kind text collate "C" not null
	reaction text collate "C" not null
	system text collate "C" not null
	command text collate "C" not null
	status text collate "C" not null
	steps bigint not null
	PRIMARY KEY (replay, effect, kind, reaction, system, command, status)
table replay_erased
	replay text collate "C" not null
	n bigint not null
	message text collate "C" not null
	version bigint not null
	PRIMARY KEY (replay, n)
table replay_figures
	replay text collate "C" not null
	measure text collate "C" not null
	unit text collate "C" not null
	material text collate "C" not null
	order_ref text collate "C" not null
	before text collate "C" not null
	after text collate "C" not null
	PRIMARY KEY (replay, measure, unit, material, order_ref)
table replay_findings
	replay text collate "C" not null
	n bigint not null
	result text collate "C" not null
	shown text collate "C" not null
	words text collate "C" not null
	detail text collate "C" not null
	PRIMARY KEY (replay, n)
	CREATE INDEX replay_findings_result ON public.replay_findings USING btree (replay, result, n)
table replays
	id text collate "C" not null
	revision text collate "C" not null
	examined bigint not null
	erased bigint not null
	shown text collate "C" not null
	approval bigint not null
	proposed bigint not null
	approver text collate "C" not null
	approved bigint not null
	runner text collate "C" not null
	CHECK ((approval = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (id)
table revisions
	digest text collate "C" not null
	released bigint not null
	content bytea not null
	PRIMARY KEY (digest)
table sightings
	system text collate "C" not null
	number text collate "C" not null
	message text collate "C" not null
	recorded bigint not null
	PRIMARY KEY (system, number, message)
table step_members
	statement text collate "C" not null
	step text collate "C" not null
	PRIMARY KEY (statement, step)
	CREATE INDEX step_members_step ON public.step_members USING btree (step)
table steps
	key text collate "C" not null
	recorded bigint not null
	transaction_id text collate "C" not null
	plant text collate "C" not null
	reaction text collate "C" not null
	role text collate "C" not null
	system text collate "C" not null
	command text collate "C" not null
	object text collate "C" not null
	cause text collate "C" not null
	position bigint not null
	basis text collate "C" not null
	amends text collate "C" not null
	wanted text collate "C" not null
	lanes text collate "C" not null
	deadline bigint not null
	members text collate "C" not null
	posting text collate "C" not null
	ordering text collate "C" not null
	partition by RANGE (recorded)
	PRIMARY KEY (key, recorded)
	CREATE INDEX steps_cause ON ONLY public.steps USING btree (cause)
	CREATE INDEX steps_transaction ON ONLY public.steps USING btree (transaction_id)
table timers
	kind text collate "C" not null
	about text collate "C" not null
	transaction_id text collate "C" not null
	name text collate "C" not null
	cause text collate "C" not null
	plant text collate "C" not null
	due bigint not null
	PRIMARY KEY (kind, about)
	CREATE INDEX timers_due ON public.timers USING btree (due)
	CREATE INDEX timers_transaction ON public.timers USING btree (transaction_id)
table transactions
	id text collate "C" not null
	plan text collate "C" not null
	object text collate "C" not null
	plant text collate "C" not null
	version text collate "C" not null
	state bytea not null
	complete bigint not null
	changed bigint not null
	CHECK ((complete = ANY (ARRAY[(0)::bigint, (1)::bigint])))
	PRIMARY KEY (id)
	CREATE INDEX transactions_object ON public.transactions USING btree (object)
	CREATE INDEX transactions_open ON public.transactions USING btree (plan, id, version) WHERE (complete = 0)
table waits
	wanted text collate "C" not null
	message text collate "C" not null
	version bigint not null
	since bigint not null
	PRIMARY KEY (wanted, message, version)
	CREATE INDEX waits_message ON public.waits USING btree (message, version)
