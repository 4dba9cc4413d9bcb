package fault

import (
	"fmt"
	"io"
)

// Refusals: nothing is kept, because who speaks or what it is called cannot be
// established, or a limit is passed.
var (
	Unauthenticated = &Reason{"unauthenticated", Operations, "no valid key", "Send the system's key as `Authorization: Bearer <key>`; create one with `gapless keys create`."}
	Forbidden       = &Reason{"forbidden", Operations, "not allowed", "Use a key or account whose roles cover this plant and this action."}
	ForeignSource   = &Reason{"foreign_source", Operations, "the key speaks for another system", "A system may only speak for itself: use the key of the system named as source."}
	SystemUnknown   = &Reason{"system_unknown", Definition, "system is not in the catalog", "Declare the system in systems/ of the catalog and release it, or correct the name."}
	MessageUnknown  = &Reason{"message_unknown", Definition, "message is not in the catalog", "Declare the message in mappings/<system>/ of the catalog and release it, or correct the name."}
	IDMissing       = &Reason{"id_missing", Data, "message has no identity", "Send the attribute or the fields that identify the message; without them it could not be told from a repetition."}
	NotReadable     = &Reason{"not_readable", Data, "content cannot be read", "Send content that is well formed in the declared format and character set."}
	TypeUnsupported = &Reason{"content_type_unsupported", Data, "content type is not supported", "Send application/cloudevents+json, application/cloudevents-batch+json, or for native messages the format that the mapping declares."}
	LimitExceeded   = &Reason{"limit_exceeded", Data, "a limit is passed", "Send less at a time: split the file or the batch, or have the limit raised in the hub's configuration."}
	RateLimited     = &Reason{"rate_limited", Operations, "too many requests", "Wait as long as Retry-After says and send again; nothing was kept."}
	NotFound        = &Reason{"not_found", Data, "nothing on record under this name", "Check the spelling: lists, reports and traces show names and ids as they are; `gapless trace --help` tells their forms."}
	InvalidRequest  = &Reason{"invalid_request", Data, "request is not valid", "Correct the named parameter."}
	DecidedAlready  = &Reason{"decided_already", Business, "somebody has decided already", "Look at it again: its history says who decided what, and when."}
	NotEditable     = &Reason{"not_editable", Business, "field cannot be edited in the hub", "Ask its source for a correction: gapless exceptions correct. Whoever keeps the mapping may declare a technical field under editable."}
	Unavailable     = &Reason{"unavailable", Operations, "the ledger takes nothing at the moment", "Send again later; what was not acknowledged is not on record. The operator finds the cause in the hub's log and at /readyz."}
)

// Holds: the message is kept as it came and stands in the queue of exceptions.
var (
	AttributeInvalid   = &Reason{"attribute_invalid", Data, "attribute is missing or wrong", "Correct the CloudEvents attribute at the source and send the event again under the same id."}
	TypeUnknown        = &Reason{"event_type_unknown", Definition, "event type or version is not in the catalog", "Correct the type or version at the source, or release a contract for it."}
	ContractBroken     = &Reason{"contract_broken", Data, "content breaks the contract", "Correct the named field at the source and send again under the same id."}
	MappingFailed      = &Reason{"mapping_failed", Definition, "mapping cannot make an event of it", "Correct the mapping for such messages (`gapless catalog try` shows the fault) and release it, or correct the message at the source."}
	FieldMissing       = &Reason{"field_missing", Data, "a field that the mapping needs is missing", "Send the message again with the field under the same id."}
	RefInvalid         = &Reason{"ref_invalid", Data, "identifier cannot be a reference", "Send an identifier of printable text, at most 512 bytes, without control characters."}
	RefKindUnknown     = &Reason{"ref_kind_unknown", Definition, "kind of reference is not in the catalog", "Use a declared kind, or declare it in kinds/ of the catalog."}
	IdentifierUnknown  = &Reason{"identifier_unknown", Heals, "local identifier has no cross-reference", "Publish the cross-reference (master data or cross-references/ of the catalog); the message goes on by itself."}
	ReferenceMissing   = &Reason{"reference_missing", Heals, "reference data has not arrived", "Send the master data; the message goes on by itself."}
	PredecessorMissing = &Reason{"predecessor_missing", Heals, "what it refers to has not arrived", "Nothing to do while the source is behind; the message goes on by itself when the predecessor arrives."}
	CodeUnknown        = &Reason{"code_unknown", Definition, "code is not in the code list", "Add the local code to the list in codes/ of the catalog and release it, or correct it at the source."}
	QuantityInvalid    = &Reason{"quantity_invalid", Data, "quantity is not an exact decimal in range", "Send the quantity as a decimal text such as \"12.50\"; no NaN, no infinity, at most 19 decimals and 12 digits before the point."}
	QuantityInexact    = &Reason{"quantity_inexact", Data, "number carries the noise of a binary float", "Send the quantity as text with the digits that were measured, or as a number of at most 15 significant digits."}
	QuantityNegative   = &Reason{"quantity_negative", Data, "quantity is negative", "Send quantities of facts as positive numbers; a reversal or return has its own event."}
	UnitUnknown        = &Reason{"unit_unknown", Data, "unit is not a code of UN/ECE Recommendation 20", "Send a code of the recommendation, or map the local unit in codes/ of the catalog."}
	UnitDeleted        = &Reason{"unit_deleted", Data, "unit was deleted from UN/ECE Recommendation 20", "Use the unit that replaced it."}
	UnitDimension      = &Reason{"unit_dimension", Data, "unit is of another dimension", "Send the quantity in a unit of the dimension that the contract or the material asks for."}
	UnitNoFactor       = &Reason{"unit_no_factor", Definition, "no exact factor to the base unit", "Declare the factor of this unit for the material in units/ of the catalog."}
	TimeInvalid        = &Reason{"time_invalid", Data, "time is not plausible", "Send the time when it happened with its zone offset (RFC 3339), after the year 2000 and not in the future; check the clock of the source."}
	BeforeBegin        = &Reason{"before_begin", Business, "older than the plant's begin with Gapless", "Leave it with the old way, or move begins-at in plants/ of the catalog."}
	IdentityConflict   = &Reason{"identity_conflict", Data, "id was used before with other content", "Send new content under a new id; where the source restates, declare `on-change: correction` for the message."}
	ChainConflict      = &Reason{"chain_conflict", Data, "corrects a statement that was corrected already", "Refer to the newest statement; `gapless trace` shows the chain."}
	AlreadyReversed    = &Reason{"already_reversed", Data, "what it refers to was reversed already", "Nothing to do where this is a repetition; else send the fact anew."}
	AuthorityMissing   = &Reason{"authority_missing", Business, "system has no authority for this event", "Have the system with the authority report it, or grant the role in systems/ or plants/ of the catalog."}
	PlantUnknown       = &Reason{"plant_unknown", Definition, "plant is not in the catalog", "Declare the plant in plants/ of the catalog, or correct the attribute."}
	TransitionInvalid  = &Reason{"transition_invalid", Business, "object's state does not allow it", "Look at the object's history (`gapless trace`); report what is missing before, or take the decision back at its source."}
	OpenHold           = &Reason{"open_hold", Business, "an open hold forbids it", "Lift the hold in the quality system first, or take the release back."}
	PolicyForbids      = &Reason{"policy_forbids", Business, "a policy forbids the decision", "Read the policy's text; correct the decision at its source."}
	PolicyDisputes     = &Reason{"policy_disputes", Business, "a policy disputes the fact", "Clear the figures at the source and send a correction; the fact counts as disputed until then."}
	PolicyFailed       = &Reason{"policy_failed", Definition, "policy could not be judged", "Correct the policy's expression (`gapless catalog test`) and release it."}
	PoisonedMessage    = &Reason{"poisoned_message", Operations, "the ledger cannot store it", "Send the message to the maintainers of Gapless with the text of the fault; other messages are not affected."}
)

// Refusals of other systems: a system has answered that it does not do what a
// command asks. Answer rules of connectors choose among them.
var (
	PeriodClosed        = &Reason{"period_closed", Business, "posting period is closed", "Have the period opened at the system and resume the step, or let it post into the next open one."}
	AccountingClosed    = &Reason{"accounting_period_closed", Business, "accounting period is closed or missing", "Have finance open or create the accounting period that the system names, and resume the step, or let it post into the next open one."}
	StockInsufficient   = &Reason{"stock_insufficient", Business, "stock is not enough", "Look what is missing before it (receipts, transfers, counts), put that right at the system and resume the step."}
	LotMissing          = &Reason{"lot_missing", Business, "lot is not known to the system", "Create the lot at the system, or resume the step that should have made it; then resume this one."}
	LotExpired          = &Reason{"lot_expired", Business, "lot is past its shelf life", "Have quality decide about the lot; prolong it at the system and resume, or waive the step with a reason."}
	MasterDataMissing   = &Reason{"master_data_missing", Business, "master data is missing at the system", "Create the product, unit or location that the system names there, and resume the step."}
	UnitRefused         = &Reason{"unit_refused", Definition, "system does not take the unit", "Map the unit for this system in codes/ of the catalog, or allow it at the system, and resume the step."}
	PrecisionRefused    = &Reason{"precision_refused", Definition, "system does not take so many decimals", "Round in the mapping of the command as the business has agreed, or raise the precision at the system."}
	AccessDenied        = &Reason{"access_denied", Operations, "hub's account may not do this at the system", "Give the account of the hub the right that the system names, and resume the step."}
	RecordLocked        = &Reason{"record_locked", Heals, "somebody holds the record at the system", "Nothing to do while it lasts minutes, the step is tried again; else find who has the record open."}
	ChangedMeanwhile    = &Reason{"changed_meanwhile", Heals, "record was changed at the system meanwhile", "Nothing to do once, the step is tried again; where it comes back, look who changes the record."}
	WrongState          = &Reason{"wrong_state", Business, "object's state at the system does not allow it", "Look at the object at the system; put its state right there and resume the step, or waive it with a reason."}
	SessionExpired      = &Reason{"session_expired", Heals, "session with the system has ended", "Nothing to do, the hub signs in anew; where it comes back, look at how long the system lets sessions live."}
	CredentialsRefused  = &Reason{"credentials_refused", Operations, "system does not accept the hub's credentials", "Renew the secret that the system's connector refers to, and resume what stands."}
	UnclassifiedRefusal = &Reason{"unclassified_refusal", Definition, "system has refused in words that no rule knows", "Read the system's words; put it right there and resume the step, and add an answer rule for such words."}
)

// Steps: what stands between a decision and what a system has done.
var (
	SystemDown        = &Reason{"system_down", Operations, "system cannot be reached", "Nothing to do for the steps, they go on by themselves; see that the system comes back, or correct its address."}
	AnswerLost        = &Reason{"answer_lost", Heals, "system's answer is not known", "Nothing to do, the system is asked what became of it before anything is sent again."}
	AnswerUnread      = &Reason{"answer_unreadable", Operations, "system has answered what cannot be read", "Look at the answer that is kept with the attempt; correct the address or the answer rules of the connector."}
	StepUndecided     = &Reason{"step_undecided", Operations, "nobody can tell whether the system has done it", "Look at the system for the document; state what you have found (`applied` with its number, or `absent`)."}
	PartlyApplied     = &Reason{"partly_applied", Business, "system has done it in part", "Read which lines were refused and why; put that right at the system and resume the step: what is done already stays and is not done again."}
	StepHeld          = &Reason{"step_held", Business, "plan does not say what to do now", "Read in the detail what has happened; do at the system what is right and waive the step with a reason, or let it go out after all by resuming it."}
	StepOverdue       = &Reason{"step_overdue", Operations, "step was not done in time", "See in the trace what it waits for, a system or a person, and help it there. It goes on as if nothing were: it is done late, and this ends by itself."}
	ExpectMissed      = &Reason{"expectation_missed", Operations, "what was to follow an event has not come in time", "Find out at whoever reports it why it is missing, and have it reported; it ends by itself when it comes, or when the event is reversed."}
	CorrectionOverdue = &Reason{"correction_overdue", Business, "correction was not made at the source in time", "Ask whoever was asked, or end the correction with a reason: gapless exceptions corrections. It ends by itself when the source sends another version of the message, or corrects or reverses it."}
	NotSentInTime     = &Reason{"not_sent_in_time", Heals, "attempt's time had passed before it was sent", "Nothing to do, nothing was sent and the next attempt follows; where it comes often, the hub has too little to run on."}
	NotSendable       = &Reason{"not_sendable", Definition, "request of the command cannot be sent", "Correct the mapping of the command or the connector of the system, and release it."}
	ContentChanged    = &Reason{"content_changed", Definition, "command went out before with other content", "Look at what changed between the two (a mapping, a cross-reference), find out at the system whether the first was done, and state it; the same key is never sent with other content."}
	PlanChanged       = &Reason{"plan_changed", Definition, "plan was changed under steps that were performed", "Compare what was done with what the new plan asks for, and decide what to reverse or to keep."}
	RoleUnresolved    = &Reason{"role_unresolved", Definition, "no system has the role for this", "Name the system of the role for the plant in plants/ of the catalog, and release it."}
)

// Reasons is the closed list, in the order of the documentation.
func Reasons() []*Reason {
	return []*Reason{
		Unauthenticated, Forbidden, ForeignSource, SystemUnknown, MessageUnknown, IDMissing, NotReadable,
		TypeUnsupported, LimitExceeded, RateLimited, NotFound, InvalidRequest, DecidedAlready, NotEditable, Unavailable,
		AttributeInvalid, TypeUnknown, ContractBroken, MappingFailed, FieldMissing, RefInvalid, RefKindUnknown,
		IdentifierUnknown, ReferenceMissing, PredecessorMissing, CodeUnknown,
		QuantityInvalid, QuantityInexact, QuantityNegative, UnitUnknown, UnitDeleted, UnitDimension, UnitNoFactor,
		TimeInvalid, BeforeBegin, IdentityConflict, ChainConflict, AlreadyReversed, AuthorityMissing, PlantUnknown,
		TransitionInvalid, OpenHold, PolicyForbids, PolicyDisputes, PolicyFailed, PoisonedMessage,
		PeriodClosed, AccountingClosed, StockInsufficient, LotMissing, LotExpired, MasterDataMissing, UnitRefused, PrecisionRefused,
		AccessDenied, RecordLocked, ChangedMeanwhile, WrongState, SessionExpired, CredentialsRefused, UnclassifiedRefusal,
		SystemDown, AnswerLost, AnswerUnread, StepUndecided, PartlyApplied, StepHeld, StepOverdue, ExpectMissed, CorrectionOverdue, NotSentInTime, NotSendable, ContentChanged, PlanChanged, RoleUnresolved,
	}
}

// WriteMarkdown writes the list as the page docs/reasons.md.
func WriteMarkdown(w io.Writer) error {
	_, err := fmt.Fprint(w, "# Reasons\n\nThe closed list of why something cannot go on. Generated from package `fault` by `make docs`.\n\n"+
		"| code | class | what is wrong | what to do |\n|---|---|---|---|\n")
	if err != nil {
		return err
	}
	for _, r := range Reasons() {
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", r.Code, r.Class, r.Title, r.Remedy); err != nil {
			return err
		}
	}
	return nil
}
