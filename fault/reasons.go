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
	NotFound        = &Reason{"not_found", Data, "nothing on record under this name", "Check the spelling; `gapless trace --help` shows the forms of names."}
	InvalidRequest  = &Reason{"invalid_request", Data, "request is not valid", "Correct the named parameter."}
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

// Reasons is the closed list, in the order of the documentation.
func Reasons() []*Reason {
	return []*Reason{
		Unauthenticated, Forbidden, ForeignSource, SystemUnknown, MessageUnknown, IDMissing, NotReadable,
		TypeUnsupported, LimitExceeded, RateLimited, NotFound, InvalidRequest, Unavailable,
		AttributeInvalid, TypeUnknown, ContractBroken, MappingFailed, FieldMissing, RefInvalid, RefKindUnknown,
		IdentifierUnknown, ReferenceMissing, PredecessorMissing, CodeUnknown,
		QuantityInvalid, QuantityInexact, QuantityNegative, UnitUnknown, UnitDeleted, UnitDimension, UnitNoFactor,
		TimeInvalid, BeforeBegin, IdentityConflict, ChainConflict, AlreadyReversed, AuthorityMissing, PlantUnknown,
		TransitionInvalid, OpenHold, PolicyForbids, PolicyDisputes, PolicyFailed, PoisonedMessage,
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
