package gapless_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
	"github.com/gapless/gapless/ledger"
)

func exampleCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	cat, findings := catalog.Load(mouldingplant.Catalog())
	if cat == nil {
		t.Fatalf("the example's catalog does not load: %v", findings)
	}
	return cat
}

// start runs a hub until stop is called, which gives what Run returned.
func start(t *testing.T, cfg gapless.Config) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan string, 1), make(chan error, 1)
	cfg.Ready = func(url string) { ready <- url }
	go func() { ended <- gapless.Run(ctx, cfg) }()
	select {
	case url = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the hub ended: %v", err)
	}
	done := false
	stop = func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() }) // a test that wants the error has asked for it
	return url, stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestRunTellsEveryFaultOfItsConfigAtOnce(t *testing.T) {
	err := gapless.Run(t.Context(), gapless.Config{Listen: "0.0.0.0:0", TLSKey: "hub.key", CheckpointEvery: -time.Second})
	for _, part := range []string{"Catalog is missing", "Data folder is missing", "TLSCert and TLSKey go together", "CheckpointEvery is negative", "keys would pass in the clear"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
}

func TestAnAddressThatOthersReachNeedsTLS(t *testing.T) {
	for listen, refused := range map[string]bool{
		"127.0.0.1:0": false, "[::1]:0": false, "localhost:0": false,
		":0": true, "0.0.0.0:0": true, "[::]:0": true, "192.0.2.1:0": true, "hub.example:0": true, "127.0.0.1": true,
	} {
		t.Run(listen, func(t *testing.T) {
			err := gapless.Run(t.Context(), gapless.Config{Listen: listen}) // fails for its other faults in any case
			if told := strings.Contains(err.Error(), "address "); told != refused {
				t.Errorf("refused: %v, want %v: %v", told, refused, err)
			}
		})
	}
}

func TestAHubAnswersAndLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	data := filepath.Join(t.TempDir(), "data")
	url, stop := start(t, gapless.Config{Catalog: exampleCatalog(t), Data: data, Listen: "127.0.0.1:0"})
	if status, text := get(t, url+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d %s", status, text)
	}
	if status, _ := get(t, url+"/v1/held"); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", status)
	}
	if err := stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	// What was told to end may need a moment until it is gone.
	for deadline := time.After(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		select {
		case <-deadline:
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		default:
		}
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://")); err == nil {
		_ = conn.Close()
		t.Error("something still listens")
	}
}

func TestAPortThatIsTakenIsToldWithTheAddress(t *testing.T) {
	url, _ := start(t, gapless.Config{Catalog: exampleCatalog(t), Data: t.TempDir(), Listen: "127.0.0.1:0"})
	address := strings.TrimPrefix(url, "http://")
	err := gapless.Run(t.Context(), gapless.Config{Catalog: exampleCatalog(t), Data: t.TempDir(), Listen: address})
	if err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}

func TestCheckpointsAreSignedAndProveTheLedger(t *testing.T) {
	data := t.TempDir()
	_, stop := start(t, gapless.Config{Catalog: exampleCatalog(t), Data: data, Listen: "127.0.0.1:0", CheckpointEvery: time.Millisecond})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(data, "checkpoint.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v, %v", info, err)
	}
	public, err := os.ReadFile(gapless.PublicKeyIn(data))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(data, "checkpoints", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no checkpoint was written: %v", err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Database: gapless.DatabaseIn(data)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	texts := map[string]bool{}
	for _, name := range files {
		signed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checkpoint, err := ledger.OpenCheckpoint(string(signed), string(public))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if texts[checkpoint.Text()] {
			t.Errorf("%s says what one before it said already", name)
		}
		texts[checkpoint.Text()] = true
		report, err := l.Verify(t.Context(), ledger.VerifyOptions{Against: []ledger.Checkpoint{checkpoint}})
		if err != nil || !report.OK() {
			t.Errorf("%s: %v %+v", name, err, report)
		}
	}
}

func TestTheKeyThatSignsCheckpointsStaysTheSame(t *testing.T) {
	data := t.TempDir()
	for range 2 {
		if _, err := gapless.OpenNotary(data, "gapless of graz"); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.ReadFile(gapless.PublicKeyIn(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gapless.OpenNotary(data, "gapless of graz"); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(gapless.PublicKeyIn(data)); err != nil || string(again) != string(first) {
		t.Errorf("the public key has changed: %v", err)
	}
}

func TestAHubWithACertificateSpeaksTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := selfSigned(t, dir)
	url, _ := start(t, gapless.Config{Catalog: exampleCatalog(t), Data: dir, Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key})
	if !strings.HasPrefix(url, "https://") {
		t.Fatalf("the URL is %s", url)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only the status is wanted
	if response.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", response.Status)
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "hub.crt"), filepath.Join(dir, "hub.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, key, pool
}
