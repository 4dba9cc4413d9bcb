package tryton_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests of this package run in three ways:
//
//	GAPLESS_TEST_TRYTON=FILE                   against the real server of which FILE holds
//	                                           address and passwords (see environment)
//	…, GAPLESS_RECORD_TRYTON=1                 the same, and what it answers is recorded
//	                                           (make erp-record)
//	neither                                    what was recorded answers
const (
	environmentName = "GAPLESS_TEST_TRYTON"
	recordName      = "GAPLESS_RECORD_TRYTON"
)

// environment is what stands in the file that GAPLESS_TEST_TRYTON names, nil where
// there is none: TRYTON_URL, TRYTON_DB and TRYTON_<USER>_PASSWORD.
func environment(t testing.TB) map[string]string {
	t.Helper()
	path := os.Getenv(environmentName)
	if path == "" {
		return nil
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

// A tape is what a real server has answered in one test.
type tape struct {
	Recorded string // for people: that these are recordings, of which server and when
	Server   string // its version
	At       time.Time
	Run      string // what the names of this recording have in common
	Calls    []*exchange

	mu sync.Mutex
}

// An exchange is one call and its answer. Passwords and session keys are masked.
type exchange struct {
	Request json.RawMessage // without its id
	Status  int
	Answer  json.RawMessage `json:",omitempty"` // without its id
	Text    string          `json:",omitempty"` // of an answer that is no JSON

	used bool
}

// A backend answers calls: a real server, or a tape.
type backend struct {
	t    testing.TB
	env  map[string]string // nil for a tape
	tape *tape
}

const database = "erp"

// newBackend is a real server where there is one, else the tape of the test.
func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{t: t, env: environment(t), tape: &tape{}}
	path := filepath.Join("testdata", "recorded", strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+".json")
	if b.env == nil {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("needs a real Tryton server, or what one has answered (make erp-record): %v", err)
		}
		if err := json.Unmarshal(text, b.tape); err != nil {
			t.Fatal(err)
		}
		return b
	}
	run := make([]byte, 4)
	_, _ = rand.Read(run) // never fails
	b.tape.Run, b.tape.At = strings.ToUpper(hex.EncodeToString(run)), time.Now().UTC().Truncate(time.Microsecond)
	if os.Getenv(recordName) != "" {
		t.Cleanup(func() { b.save(path) })
	}
	return b
}

// save writes the tape of a test that has passed.
func (b *backend) save(path string) {
	if b.t.Failed() {
		return
	}
	_, version := b.forward([]byte(`{"id":1,"method":"common.server.version","params":[]}`), "/", "")
	b.tape.Server = "Tryton " + strings.Trim(resultOf(version), `"`)
	b.tape.Recorded = "answers of a real server, recorded by `make erp-record`; never written by hand"
	text, err := json.Marshal(b.tape)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil { // a call a line, so that a difference can be read
		text = bytes.ReplaceAll(append(text, '\n'), []byte(`{"Request":`), []byte("\n"+`{"Request":`))
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

func resultOf(answer []byte) string {
	var a struct{ Result json.RawMessage }
	_ = json.Unmarshal(answer, &a) // "" where it is none
	return string(a.Result)
}

// name is one that no other run has used.
func (b *backend) name(of string) string {
	sum := sha256.Sum256([]byte(b.tape.Run + of))
	return hex.EncodeToString(sum[:])
}

// answer answers one call.
func (b *backend) answer(body []byte, authorization string) (status int, answer []byte) {
	request, id := withoutID(body)
	if b.env == nil {
		return b.recorded(request, id)
	}
	status, answer = b.forward(body, "/"+b.env["TRYTON_DB"]+"/", authorization)
	e := &exchange{Request: masked(request), Status: status}
	if plain, _ := withoutID(answer); plain != nil {
		e.Answer = masked(plain)
	} else {
		e.Text = string(answer)
	}
	b.tape.mu.Lock()
	defer b.tape.mu.Unlock()
	b.tape.Calls = append(b.tape.Calls, e)
	return status, answer
}

func (b *backend) forward(body []byte, path, authorization string) (int, []byte) {
	// Without a context of the caller: what one has given up is done all the same.
	req, err := http.NewRequest(http.MethodPost, b.env["TRYTON_URL"]+path, bytes.NewReader(body))
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	defer res.Body.Close() //nolint:errcheck // what is read is read
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	return res.StatusCode, answer
}

// recorded is what was answered to the same call: the first such answer that was
// not given yet, else the last one.
func (b *backend) recorded(request []byte, id json.RawMessage) (int, []byte) {
	b.tape.mu.Lock()
	defer b.tape.mu.Unlock()
	var last *exchange
	for _, e := range b.tape.Calls {
		if bytes.Equal(compact(e.Request), masked(request)) {
			if last = e; !e.used {
				break
			}
		}
	}
	if last == nil {
		b.t.Errorf("nothing is recorded for this call; run make erp-record:\n%s", masked(request))
		return http.StatusBadGateway, nil
	}
	last.used = true
	if last.Answer == nil {
		return last.Status, []byte(last.Text)
	}
	var a map[string]json.RawMessage
	if err := json.Unmarshal(last.Answer, &a); err != nil {
		b.t.Error(err)
	}
	a["id"] = id
	text, err := json.Marshal(a)
	if err != nil {
		b.t.Error(err)
	}
	return last.Status, text
}

func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return nil
	}
	return b.Bytes()
}

// withoutID is a call or an answer with keys in order and without its id; nil for
// what is no object.
func withoutID(text []byte) (plain []byte, id json.RawMessage) {
	var a map[string]json.RawMessage
	if json.Unmarshal(text, &a) != nil {
		return nil, nil
	}
	id = a["id"]
	delete(a, "id")
	plain, err := json.Marshal(a)
	if err != nil {
		return nil, nil
	}
	return plain, id
}

var (
	secretParts  = regexp.MustCompile(`("password":")[^"]*(")`)
	sessionParts = regexp.MustCompile(`(\[\d+,\s*")[0-9a-f]{64}("\])`)
)

// masked is a text without passwords and session keys.
func masked(text []byte) []byte {
	return sessionParts.ReplaceAll(secretParts.ReplaceAll(compact(text), []byte("${1}masked$2")), []byte("${1}masked$2"))
}

// TestRecordingsHoldNoSecretAndSayWhatTheyAre looks at every tape.
func TestRecordingsHoldNoSecretAndSayWhatTheyAre(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "recorded", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("nothing is recorded yet: make erp-record")
	}
	session := regexp.MustCompile(`[^0-9a-f][0-9a-f]{64}[^0-9a-f]`)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var recorded tape
		if err := json.Unmarshal(text, &recorded); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if recorded.Recorded == "" || !strings.HasPrefix(recorded.Server, "Tryton 6.0") || recorded.At.IsZero() {
			t.Errorf("%s does not say what it is", path)
		}
		if session.Match(text) {
			t.Errorf("%s may hold a session key", path)
		}
		for name, value := range environment(t) {
			if strings.HasSuffix(name, "PASSWORD") && bytes.Contains(text, []byte(value)) {
				t.Errorf("%s holds the %s", path, name)
			}
		}
	}
}

// password is that of a user; a tape asks for none.
func (b *backend) password(user string) string {
	return cmp.Or(b.env["TRYTON_"+strings.ToUpper(user)+"_PASSWORD"], "recorded")
}

// calls are the methods that were called so far, for a look behind a System.
func (b *backend) calls(method string) int {
	b.tape.mu.Lock()
	defer b.tape.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(b.tape.Calls), func(e *exchange) bool {
		return !bytes.Contains(e.Request, fmt.Appendf(nil, "%q", method)) || b.env == nil && !e.used
	}))
}
