package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A hub is the process of the hub, and what is known of it from outside.
type hub struct {
	program, folder string
	env             []string
	keys            map[string]string // by system
	reader          string            // password of who looks at it
	http            *http.Client

	mu      sync.Mutex
	process *exec.Cmd
	gone    chan error // gets what the process ended with
	address string     // 127.0.0.1:port, the same after every start
	url     string
	kills   int
}

// systems are those that this program speaks for.
func systems() []string { return []string{"mes", "qms", "wms", "moulding-mes"} }

// newHub makes the keys and starts the hub. The ERP is reached at the address.
func newHub(ctx context.Context, d *demo, erpAddress string) (*hub, error) {
	catalog, err := d.catalog()
	if err != nil {
		return nil, err
	}
	h := &hub{
		program: filepath.Join(d.root, "bin", "gapless"), folder: d.folder, keys: map[string]string{}, reader: rand.Text(),
		http: &http.Client{Timeout: time.Minute}, address: "127.0.0.1:0",
		env: append(cleanEnv(),
			"GAPLESS_HOME="+filepath.Join(d.folder, "hub"), "GAPLESS_CATALOG="+catalog, "GAPLESS_KEY_FILE="+filepath.Join(d.folder, "keys"),
			"GAPLESS_TRYTON_URL="+erpAddress, "GAPLESS_TRYTON_PASSWORD="+d.server.env["TRYTON_HUB_PASSWORD"], "GAPLESS_MES_URL="+d.floor.url,
		),
	}
	if err := h.makeKeys(ctx); err != nil {
		return nil, err
	}
	return h, h.start(ctx)
}

// cleanEnv is the environment without what concerns another hub.
func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GAPLESS_") })
}

// command runs the program with the hub's environment.
func (h *hub) command(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, h.program, args...)
	cmd.Env, cmd.Stdin = append(slices.Clone(h.env), "GAPLESS_HUB="+h.url), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("gapless %s: %w: %.2000s", args[0], err, out)
	}
	return nil
}

func (h *hub) makeKeys(ctx context.Context) error {
	file := filepath.Join(h.folder, "keys")
	if err := os.WriteFile(file, []byte("reader:"+h.reader+"\n"), 0o600); err != nil {
		return err
	}
	if err := h.command(ctx, h.reader+"\n", "keys", "person", "reader", "--role", "operator"); err != nil {
		return err
	}
	for _, system := range systems() {
		if err := h.command(ctx, "", "keys", "create", "--system", system, "--keep", file); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			h.keys[fields[0]] = fields[1]
		}
	}
	return nil
}

// start starts the process and waits until it listens.
func (h *hub) start(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(h.folder, "hub.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has it too, and writes to it
	cmd := exec.CommandContext(context.WithoutCancel(ctx), h.program, "serve", "--listen", h.address, "--log-level", "warn")
	cmd.Env, cmd.Stderr = h.env, log // it is ended by stop, in its order
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		return errors.Join(fmt.Errorf("the hub did not start, see %s/hub.log", h.folder), cmd.Wait())
	}
	fields := strings.Fields(line) // "listening on URL with ..."
	if len(fields) < 3 {
		return fmt.Errorf("the hub says %q", line)
	}
	h.url, h.address = fields[2], strings.TrimPrefix(fields[2], "http://")
	h.process, h.gone = cmd, make(chan error, 1)
	go func(gone chan<- error) {
		_, copied := io.Copy(io.Discard, lines) // it says no more there
		gone <- errors.Join(copied, cmd.Wait())
	}(h.gone)
	return ctx.Err()
}

// kill ends the process as a power cut would, and starts it again.
func (h *hub) kill(ctx context.Context) error {
	h.mu.Lock()
	err := h.process.Process.Kill()
	<-h.gone //nolint:errcheck // that it was killed is what was wanted
	h.kills++
	h.mu.Unlock()
	return errors.Join(err, h.start(ctx))
}

// stop ends the process in its own time.
func (h *hub) stop() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process == nil {
		return nil
	}
	if err := h.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-h.gone:
		return err
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the hub did not end within a minute"), h.process.Process.Kill())
	}
}

// tellLog prints the end of what the hub said.
func (h *hub) tellLog() {
	text, err := os.ReadFile(filepath.Join(h.folder, "hub.log"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Fprintf(os.Stderr, "the hub said:\n%s\n", text[max(0, len(text)-4000):])
}

// patience is how long a sender tries again while the hub is away.
const patience = time.Minute

// send sends a message as a system, again and again until the hub has it on record or
// says that it never will.
func (h *hub) send(ctx context.Context, system, message string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var last error
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if last = h.post(ctx, system, message, text); !errors.Is(last, errAway) {
			return last
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return last
}

// errAway says that nobody knows whether the hub took a message.
var errAway = errors.New("the hub is away")

func (h *hub) post(ctx context.Context, system, message string, text []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base()+"/v1/messages/"+system+"/"+message, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+h.keys[system])
	answer, err := h.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil || answer.StatusCode == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s %w", errAway, answer.Status, err)
	case answer.StatusCode >= 300:
		return fmt.Errorf("%s/%s: %s: %.500s", system, message, answer.Status, said)
	}
	return nil
}

func (h *hub) base() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.url
}

// get reads from the hub, again and again while it is away.
func (h *hub) get(ctx context.Context, path string, query url.Values, out any) error {
	var last error
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if last = h.ask(ctx, http.MethodGet, path+"?"+query.Encode(), nil, out); !errors.Is(last, errAway) {
			return last
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return last
}

// ask makes one request as the person who looks.
func (h *hub) ask(ctx context.Context, method, path string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, h.base()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth("reader", h.reader)
	request.Header.Set("Content-Type", "application/json")
	answer, err := h.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	said, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errAway, err)
	case answer.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %.500s", method, path, answer.Status, said)
	case out == nil:
		return nil
	}
	return json.Unmarshal(said, out)
}
