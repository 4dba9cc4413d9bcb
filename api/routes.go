package api

import (
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Routes that are named elsewhere.
const (
	feedRoute   = "/v1/feed"
	streamRoute = "/v1/feed/stream"
	mediaStream = "text/event-stream"
)

// Tags group the routes in the description.
const (
	tagIntake  = "intake"
	tagRecord  = "record"
	tagFeed    = "feed"
	tagHeld    = "held"
	tagReplay  = "replay"
	tagFigures = "figures"
	tagHub     = "hub"
)

// description is the frame of the OpenAPI document.
func description(version string) huma.Config {
	c := huma.DefaultConfig("Gapless", version)
	c.Info.Description = "Systems post what they report and follow the feed; people look at what is on record, what is held, and figures. " +
		"Every refusal is a problem of RFC 9457 with a reason of the closed list in docs/reasons.md, the field in question and a remedy. " +
		"Times are RFC 3339: of events with the zone where it happened, of the ledger in UTC. Quantities are exact decimals as text."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Tags = []*huma.Tag{
		{Name: tagIntake, Description: "What systems report"},
		{Name: tagRecord, Description: "What is on record"},
		{Name: tagFeed, Description: "Following what is recorded"},
		{Name: tagHeld, Description: "What does not go on, and why"},
		{Name: tagReplay, Description: "Taking kept messages in once more: shown first, then done"},
		{Name: tagFigures, Description: "Figures as of a position"},
		{Name: tagHub, Description: "The hub itself"},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":    {Type: "http", Scheme: "bearer", BearerFormat: "gpl_<id>_<secret>", Description: "Key of a system"},
		"person": {Type: "http", Scheme: "basic", Description: "Name and password of a person"},
	}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // served here, where they cost nothing
	c.CreateHooks = nil                                   // no $schema in answers
	c.Transformers = []huma.Transformer{ourProblems}
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: readBody}
	c.Formats = map[string]huma.Format{jsonType: format, "json": format}
	return c
}

// operation is the description of one route.
func operation(method, path, id, tag, summary, text string) huma.Operation {
	return huma.Operation{Method: method, Path: path, OperationID: id, Summary: summary, Description: text, Tags: []string{tag}}
}

// routes registers every route.
func (a *API) routes() {
	a.intakeRoutes()
	get := func(path, id, tag, summary, text string) huma.Operation {
		return operation(http.MethodGet, path, id, tag, summary, text)
	}
	read(a, get("/v1/events/{id}", "get-event", tagRecord, "One event", "A statement on record, with its lineage, verdicts and facts."), a.getEvent)
	read(a, get("/v1/messages/{id}", "get-message", tagRecord, "One message", "A kept version of a message and what it stands at."), a.getMessage)
	read(a, get("/v1/trace", "get-trace", tagRecord, "What became of something", "Everything on record about an object, an event or a message."), a.trace)
	read(a, get("/v1/objects", "list-objects", tagRecord, "Objects and their states", "One object by ref, or all of a kind."), a.objects)
	read(a, get("/v1/objects/history", "get-history", tagRecord, "History of an object", "Every statement that touches it, page by page."), a.history)
	read(a, get("/v1/reference", "get-reference", tagRecord, "Reference data", "What was valid at a time, as known at another."), a.reference)
	read(a, get("/v1/cross-references/proposals", "propose-cross-references", tagHeld, "What unexplained identifiers may mean",
		"Objects that are alike to identifiers that messages wait for. A person confirms them, in the catalog or by master data of the system."), a.proposals)
	read(a, get("/v1/cross-references", "get-cross-reference", tagRecord, "What a local identifier means", "The object that a system meant by an identifier at a time."), a.crossReference)
	read(a, get(feedRoute, "get-feed", tagFeed, "Events behind a cursor", "With wait, the answer comes as soon as there is an event (long poll)."), a.feed)
	a.streamRoutes()
	read(a, get("/v1/consumers/{consumer}/cursor", "get-cursor", tagFeed, "How far a consumer has come", ""), a.acknowledged)
	read(a, operation(http.MethodPost, "/v1/consumers/{consumer}/cursor", "post-cursor", tagFeed, "Acknowledge a cursor",
		"Keeps how far one of the caller's consumers has come."), a.acknowledge)
	a.deskRoutes()
	a.alertRoutes()
	a.editRoutes()
	a.replayRoutes()
	read(a, get("/v1/exceptions", "list-exceptions", tagHeld, "What does not go on", "Exceptions about messages and commands, in the order in which they were raised."), a.exceptions)
	read(a, get("/v1/commands/{command}", "get-command", tagHeld, "One command", "A step with every attempt at it and the system's own words."), a.command)
	read(a, operation(http.MethodPost, "/v1/commands/{command}/resolve", "resolve-command", tagHeld, "Decide about a command that does not go on",
		"resume lets the plan decide anew; done and not-done answer whether an attempt without an answer was performed; waive gives it up. Needs the role operator at its plant."), a.resolve)
	read(a, get("/v1/held", "list-held", tagHeld, "Held messages", "Exceptions about messages in the order in which they were raised."), a.held)
	read(a, operation(http.MethodPost, "/v1/held/{message}/retry", "retry-held", tagHeld, "Take a held message in again", "Needs the role operator at its plant."), a.retry)
	read(a, get("/v1/reports/production", "get-production", tagFigures, "Production and scrap", "Figures as of a position, and how complete they are."), a.production)
	read(a, get("/v1/reports/shadow", "get-shadow", tagFigures, "What would have been sent, against what was done",
		"Steps of reactions in the shadow, each beside what its system itself has reported about the same object."), a.shadow)
	read(a, get("/v1/reports/production/details", "get-production-details", tagFigures, "The facts behind a figure", ""), a.details)
	read(a, get("/v1/account", "get-account", tagFigures, "What is on record, in counts", ""), a.account)
	read(a, get("/v1/catalog", "get-catalog", tagHub, "The catalog in force", ""), a.catalog)
	a.hubRoutes()
	a.mux.HandleFunc("/", a.noRoute)
}

// raw registers a route that is answered without huma, and describes it.
func (a *API) raw(op huma.Operation, serve http.HandlerFunc) {
	a.describe(&op)
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, serve)
}

// content is a body in several media types of one form.
func content(s *huma.Schema, types ...string) map[string]*huma.MediaType {
	all := map[string]*huma.MediaType{}
	for _, t := range types {
		all[t] = &huma.MediaType{Schema: s}
	}
	return all
}

func (a *API) intakeRoutes() {
	cloudEvent := &huma.Schema{
		Type: huma.TypeObject, Description: "CloudEvent 1.0. type is an event type of the catalog; plant, occurredto, correlationid, causationid, sequence, corrects and reverses are its extensions",
		Required: []string{"specversion", "id", "source", "type", "time", "data"}, AdditionalProperties: true,
		Properties: map[string]*huma.Schema{
			"specversion": {Type: huma.TypeString, Enum: []any{"1.0"}},
			"id":          {Type: huma.TypeString, Description: "With source and type, what makes a repetition recognisable"},
			"source":      {Type: huma.TypeString, Description: "The system, or system/part"},
			"type":        {Type: huma.TypeString, Examples: []any{"production.completed"}},
			"time":        {Type: huma.TypeString, Format: "date-time", Description: "When it happened, or began, with the zone offset"},
			"occurredto":  {Type: huma.TypeString, Format: "date-time", Description: "When it ended; absent for a moment"},
			"subject":     {Type: huma.TypeString, Examples: []any{"order/1000123"}},
			"plant":       {Type: huma.TypeString, Description: "May be left out by a system of one plant"},
			"dataschema":  {Type: huma.TypeString, Examples: []any{"urn:gapless:contract:production.completed:1"}},
			"corrects":    {Type: huma.TypeString, Description: "Id of the event of the same source that this one restates"},
			"reverses":    {Type: huma.TypeString, Description: "Id of the event of the same source that did not happen after all"},
			"data":        {Type: huma.TypeObject, AdditionalProperties: true, Description: "As the contract of the type demands"},
		},
	}
	several := &huma.Schema{Type: huma.TypeArray, Items: cloudEvent}
	eventBody := content(cloudEvent, structuredType)
	eventBody[batchType] = &huma.MediaType{Schema: several}
	eventBody[jsonType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Binary mode: the data; the attributes are the headers ce-id, ce-source ..."}}

	answer := &huma.Schema{OneOf: []*huma.Schema{a.schema(Answer{}, "Answer"), a.schema(Answers{}, "Answers")}}
	responses := func(types ...string) map[string]*huma.Response {
		return map[string]*huma.Response{
			"200": {Description: "On record, or known already", Content: content(answer, types...)},
			"202": {Description: "Kept; what is held says why it does not go on", Content: content(answer, types...)},
			"207": {Description: "Some messages were kept and others refused", Content: content(answer, types...)},
		}
	}
	op := operation(http.MethodPost, "/v1/events", "post-events", tagIntake, "Report events",
		"CloudEvents 1.0 in the structured, batch or binary mode. Answered when they are on record, synced to disk.")
	op.RequestBody = &huma.RequestBody{Required: true, Content: eventBody}
	op.Responses = responses(jsonType)
	a.raw(op, a.postEvents)

	record := &huma.Schema{Description: "A message in the format that its mapping declares, or the same fields as JSON"}
	native := content(record, jsonType, linesType, "text/csv", "application/xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	op = operation(http.MethodPost, "/v1/messages/{system}/{message}", "post-messages", tagIntake, "Report native messages",
		"One record or a file of them. With Accept: "+linesType+" each answer is one line, sent as soon as it is on record, and the last line is the summary.")
	op.Parameters = []*huma.Param{
		pathParameter("system", "Whose message it is"), pathParameter("message", "Message of the system's mappings"),
		{Name: fileHeader, In: "header", Description: "Name of the file, kept as where the message came from", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: native}
	op.Responses = responses(jsonType, linesType)
	a.raw(op, a.postMessages)

	op = operation(http.MethodPost, "/v1/validate", "validate", tagIntake, "Try a message",
		"Tells what would become of a message, as far as that can be told without the state of its objects, and keeps nothing.")
	op.Parameters = []*huma.Param{queryParameter("system", "Whose native message it is; left out for a CloudEvent"), queryParameter("message", "Message of the system's mappings")}
	both := content(record, "text/csv", "application/xml", linesType)
	maps.Copy(both, eventBody)
	op.RequestBody = &huma.RequestBody{Required: true, Content: both}
	op.Responses = map[string]*huma.Response{"200": {Description: "What would become of it", Content: content(a.schema(Trials{}, "Trials"), jsonType)}}
	a.raw(op, a.validate)
}

func (a *API) streamRoutes() {
	op := operation(http.MethodGet, streamRoute, "stream-feed", tagFeed, "Follow the feed",
		"Server-sent events: data is a CloudEvent, id the cursor behind it. A silent stream sends a comment every 15 seconds.")
	op.Parameters = []*huma.Param{
		queryParameter("after", "Cursor behind which to go on"), queryParameter("plant", "Only events of these plants, separated by commas"),
		queryParameter("type", "Only events of these types, separated by commas"),
		{Name: "Last-Event-ID", In: "header", Description: "Cursor behind which to go on; goes before after", Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.Responses = map[string]*huma.Response{"200": {Description: "The stream", Content: content(&huma.Schema{Type: huma.TypeString}, mediaStream)}}
	a.raw(op, a.stream)
}

func pathParameter(name, text string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
}

func queryParameter(name, text string) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
}

// noRoute answers what no route answers.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.refuse(w, r, notFound("", "no route %.120s; /openapi.yaml lists the routes", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p := a.problem(r.Context(), invalid("", "%.20s is not answered here, but %s", r.Method, strings.Join(allowed, " and ")))
	p.Status = http.StatusMethodNotAllowed
	a.refuse(w, r, p)
}
