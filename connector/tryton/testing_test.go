package tryton_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/gapless/gapless/connector/tryton"
)

// environment is what stands in the file that GAPLESS_TEST_TRYTON names: TRYTON_URL,
// TRYTON_DB and TRYTON_<USER>_PASSWORD of a real server. Without it the test is
// skipped.
func environment(t testing.TB) map[string]string {
	t.Helper()
	path := os.Getenv("GAPLESS_TEST_TRYTON")
	if path == "" {
		t.Skip("needs a real Tryton server: set GAPLESS_TEST_TRYTON to the file of its environment (see docs/connectors/tryton.md)")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	env := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			env[name] = strings.Trim(value, `"'`)
		}
	}
	for _, name := range []string{"TRYTON_URL", "TRYTON_DB", "TRYTON_HUB_PASSWORD"} {
		if env[name] == "" {
			t.Fatalf("%s has no %s", path, name)
		}
	}
	return env
}

// clientOf is a Client of one of the server's users.
func clientOf(t testing.TB, user string) *tryton.Client {
	t.Helper()
	env := environment(t)
	client, err := tryton.NewClient(tryton.ClientConfig{
		URL: env["TRYTON_URL"], Database: env["TRYTON_DB"], User: user, Password: env["TRYTON_"+strings.ToUpper(user)+"_PASSWORD"],
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
