package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// An account is what the hub counts.
type account struct {
	Held  int64
	Steps []struct {
		Status string
		Steps  int64
	}
	Echoes int64
}

func (a *account) steps(statuses ...string) int64 {
	var n int64
	for _, s := range a.Steps {
		for _, status := range statuses {
			if s.Status == status {
				n += s.Steps
			}
		}
	}
	return n
}

// An open is what stands as an exception.
type open struct {
	Command, Message, Plant, System, Name, Reason, Class, Title, Detail, Remedy string
}

// standstill is how long nothing may move while something is under way.
const standstill = 4 * time.Minute

// stuck is after how long without a posting the operator of a disturbed day looks at what
// stands still.
const stuck = 15 * time.Second

// settle waits until everything is done or stands as an exception, and tells how far it is.
func (d *demo) settle(ctx context.Context) error {
	began, moved, told := time.Now(), time.Now(), time.Now()
	first, before, quiet := int64(-1), int64(-1), 0
	for {
		var a account
		if err := d.hub.get(ctx, "/v1/account", nil, &a); err != nil {
			return err
		}
		done, left := a.steps("applied", "reversed"), a.steps("due", "waiting", "sent", "accepted", "unknown")
		if first < 0 {
			first = done
		}
		if done != before {
			before, moved = done, time.Now()
		}
		resumed := 0
		if left == 0 || time.Since(moved) > stuck { // what waits may wait for what was refused
			var err error
			if resumed, err = d.resume(ctx); err != nil {
				return err
			}
		}
		if quiet++; left > 0 || resumed > 0 {
			quiet = 0
		}
		if quiet > 2 {
			d.say("%d postings are done", done)
			return nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			d.progress(done, left, (done-first)*10/max(1, int64(time.Since(began).Seconds())), a.Held+a.steps("refused", "held"))
		}
		if time.Since(moved) > standstill {
			return errors.Join(fmt.Errorf("nothing has moved for %s, and %d postings are under way", standstill, left), d.listOpen(ctx))
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// progress tells how far it is; the rate is in tenths a second.
func (d *demo) progress(done, left, rate, standing int64) {
	estimate := "no estimate yet"
	if rate > 0 {
		estimate = "done in about " + (time.Duration(left*10/rate) * time.Second).String()
	}
	d.say("posted %d of %d, %d.%d a second, %s; %d stand still", done, done+left, rate/10, rate%10, estimate, standing)
}

// exceptions lists what stands still.
func (d *demo) exceptions(ctx context.Context) ([]open, error) {
	var page struct{ Held []open }
	err := d.hub.get(ctx, "/v1/exceptions", url.Values{"limit": {"1000"}}, &page)
	return page.Held, err
}

// resume does what the operator of a disturbed day would: it lets go on what a system has
// refused, once the disturbance is over. In an undisturbed day nothing needs that.
func (d *demo) resume(ctx context.Context) (int, error) {
	if d.faults == nil {
		return 0, nil
	}
	all, err := d.exceptions(ctx)
	if err != nil {
		return 0, err
	}
	resumed := 0
	for _, x := range all {
		if x.Command == "" || d.faults.resumed[x.Command] >= maxResumes {
			continue
		}
		d.faults.resumed[x.Command]++
		body, err := json.Marshal(map[string]string{"how": "resume"})
		if err != nil {
			return resumed, err
		}
		if err := d.hub.ask(ctx, "POST", "/v1/commands/"+x.Command+"/resolve", body, nil); err != nil {
			d.say("%s of %s could not be resumed: %v", x.Name, x.System, err)
			continue
		}
		resumed++
		d.say("the operator resumes %s: %s: %.120s", x.Name, x.Title, x.Detail)
	}
	return resumed, nil
}

// listOpen prints every open matter and what it says to do.
func (d *demo) listOpen(ctx context.Context) error {
	all, err := d.exceptions(ctx)
	for _, x := range all {
		d.say("open: %s/%s at %s: %s: %.200s\n          to do: %s", x.System, x.Name, x.Plant, x.Title, x.Detail, x.Remedy)
	}
	return err
}
