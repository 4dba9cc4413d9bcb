package rest_test

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/rest"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// receiveGoods is the command of connectortest.Server.
func receiveGoods(t *testing.T) *mapping.Command {
	t.Helper()
	command, err := mapping.CompileCommand(mapping.CommandDefinition{
		Command: "receive-goods", System: "erp",
		Request: "root.body.key = this.key",
		Find:    "root.query.key = this.key",
		Answers: []mapping.AnswerRule{
			{When: `this.status == 201 && this.body.document != null`, Outcome: "applied", Documents: `{"number": this.body.document.number, "kind": "goods-receipt"}`},
			{When: `this.body.code == "M7053"`, Outcome: "refused", Reason: "period_closed", Text: `this.body.code + ": " + this.body.message`},
		},
		Found: []mapping.AnswerRule{
			{When: `this.body.postings.length() > 0`, Outcome: "applied", Documents: `this.body.postings.map_each({"number": this.number, "kind": "goods-receipt"})`},
			{When: `this.status == 200`, Outcome: "absent"},
		},
	}, mapping.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	return command
}

func command(key string) connector.Command {
	return connector.Command{
		Key: key, Name: "receive-goods", Plant: "graz", Subject: "lot/M-100/4711",
		Request: map[string]any{
			"path": []any{"postings"}, "headers": map[string]any{"Idempotency-Key": key},
			"body": map[string]any{"key": key, "material": "M-100", "quantity": "72"},
			"find": map[string]any{"path": "/postings", "query": map[string]any{"key": key}},
		},
	}
}

func traits(class connector.Class) connector.Traits {
	return connector.Traits{Class: class, KeyCarrier: "Idempotency-Key", Settles: 30 * time.Second}
}

const secret = "s3cr3t/with+signs"

// open starts a server and a System for it. Change may alter the configuration.
func open(t *testing.T, class connector.Class, secure bool, change func(*rest.Config)) (*connectortest.Server, *rest.System) {
	t.Helper()
	server := connectortest.NewServer(t, class, secure)
	config := rest.Config{
		URL: server.URL, Traits: traits(class), Timeout: 1500 * time.Millisecond, Stall: time.Second, Now: server.Now,
		Auth:     rest.Auth{Kind: rest.BasicAuth, User: "gapless", Secret: secret},
		Commands: map[string]*mapping.Command{"receive-goods": receiveGoods(t)},
	}
	if secure {
		config.Roots = x509.NewCertPool()
		config.Roots.AddCert(server.Certificate())
	}
	if change != nil {
		change(&config)
	}
	system, err := rest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	return server, system
}

func TestItKeepsThePromisesOfASystem(t *testing.T) {
	for _, c := range []struct {
		name   string
		class  connector.Class
		secure bool
	}{
		{"keyed", connector.Keyed, false},
		{"findable", connector.Findable, false},
		{"blind", connector.Blind, false},
		{"findable over TLS", connector.Findable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // for the most part it waits
			troubles := connectortest.Troubles()
			if c.secure || testing.Short() { // what is waited for is the same without TLS
				troubles = slices.DeleteFunc(troubles, func(k connectortest.Trouble) bool {
					return k == connectortest.Silent || k == connectortest.Drip
				})
			}
			connectortest.Run(t, func(t *testing.T) connectortest.Subject {
				server, system := open(t, c.class, c.secure, nil)
				return connectortest.Subject{
					System: system, Traits: system.Traits(), Outside: server, Command: command,
					Refusable: func(key string) connector.Command {
						cmd := command(key)
						cmd.Request["body"] = map[string]any{"key": key, "material": "M-OLD", "quantity": "72"}
						return cmd
					},
					Reason: fault.PeriodClosed, Words: connectortest.Words,
					Troubles: troubles, Patience: 10 * time.Second, Secrets: []string{secret},
				}
			})
		})
	}
}
