package alert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/fault"
)

// A Config is the file that says who is told what, and how.
type Config struct {
	Link     string                    `yaml:"link"`  // address that opens a group, with {group} in it; "" tells the command that does
	Quiet    string                    `yaml:"quiet"` // a group has ended once nothing of it has stood for so long; default 15m
	Channels map[string]*ChannelConfig `yaml:"channels"`
	Routes   []Route                   `yaml:"routes"`
}

// A ChannelConfig is one channel.
type ChannelConfig struct {
	Kind    string            `yaml:"kind"`    // file, webhook or smtp
	Timeout string            `yaml:"timeout"` // of webhook and smtp; default 10s
	CA      catalog.SecretRef `yaml:"ca"`      // of webhook and smtp: certificates that sign theirs, in PEM

	Path string `yaml:"path"` // file: JSON lines are appended to it

	URL    string            `yaml:"url"`    // webhook: https, or http on the machine itself
	Secret catalog.SecretRef `yaml:"secret"` // webhook: signs what is sent

	Server   string            `yaml:"server"` // smtp: host:port
	From     string            `yaml:"from"`
	To       []string          `yaml:"to"`
	User     string            `yaml:"user"` // "" where the server asks for none
	Password catalog.SecretRef `yaml:"password"`
	TLS      string            `yaml:"tls"` // starttls, which is the default; tls from the first byte; none, on the machine itself
}

// A Route says which notices go to which channels. Empty fields take all. Every route
// that takes a notice adds its channels.
type Route struct {
	Owner  string   `yaml:"owner"` // group that has any of it, or that it went to
	Plant  string   `yaml:"plant"`
	Class  string   `yaml:"class"`
	Reason string   `yaml:"reason"`
	Kinds  []string `yaml:"kinds"`
	To     []string `yaml:"to"`
}

// defaultQuiet and defaultTimeout are what holds where a file says nothing.
const (
	defaultQuiet   = 15 * time.Minute
	defaultTimeout = 10 * time.Second
	longestTimeout = time.Minute
)

// Outlets are the channels and routes of a hub.
type Outlets struct {
	quiet    time.Duration
	link     string
	channels map[string]Channel
	routes   []Route
}

// Open reads a configuration and makes its channels. Secret gives what a reference
// stands for, and now the present. The error names everything that is wrong; it holds no secret.
func Open(file []byte, secret func(catalog.SecretRef) (string, error), now func() time.Time) (*Outlets, error) {
	var c Config
	decoder := yaml.NewDecoder(bytes.NewReader(file))
	decoder.KnownFields(true)
	err := decoder.Decode(&c)
	var wrong *yaml.TypeError // what else there is was read
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &wrong) {
		return nil, fmt.Errorf("alert.Open: %w", err)
	}
	o := &Outlets{link: c.Link, channels: map[string]Channel{}, routes: c.Routes, quiet: defaultQuiet}
	faults := append(unread(wrong), o.readTimes(&c), c.checkRoutes())
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		channel, err := c.Channels[name].open(secret, now)
		if err == nil && !channelName.MatchString(name) {
			err = errors.New("a name has letters, digits and hyphens")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("channel %.80q: %w", name, err))
			continue
		}
		o.channels[name] = channel
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("alert.Open: %w", err)
	}
	return o, nil
}

var (
	unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)
	otherForm  = regexp.MustCompile(`cannot unmarshal \S+ ?(.*) into \S+`)
)

// unread is what could not be read of the file, in its words and not in Go's.
func unread(wrong *yaml.TypeError) (faults []error) {
	if wrong == nil {
		return nil
	}
	for _, text := range wrong.Errors {
		text = unknownKey.ReplaceAllString(text, "there is no key $1")
		faults = append(faults, errors.New(otherForm.ReplaceAllString(text, "$1 has another form than docs/alerts.md shows")))
	}
	return faults
}

var channelName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (o *Outlets) readTimes(c *Config) error {
	if c.Link != "" {
		u, err := url.Parse(strings.ReplaceAll(c.Link, "{group}", "g"))
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !strings.Contains(c.Link, "{group}") {
			return fmt.Errorf("link %.200q: write an address with {group} in it", c.Link)
		}
	}
	if c.Quiet == "" {
		return nil
	}
	var err error
	if o.quiet, err = time.ParseDuration(c.Quiet); err != nil || o.quiet <= 0 {
		return fmt.Errorf("quiet %.40q: write a time such as 15m", c.Quiet)
	}
	return nil
}

// kinds are those that routes choose among.
func kinds() []string { return []string{Started, Grew, Ended, Warned, Escalated} }

func (c *Config) checkRoutes() error {
	var faults []error
	for i := range c.Routes {
		r := &c.Routes[i]
		wrong := func(text string, args ...any) {
			faults = append(faults, fmt.Errorf("routes[%d]: "+text, append([]any{i}, args...)...))
		}
		if len(r.To) == 0 {
			wrong("to is missing: name channels")
		}
		for _, name := range r.To {
			if _, ok := c.Channels[name]; !ok {
				wrong("there is no channel %.80q", name)
			}
		}
		for _, kind := range r.Kinds {
			if !slices.Contains(kinds(), kind) {
				wrong("%.40q is no kind: write %s", kind, strings.Join(kinds(), ", "))
			}
		}
		if r.Reason != "" && fault.ByCode(r.Reason) == nil {
			wrong("%.60q is no reason", r.Reason)
		}
		if r.Class != "" && !slices.Contains(fault.Classes(), fault.Class(r.Class)) {
			wrong("%.40q is no class of reasons", r.Class)
		}
	}
	return errors.Join(faults...)
}

// Quiet is how long nothing of a group must have stood before it has ended.
func (o *Outlets) Quiet() time.Duration { return o.quiet }

// Channels are the channels by name. The caller must not change the map.
func (o *Outlets) Channels() map[string]Channel { return o.channels }

// Channel finds one.
func (o *Outlets) Channel(name string) (Channel, error) {
	c, ok := o.channels[name]
	if !ok {
		return nil, fmt.Errorf("there is no channel %.80q; the file has %s", name, cmp.Or(strings.Join(slices.Sorted(maps.Keys(o.channels)), ", "), "none"))
	}
	return c, nil
}

// Link opens a group: an address, or the command that does.
func (o *Outlets) Link(group string) string {
	if o.link == "" {
		return "gapless exceptions show " + group
	}
	return strings.ReplaceAll(o.link, "{group}", url.QueryEscape(group))
}

// Route is the channels that a notice goes to, in order.
func (o *Outlets) Route(n *Notice) []string {
	var all []string
	for i := range o.routes {
		if o.routes[i].takes(n) {
			all = append(all, o.routes[i].To...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *Route) takes(n *Notice) bool {
	owned := r.Owner == "" || r.Owner == n.To || slices.Contains(n.Owners, r.Owner)
	return owned && (r.Plant == "" || r.Plant == n.Plant) && (r.Class == "" || r.Class == n.Class) && (r.Reason == "" || r.Reason == n.Reason) &&
		(len(r.Kinds) == 0 || slices.Contains(r.Kinds, n.Kind))
}

// open makes a channel.
func (c *ChannelConfig) open(secret func(catalog.SecretRef) (string, error), now func() time.Time) (Channel, error) {
	if c == nil {
		return nil, errors.New("nothing is said of it")
	}
	timeout := defaultTimeout
	if c.Timeout != "" {
		var err error
		if timeout, err = time.ParseDuration(c.Timeout); err != nil || timeout <= 0 || timeout > longestTimeout {
			return nil, fmt.Errorf("timeout %.40q: write a time such as 10s, of a minute at most", c.Timeout)
		}
	}
	switch c.Kind {
	case "file":
		return newFile(c)
	case "webhook":
		return newWebhook(c, timeout, secret, now)
	case "smtp":
		return newSMTP(c, timeout, secret)
	}
	return nil, fmt.Errorf("kind %.40q: write file, webhook or smtp", c.Kind)
}

// onThisMachine tells whether a host is the machine itself, where nobody listens in.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// addresses checks addresses of e-mail.
func addresses(all ...string) error {
	for _, text := range all {
		if a, err := mail.ParseAddress(text); err != nil || strings.ContainsAny(a.Address, "\r\n") {
			return fmt.Errorf("%.80q is no address of e-mail", text)
		}
	}
	return nil
}
