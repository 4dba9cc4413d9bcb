package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A fault must be one of the hub's ignorance alone: the ERP has every call, once.
func TestTheERPHasEveryCallOnceWhateverTheHubSees(t *testing.T) {
	var reached atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, `{"id": 1, "result": null}`)
	}))
	defer target.Close()
	p, err := newProxy(t.Context(), target.URL, 7, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // which would try again by itself
	call := func(method string) error {
		answer, err := client.Post(p.url+"/erp/", "application/json", strings.NewReader(`{"id": 1, "method": "`+method+`", "params": []}`))
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	if err := call("model.stock.move.do"); err != nil {
		t.Fatalf("before it is on: %v", err)
	}
	p.on = true
	lost := 0
	for range 200 {
		if call("model.stock.move.do") != nil {
			lost++
		}
	}
	if lost != mostResets || p.resets != mostResets || p.lates != mostLates {
		t.Errorf("the hub lost %d answers of %d resets, and %d were late; want %d and %d", lost, p.resets, p.lates, mostResets, mostLates)
	}
	for range 50 {
		if err := call("model.production.search_read"); err != nil {
			t.Fatalf("a question is never disturbed: %v", err)
		}
	}
	if reached.Load() != 251 {
		t.Errorf("%d calls reached the ERP, want 251", reached.Load())
	}
}
