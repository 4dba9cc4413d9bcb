package gapless

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/file"
	"github.com/gapless/gapless/connector/rest"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/mapping"
)

// Connected is a system of the catalog and what the hub has of it.
type Connected struct {
	Name        string
	System      connector.System // nil where it performs no commands
	Traits      connector.Traits
	Timeout     time.Duration    // of an attempt; 0 is the flow's default
	Source      connector.Source // nil where nothing is fetched from it
	Concurrency int              // attempts at a time; 0 is no bound
	Rate        catalog.Rate     // zero is no bound
}

// Connect makes the connectors of all systems of a catalog that have one, in the
// order of their names. Secret gives what a reference of the catalog stands for,
// see Secrets. The error names everything that is wrong; it holds no secret.
func Connect(cat *catalog.Catalog, secret func(ref catalog.SecretRef) (string, error), now func() time.Time) ([]Connected, error) {
	var all []Connected
	var faults []error
	for _, s := range cat.Systems() {
		if s.Connector == nil {
			continue
		}
		c := Connected{Name: s.System, Concurrency: s.Connector.Concurrency, Rate: s.Connector.Rate}
		if err := c.open(cat, s, secret, now); err != nil {
			faults = append(faults, fmt.Errorf("system %s: %w", s.System, err))
			continue
		}
		all = append(all, c)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("gapless.Connect: %w", err)
	}
	return all, nil
}

func (c *Connected) open(cat *catalog.Catalog, s *catalog.System, secret func(catalog.SecretRef) (string, error), now func() time.Time) error {
	switch s.Connector.Kind {
	case "rest":
		return c.rest(cat, s, secret, now)
	case "file":
		return c.file(s.Connector, now)
	case "tryton":
		return c.tryton(s.Connector, secret, now)
	case "simulated":
		system, err := simulated.New(simulated.Config{
			Class: connector.Class(s.Connector.Class), Settles: time.Duration(s.Connector.Settles), Now: now,
			Seed: uint64(s.Connector.Seed), Latency: time.Duration(s.Connector.Latency), Rates: simulated.Rates(s.Connector.Troubles),
			Rules: refusals(s.Connector.Refuses),
		})
		if err != nil {
			return err
		}
		c.System, c.Traits = system, system.Traits()
		return nil
	}
	return fmt.Errorf("there is no connector of the kind %q", s.Connector.Kind)
}

// refusals are the rules of a simulated system.
func refusals(rules []catalog.RefusalRule) []simulated.Rule {
	var all []simulated.Rule
	for _, r := range rules {
		all = append(all, simulated.Rule{Command: r.Command, Field: r.Field, Value: r.Value, Reason: fault.ByCode(r.Reason), Words: r.Words})
	}
	return all
}

func (c *Connected) rest(cat *catalog.Catalog, s *catalog.System, secret func(catalog.SecretRef) (string, error), now func() time.Time) error {
	def := s.Connector
	config := rest.Config{
		URL: def.URL, Timeout: time.Duration(def.Timeout), Stall: time.Duration(def.Stall), Limit: def.Limit, Answers: def.AnswerRules(), Now: now,
		Traits: connector.Traits{
			Class: connector.Class(def.Class), KeyCarrier: cmp.Or(def.KeyCarrier, "the request"), KeyLength: def.KeyLength, Settles: time.Duration(def.Settles),
		},
		Auth: rest.Auth{
			Kind: rest.AuthKind(def.Auth.Kind), Header: def.Auth.Header, User: def.Auth.User, ClientID: def.Auth.ClientID,
			TokenURL: def.Auth.TokenURL, Scopes: def.Auth.Scopes,
		},
		Commands: map[string]*mapping.Command{},
	}
	for _, command := range cat.Commands() {
		if command.System == s.System {
			config.Commands[command.Definition.Command] = command.Mapping
		}
	}
	var err error
	if config.URL, err = address(def.URL, secret); err != nil {
		return err
	}
	if def.Auth.Secret != "" {
		if config.Auth.Secret, err = secret(def.Auth.Secret); err != nil {
			return err
		}
	}
	if config.Roots, err = roots(def.CA, secret); err != nil {
		return err
	}
	system, err := rest.New(config)
	if err != nil {
		return err
	}
	c.System, c.Traits, c.Timeout = system, system.Traits(), config.Timeout
	return nil
}

// address is one as the catalog writes it: itself, or env:NAME of what holds it.
func address(text string, secret func(catalog.SecretRef) (string, error)) (string, error) {
	if !strings.HasPrefix(text, "env:") {
		return text, nil
	}
	value, err := secret(catalog.SecretRef(text))
	if err != nil {
		return "", fmt.Errorf("url: %w", err)
	}
	return value, nil
}

// roots are the certificates of a reference; nil where there is none.
func roots(ref catalog.SecretRef, secret func(catalog.SecretRef) (string, error)) (*x509.CertPool, error) {
	if ref == "" {
		return nil, nil
	}
	pem, err := secret(ref)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", ref)
	}
	return pool, nil
}

func (c *Connected) tryton(def *catalog.ConnectorDefinition, secret func(catalog.SecretRef) (string, error), now func() time.Time) error {
	config := tryton.Config{
		ClientConfig: tryton.ClientConfig{Database: def.Database, User: def.User, Timeout: time.Duration(def.Timeout), Limit: def.Limit, Now: now},
		Settles:      time.Duration(def.Settles), Poll: def.Poll,
	}
	var err error
	if config.URL, err = address(def.URL, secret); err != nil {
		return err
	}
	if config.Password, err = secret(def.Secret); err != nil {
		return err
	}
	if config.Roots, err = roots(def.CA, secret); err != nil {
		return err
	}
	system, err := tryton.New(config)
	if err != nil {
		return err
	}
	c.System, c.Traits, c.Timeout = system, system.Traits(), cmp.Or(config.Timeout, tryton.DefaultTimeout)
	if len(def.Poll) > 0 {
		c.Source = system
	}
	return nil
}

// followers are the systems that perform commands, as the flow treats them.
func followers(connected []Connected) map[string]flow.Follower {
	all := map[string]flow.Follower{}
	for _, c := range connected {
		if c.System == nil {
			continue
		}
		f := flow.Follower{System: c.System, Traits: c.Traits, Timeout: c.Timeout, Concurrency: c.Concurrency}
		if c.Rate.Number > 0 {
			f.Every = c.Rate.Per / time.Duration(c.Rate.Number)
		}
		all[c.Name] = f
	}
	return all
}

func (c *Connected) file(def *catalog.ConnectorDefinition, now func() time.Time) error {
	if len(def.Messages) > 0 {
		config := file.InboxConfig{Folder: def.Folder, Complete: file.Complete(def.Complete), Stable: time.Duration(def.Stable), Now: now}
		for _, m := range def.Messages {
			config.Messages = append(config.Messages, file.Message{Message: m.Message, Files: m.Files})
		}
		inbox, err := file.NewInbox(config)
		if err != nil {
			return err
		}
		c.Source = inbox
		return nil
	}
	outbox, err := file.NewOutbox(file.OutboxConfig{Folder: def.Folder, Now: now})
	if err != nil {
		return err
	}
	c.System, c.Traits = outbox, outbox.Traits()
	return nil
}

// maxSecret bounds a secret, and a file of certificates, in bytes.
const maxSecret = 1 << 20

// Secrets reads what references of a catalog stand for: env:NAME by getenv, and
// file:PATH, without the line break at its end. The error names the reference.
func Secrets(getenv func(name string) string) func(ref catalog.SecretRef) (string, error) {
	return func(ref catalog.SecretRef) (string, error) {
		kind, name, _ := strings.Cut(string(ref), ":")
		switch kind {
		case "env":
			if value := getenv(name); value != "" {
				return value, nil
			}
			return "", fmt.Errorf("%s: the variable is not set", ref)
		case "file":
			info, err := os.Stat(name)
			if err != nil {
				return "", fmt.Errorf("%s: %w", ref, err)
			}
			if info.Size() > maxSecret {
				return "", fmt.Errorf("%s: the file has %d bytes, more than %d", ref, info.Size(), maxSecret)
			}
			content, err := os.ReadFile(name)
			if err != nil {
				return "", fmt.Errorf("%s: %w", ref, err)
			}
			if value := strings.TrimRight(string(content), "\r\n"); value != "" {
				return value, nil
			}
			return "", fmt.Errorf("%s: the file is empty", ref)
		}
		return "", errors.New("a reference to a secret is env:NAME or file:PATH")
	}
}
