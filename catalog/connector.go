package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// A ConnectorDefinition says how the hub reaches a system: the key `connector` of
// systems/<system>.yaml. What it leaves out is the connector's own default.
type ConnectorDefinition struct {
	Kind        string `yaml:"kind"`        // one of ConnectorKinds
	Class       string `yaml:"class"`       // keyed, findable, blind
	KeyCarrier  string `yaml:"key-carrier"` // the system's name for where the command key goes, for people
	KeyLength   int    `yaml:"key-length"`  // how many digits of it fit; 0 is all 64
	Settles     Period `yaml:"settles"`     // how long after its send-before an attempt can still land
	Concurrency int    `yaml:"concurrency"` // attempts at a time
	Rate        Rate   `yaml:"rate"`        // attempts in a time

	URL     string               `yaml:"url"`     // or env:NAME, a variable of the program's environment that holds it
	Timeout Period               `yaml:"timeout"` // of a whole call
	Stall   Period               `yaml:"stall"`   // between two pieces of an answer
	Limit   int                  `yaml:"limit"`   // of an answer, in bytes
	CA      SecretRef            `yaml:"ca"`      // certificates that sign the system's, in PEM; "" is those of the machine
	Auth    AuthDefinition       `yaml:"auth"`
	Answers []mapping.AnswerRule `yaml:"answers"` // behind those of each command

	Database string    `yaml:"database"` // of a Tryton server
	User     string    `yaml:"user"`     // that the hub is there
	Secret   SecretRef `yaml:"secret"`   // the user's password
	Poll     []string  `yaml:"poll"`     // messages that are fetched from it: some of TrytonMessages

	Folder   string        `yaml:"folder"`   // of files
	Messages []FileMessage `yaml:"messages"` // that files of the folder are; none where it is only written to
	Complete string        `yaml:"complete"` // how a file is known to be complete: one of CompleteRules; "" is stable
	Stable   Period        `yaml:"stable"`   // how long a file must not have changed

	Seed     int64              `yaml:"seed"`     // of a simulated system
	Latency  Period             `yaml:"latency"`  // of each of its calls
	Troubles TroublesDefinition `yaml:"troubles"` // that befall its attempts
	Refuses  []RefusalRule      `yaml:"refuses"`  // what it does not do

	answers *mapping.Answers
}

// A TroublesDefinition says how many of 1,000 attempts at a simulated system a
// trouble befalls.
type TroublesDefinition struct {
	LostBefore int `yaml:"lost-before"` // no answer, nothing done
	LostAfter  int `yaml:"lost-after"`  // no answer, done
	Late       int `yaml:"late"`        // no answer, done some time before it settles
	Refused    int `yaml:"refused"`     // refused as a locked record
	Busy       int `yaml:"busy"`        // nothing done, a wait asked for
}

// A RefusalRule says what a simulated system refuses. Every condition that is stated must
// hold.
type RefusalRule struct {
	Command string `yaml:"command"` // "" for every one
	Field   string `yaml:"field"`   // of the request; "" for none
	Value   string `yaml:"value"`   // what stands there, as text
	Reason  string `yaml:"reason"`  // code of package fault
	Words   string `yaml:"words"`   // the system's own
}

// A FileMessage says which message a file is, by its name.
type FileMessage struct {
	Message string `yaml:"message"`
	Files   string `yaml:"files"` // pattern of the file's name: "shift-*.csv"
}

// An AuthDefinition is how the hub says who it is.
type AuthDefinition struct {
	Kind     string    `yaml:"kind"`   // one of AuthKinds; "" is none
	Header   string    `yaml:"header"` // of a key
	User     string    `yaml:"user"`   // of basic
	ClientID string    `yaml:"client-id"`
	TokenURL string    `yaml:"token-url"`
	Scopes   []string  `yaml:"scopes"`
	Secret   SecretRef `yaml:"secret"`
}

// ConnectorKinds is the closed list of connectors.
func ConnectorKinds() []string { return []string{"rest", "file", "simulated", "tryton"} }

// TrytonMessages are what can be fetched from a Tryton server.
func TrytonMessages() []string {
	return []string{"orders", "products", "units", "locations", "shipments", "inventories", "surplus"}
}

// AuthKinds is the closed list of ways to say who the hub is.
func AuthKinds() []string { return []string{"none", "key", "basic", "oauth2-client-credentials"} }

// CompleteRules are the ways to know that a file is complete: it has not changed
// for a while; a file of the same name with .done behind it stands beside it; it
// got its name only when it was complete.
func CompleteRules() []string { return []string{"stable", "marker", "renamed"} }

// AnswerRules are the system's compiled rules, for all its commands; nil where it
// has none.
func (d *ConnectorDefinition) AnswerRules() *mapping.Answers {
	if d == nil {
		return nil
	}
	return d.answers
}

// A Period is a length of time above zero, as "30s" or "10m".
type Period time.Duration

// UnmarshalText reads a Period.
func (p *Period) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%.40q is no length of time such as 30s or 10m", text)
	}
	*p = Period(d)
	return nil
}

// A Rate is a number in a time, as "50/s"; the zero Rate is no bound.
type Rate struct {
	Number int
	Per    time.Duration
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,6})/(s|m|h)$`)

// UnmarshalText reads a Rate.
func (r *Rate) UnmarshalText(text []byte) error {
	parts := rateForm.FindStringSubmatch(string(text))
	if parts == nil {
		return fmt.Errorf("%.40q is no rate such as 50/s, 600/m or 1000/h", text)
	}
	r.Number, _ = strconv.Atoi(parts[1]) // digits by the pattern
	r.Per = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[parts[2]]
	return nil
}

// A SecretRef says where a secret stands: env:NAME, a variable of the program's
// environment, or file:PATH, a file of the machine. A secret itself never stands
// in a catalog.
type SecretRef string

var secretForm = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:\S.*)$`)

// UnmarshalText reads a SecretRef. The error does not repeat what stood there: it
// may be the secret.
func (s *SecretRef) UnmarshalText(text []byte) error {
	if !secretForm.Match(text) {
		return errors.New("what stands here is no reference to a secret: write env:NAME or file:PATH, never the secret itself")
	}
	*s = SecretRef(text)
	return nil
}

// connector checks how a system is reached.
func (l *loader) connector(d *document, c *ConnectorDefinition) {
	if c == nil {
		return
	}
	wrong := func(at, remedy, message string, args ...any) {
		l.errorAt(d, strings.TrimSuffix("connector."+at, "."), remedy, message, args...)
	}
	oneOf := func(at, value string, list []string) bool {
		if !slices.Contains(list, value) {
			wrong(at, "Write one of "+strings.Join(list, ", ")+".", "%.80q is none of %s", value, strings.Join(list, ", "))
			return false
		}
		return true
	}
	known := oneOf("kind", c.Kind, ConnectorKinds())
	switch {
	case c.Kind == "file" && c.Class == "":
		c.Class = "keyed"
	case c.Kind == "tryton":
		c.Class, c.Settles = cmp.Or(c.Class, "findable"), cmp.Or(c.Settles, trytonSettles)
	}
	if oneOf("class", c.Class, []string{"keyed", "findable", "blind"}) && c.Class == "findable" && c.Settles == 0 {
		wrong("class", "Add settles: how long the system, its queues and proxies may still hold a request.", "a findable system needs settles: until then an attempt can still land")
	}
	if c.KeyLength != 0 && (c.KeyLength < 16 || c.KeyLength > 64) {
		wrong("key-length", "Write 16 to 64, or leave it out.", "%d digits of a command key: it has 64, and fewer than 16 do not tell commands apart", c.KeyLength)
	}
	if c.Concurrency < 0 || c.Limit < 0 {
		wrong("", "Write a number above zero, or leave it out.", "concurrency and limit are above zero")
	}
	if known {
		l.connectorKind(d, c, wrong)
	}
	rules, err := mapping.CompileAnswers(c.Answers, "connector.answers", mapping.PerformOutcomes())
	for _, cause := range causes(err) {
		l.mappingFault(d, cause)
	}
	c.answers = rules
}

// connectorKind checks what one kind needs, and what belongs to others.
func (l *loader) connectorKind(d *document, c *ConnectorDefinition, wrong func(at, remedy, message string, args ...any)) {
	rest, file, tryton := c.Kind == "rest", c.Kind == "file", c.Kind == "tryton"
	for _, part := range []struct {
		at     string
		given  bool
		belong bool
	}{
		{"url", c.URL != "", rest || tryton},
		{"timeout", c.Timeout != 0, rest || tryton},
		{"stall", c.Stall != 0, rest},
		{"limit", c.Limit != 0, rest || tryton},
		{"ca", c.CA != "", rest || tryton},
		{"auth", c.Auth.Kind != "", rest},
		{"answers", len(c.Answers) > 0, rest},
		{"database", c.Database != "", tryton},
		{"user", c.User != "", tryton},
		{"secret", c.Secret != "", tryton},
		{"poll", len(c.Poll) > 0, tryton},
		{"folder", c.Folder != "", file},
		{"messages", len(c.Messages) > 0, file},
		{"complete", c.Complete != "", file},
		{"stable", c.Stable != 0, file},
		{"seed", c.Seed != 0, c.Kind == "simulated"},
		{"latency", c.Latency != 0, c.Kind == "simulated"},
		{"troubles", c.Troubles != TroublesDefinition{}, c.Kind == "simulated"},
		{"refuses", len(c.Refuses) > 0, c.Kind == "simulated"},
	} {
		if part.given && !part.belong {
			wrong(part.at, "Take it out, or correct the kind.", "a connector of the kind %s has no %s", c.Kind, part.at)
		}
	}
	switch {
	case rest:
		l.restSettles(d, c)
		l.restAddress(d, "url", c.URL)
		l.restAuth(d, c.Auth, wrong)
	case file:
		l.fileFolder(c, wrong)
	case tryton:
		l.restAddress(d, "url", c.URL)
		l.tryton(c, wrong)
	default:
		l.simulatedTroubles(c.Troubles, wrong)
		for i, rule := range c.Refuses {
			if fault.ByCode(rule.Reason) == nil {
				wrong(fmt.Sprintf("refuses[%d].reason", i), "Write a reason of docs/reasons.md, such as stock_insufficient.", "%.80q is no reason", rule.Reason)
			}
		}
	}
}

// Defaults of the connector tryton.
const (
	trytonTimeout = Period(time.Minute)
	trytonSettles = Period(2 * time.Minute)
)

// tryton checks what a Tryton server is reached by.
func (l *loader) tryton(c *ConnectorDefinition, wrong func(at, remedy, message string, args ...any)) {
	for _, part := range []struct{ at, value string }{{"database", c.Database}, {"user", c.User}, {"secret", string(c.Secret)}} {
		if part.value == "" {
			wrong("", "Add it.", "a connector of the kind tryton needs %s", part.at)
		}
	}
	if c.Class != "findable" {
		wrong("class", "Write findable, or leave it out.", "Tryton knows no key of ours, and shows what carries one: the class is findable")
	}
	if c.KeyCarrier != "" || c.KeyLength != 0 {
		wrong("", "Take key-carrier and key-length out.", "where the key goes, the connector tryton knows")
	}
	if timeout := cmp.Or(c.Timeout, trytonTimeout); c.Settles <= timeout {
		wrong("settles", "Write more than the timeout: what an attempt has begun lands as late.", "an attempt may take %s, so it can still land after %s", time.Duration(timeout), time.Duration(c.Settles))
	}
	for i, m := range c.Poll {
		if !slices.Contains(TrytonMessages(), m) {
			wrong(fmt.Sprintf("poll[%d]", i), "Write one of "+strings.Join(TrytonMessages(), ", ")+".", "%.80q is none of %s", m, strings.Join(TrytonMessages(), ", "))
		}
	}
}

// defaultTimeout is that of the connector rest.
const defaultTimeout = Period(30 * time.Second)

// restSettles tells where an attempt that was begun in time may be under way for
// longer than it is said to take to settle.
func (l *loader) restSettles(d *document, c *ConnectorDefinition) {
	if timeout := cmp.Or(c.Timeout, defaultTimeout); c.Class == "findable" && c.Settles != 0 && c.Settles < timeout {
		l.warningAt(d, "connector.settles", "Write at least the timeout, and what queues and proxies may add.", "a call may take %s, so an attempt can still land after %s", time.Duration(timeout), time.Duration(c.Settles))
	}
}

func (l *loader) simulatedTroubles(t TroublesDefinition, wrong func(at, remedy, message string, args ...any)) {
	each := []int{t.LostBefore, t.LostAfter, t.Late, t.Refused, t.Busy}
	sum := 0
	for _, rate := range each {
		sum += rate
	}
	if slices.Min(each) < 0 || sum > 1000 {
		wrong("troubles", "Write numbers of 1,000 attempts.", "troubles befall together 1,000 of 1,000 attempts at most")
	}
}

// restAddress checks an address to which secrets and business data go.
func (l *loader) restAddress(d *document, at, text string) {
	if strings.HasPrefix(text, "env:") && secretForm.MatchString(text) {
		return // looked at when the hub starts
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		l.errorAt(d, "connector."+at, "Write https://, the host and the path below which requests go; accounts belong under auth.", "%s is no address without account and query", at)
	case u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		l.warningAt(d, "connector."+at, "Write https:// where the system offers it.", "what is sent to %s can be read on its way", u.Host)
	}
}

func (l *loader) restAuth(d *document, a AuthDefinition, wrong func(at, remedy, message string, args ...any)) {
	if a.Kind == "" {
		return
	}
	if !slices.Contains(AuthKinds(), a.Kind) {
		wrong("auth.kind", "Write one of "+strings.Join(AuthKinds(), ", ")+".", "%.80q is none of %s", a.Kind, strings.Join(AuthKinds(), ", "))
		return
	}
	token := a.Kind == "oauth2-client-credentials"
	for _, part := range []struct {
		at     string
		given  bool
		belong bool
		needed bool
	}{
		{"secret", a.Secret != "", a.Kind != "none", a.Kind != "none"},
		{"header", a.Header != "", a.Kind == "key", false},
		{"user", a.User != "", a.Kind == "basic", a.Kind == "basic"},
		{"client-id", a.ClientID != "", token, token},
		{"token-url", a.TokenURL != "", token, token},
		{"scopes", len(a.Scopes) > 0, token, false},
	} {
		switch {
		case part.given && !part.belong:
			wrong("auth."+part.at, "Take it out, or correct the kind.", "auth of the kind %s has no %s", a.Kind, part.at)
		case part.needed && !part.given:
			wrong("auth", "Add it.", "auth of the kind %s needs %s", a.Kind, part.at)
		}
	}
	if token && a.TokenURL != "" {
		l.restAddress(d, "auth.token-url", a.TokenURL)
	}
}

func (l *loader) fileFolder(c *ConnectorDefinition, wrong func(at, remedy, message string, args ...any)) {
	if c.Folder == "" {
		wrong("", "Add the folder that the system reads or writes.", "a connector of the kind file needs a folder")
	}
	if c.Class != "keyed" {
		wrong("class", "Write keyed, or leave it out.", "files are named by the command key: the class is keyed")
	}
	if c.Complete != "" && !slices.Contains(CompleteRules(), c.Complete) {
		wrong("complete", "Write one of "+strings.Join(CompleteRules(), ", ")+".", "%.80q is none of %s", c.Complete, strings.Join(CompleteRules(), ", "))
	}
	for i, m := range c.Messages {
		if m.Message == "" || m.Files == "" || strings.Contains(m.Files, "/") {
			wrong(fmt.Sprintf("messages[%d]", i), `Write {message: shift-report, files: "shift-*.csv"}.`, "a message of files needs its name and a pattern of the files' names")
		}
	}
}

// lintConnectors checks connectors against messages and commands, once all are read.
func (l *loader) lintConnectors() {
	for _, s := range l.catalog.Systems() {
		if s.Connector == nil {
			continue
		}
		for i, m := range s.Connector.Messages {
			if _, ok := l.catalog.Message(s.System, m.Message); !ok && m.Message != "" && !l.unreadable[m.Message] {
				l.errorAt(l.document("systems", s.System), fmt.Sprintf("connector.messages[%d]", i), "Write its mapping, or correct the name.", "system %s has no message %.80q", s.System, m.Message)
			}
		}
		for i, m := range s.Connector.Poll {
			if _, ok := l.catalog.Message(s.System, m); !ok && !l.unreadable[m] {
				l.errorAt(l.document("systems", s.System), fmt.Sprintf("connector.poll[%d]", i), "Write its mapping, or take it out.", "system %s has no message %.80q", s.System, m)
			}
		}
	}
	for _, c := range l.catalog.Commands() {
		d := l.document("mappings/"+c.System, c.Definition.Command)
		s, ok := l.catalog.systems[c.System]
		switch {
		case !ok:
		case s.Connector == nil:
			l.warningAt(d, "system", "Add `connector` to systems/"+c.System+".yaml.", "system %s has no connector: its commands reach nobody", c.System)
		case s.Connector.Class == "findable" && c.Definition.Find == "" && s.Connector.Kind == "rest":
			l.errorAt(d, "", "Add find and found: with which request the system is asked, and what its answers mean.", "system %s is findable: it must be asked what became of a command", c.System)
		}
		if ok && s.Connector != nil && s.Connector.Kind == "rest" && s.Connector.Class != "blind" && !strings.Contains(c.Definition.Request, "this.key") {
			l.errorAt(d, "request", "Send this.key where the system keeps it.", "a system that is %s carries the command key, and the request does not send it", s.Connector.Class)
		}
	}
}
