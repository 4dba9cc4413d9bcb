package gapless_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// guideFile is an example of a page that is a whole file of a catalog.
var guideFile = regexp.MustCompile("(?s)```yaml\n# ([a-z0-9./-]+\\.yaml)\n(.*?)```")

// guideCatalog is the catalog that a page shows, with changes to its text.
func guideCatalog(t *testing.T, page string, changes ...string) *catalog.Catalog {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, m := range guideFile.FindAllStringSubmatch(strings.NewReplacer(changes...).Replace(string(text)), -1) {
		files[m[1]] = &fstest.MapFile{Data: []byte(m[2])}
	}
	c, findings := catalog.Load(files)
	for _, f := range findings {
		t.Error(f)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

// canonical is a command as it stands on record.
func canonical(key, material string) map[string]any {
	return map[string]any{
		"key": key, "command": "receive-goods", "plant": "graz", "subject": "lot/M-100/4711", "posting_date": "2026-03-02",
		"event": map[string]any{"type": "production.completed", "data": map[string]any{
			"outputs": []any{map[string]any{"material": material, "quantity": map[string]any{"value": "72", "unit": "H87"}}},
		}},
	}
}

func TestTheGuideToConnectAnERPIsACatalogThatPerformsItsCommand(t *testing.T) {
	server := connectortest.NewServer(t, connector.Findable, false)
	cat := guideCatalog(t, "docs/connectors/rest.md", "https://erp.example.com", server.URL)
	for _, r := range cat.Test() {
		if !r.Passed {
			t.Error(r)
		}
	}
	t.Setenv("ERP_SECRET", "hunter2")
	all, err := gapless.Connect(cat, gapless.Secrets(os.Getenv), server.Now)
	if err != nil {
		t.Fatal(err)
	}
	erp := all[0]
	if len(all) != 1 || erp.Name != "erp" || erp.Traits.Class != connector.Findable || erp.Traits.Settles != 30*time.Second || erp.Concurrency != 4 || erp.Rate.Number != 50 {
		t.Errorf("%+v", all)
	}
	file, ok := cat.Command("erp", "receive-goods")
	if !ok {
		t.Fatal("the command is not found")
	}
	send := func(key, material string) (connector.Command, connector.Outcome, error) {
		request, err := file.Mapping.Apply(canonical(key, "material/"+material))
		if err != nil {
			t.Fatal(err)
		}
		request = mapping.ResolveExternal(request, func(string, event.Ref) string { return material })
		cmd := connector.Command{Key: key, Name: "receive-goods", Plant: "graz", Subject: "lot/M-100/4711", Request: request, Attempt: 1, SendBefore: server.Now().Add(time.Minute)}
		outcome, err := erp.System.Perform(t.Context(), cmd)
		return cmd, outcome, err
	}
	key := strings.Repeat("ab", 32)
	cmd, outcome, err := send(key, "M-100")
	if err != nil || outcome.Status != connector.Applied || len(server.Books()) != 1 || outcome.Documents[0] != server.Books()[0].Document {
		t.Errorf("%+v, %v", outcome, err)
	}
	if finding, err := erp.System.Find(t.Context(), cmd); err != nil || finding.Status != connector.FoundApplied {
		t.Errorf("%+v, %v", finding, err)
	}
	if _, outcome, err = send(strings.Repeat("cd", 32), "M-OLD"); err != nil || outcome.Reason != fault.PeriodClosed || outcome.Text != connectortest.Words {
		t.Errorf("%+v, %v", outcome, err)
	}
}

func TestASystemWhoseSecretIsMissingIsNotConnected(t *testing.T) {
	cat := guideCatalog(t, "docs/connectors/rest.md")
	_, err := gapless.Connect(cat, gapless.Secrets(func(string) string { return "" }), time.Now)
	if err == nil || !strings.Contains(err.Error(), "system erp: env:ERP_SECRET") {
		t.Error(err)
	}
}

func TestSecretsAreReadFromWhereReferencesSay(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"secret": "hunter2\n", "empty": "\n", "long": strings.Repeat("x", 2<<20)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := gapless.Secrets(func(name string) string { return map[string]string{"A": "a"}[name] })
	for ref, want := range map[string]string{"env:A": "a", "file:" + filepath.Join(folder, "secret"): "hunter2"} {
		if got, err := read(catalog.SecretRef(ref)); err != nil || got != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"env:B", "file:" + filepath.Join(folder, "empty"), "file:" + filepath.Join(folder, "long"), "file:" + filepath.Join(folder, "none"), "hunter2"} {
		if got, err := read(catalog.SecretRef(ref)); err == nil || got != "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
}

func TestSystemsOfEveryKindAreConnected(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	cat := guideCatalog(t, "docs/catalog.md",
		"title: Line reports\n", "title: Line reports\nconnector: {kind: file, folder: \""+in+"\", complete: renamed, messages: [{message: line-report, files: \"*.csv\"}]}\n",
		"# cross-references/acme-mes-equipment.yaml", "# systems/labels.yaml\nsystem: labels\ntitle: Labels\nroles: [logistics]\nconnector: {kind: file, folder: \""+out+"\"}\n```\n\n```yaml\n# systems/trial.yaml\nsystem: trial\ntitle: Trial\nroles: [erp]\nconnector: {kind: simulated, class: blind, seed: 7, latency: 1ms, troubles: {lost-after: 1000}}\n```\n\n```yaml\n# systems/tryton.yaml\nsystem: tryton\ntitle: Tryton\nroles: [erp]\nconnector: {kind: tryton, url: env:TRYTON, database: erp, user: hub, secret: env:TRYTON_SECRET, timeout: 30s}\n```\n\n```yaml\n# cross-references/acme-mes-equipment.yaml")
	t.Setenv("TRYTON", "http://127.0.0.1:1")
	t.Setenv("TRYTON_SECRET", "hunter2")
	all, err := gapless.Connect(cat, gapless.Secrets(os.Getenv), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]gapless.Connected{}
	for _, c := range all {
		of[c.Name] = c
	}
	if of["acme-mes"].Source == nil || of["acme-mes"].System != nil || of["labels"].System == nil || of["trial"].Traits.Class != connector.Blind || of["tryton"].Traits.KeyLength != 32 || of["tryton"].Timeout != 30*time.Second || of["tryton"].Source != nil {
		t.Errorf("%+v", all)
	}
	if err := os.WriteFile(filepath.Join(in, "a.csv"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := connector.Command{Key: strings.Repeat("ab", 32), Name: "receive-goods", SendBefore: time.Now().Add(time.Minute)}
	if _, err := of["trial"].System.Perform(t.Context(), cmd); !errors.Is(err, fault.AnswerLost) {
		t.Error(err)
	}
	var came []string
	_, err = of["acme-mes"].Source.Poll(t.Context(), "", func(_ context.Context, r connector.Received) (connector.Taken, error) {
		came = append(came, r.Message)
		return connector.Taken{}, nil
	})
	if err != nil || len(came) != 1 || came[0] != "line-report" {
		t.Error(came, err)
	}
}
