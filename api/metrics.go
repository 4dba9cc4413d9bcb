package api

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// A Metric is one line of docs/metrics.md.
type Metric struct {
	Name   string
	Type   string // counter, gauge, histogram
	Labels []string
	Help   string
}

// The metrics. No label is ever an id: plant, system and reason come from the
// catalog and from the closed list of reasons.
var (
	messagesRecorded   = Metric{"gapless_messages_recorded_total", "counter", []string{"plant", "system"}, "Messages put on record through this door."}
	messagesCorrected  = Metric{"gapless_messages_corrected_total", "counter", []string{"plant", "system"}, "Messages that restated what was on record."}
	messagesDuplicated = Metric{"gapless_messages_duplicated_total", "counter", []string{"plant", "system"}, "Messages that were known already and changed nothing."}
	messagesHeld       = Metric{"gapless_messages_held_total", "counter", []string{"plant", "system", "reason"}, "Messages kept and held with a reason."}
	messagesRefused    = Metric{"gapless_messages_refused_total", "counter", []string{"system", "reason"}, "Messages of which nothing was kept."}
	requestsRefused    = Metric{"gapless_requests_refused_total", "counter", []string{"reason"}, "Requests answered with a problem."}
	requestsAnswered   = Metric{"gapless_requests_answered_total", "counter", []string{"route", "status"}, "Requests by route and HTTP status."}
	requestSeconds     = Metric{"gapless_requests_answer_seconds", "histogram", []string{"route"}, "Time from the first byte of a request to the end of its answer; streams and long polls are left out."}
	exceptionsOpen     = Metric{"gapless_exceptions_open", "gauge", []string{"plant", "system", "reason"}, "Exceptions about messages and commands that stand open now."}
	exceptionsRaised   = Metric{"gapless_exceptions_opened_total", "counter", []string{"plant", "reason"}, "Exceptions that this node has raised; anew for another reason counts again."}
	exceptionsHealed   = Metric{"gapless_exceptions_healed_total", "counter", []string{"plant", "reason"}, "Exceptions that ended by themselves: what they waited for arrived."}
	exceptionsResolved = Metric{"gapless_exceptions_resolved_total", "counter", []string{"plant", "reason"}, "Exceptions that ended because a person or the source did something."}
	exceptionsWaived   = Metric{"gapless_exceptions_waived_total", "counter", []string{"plant", "reason"}, "Exceptions about what a person gave up."}
	eventsEdited       = Metric{"gapless_events_edited", "gauge", []string{"plant", "system"}, "Events that stand by content that people edited in the hub."}
	differencesOpen    = Metric{"gapless_differences_edited_open", "gauge", []string{"plant", "system"}, "Of the edited events, those of which the source says otherwise."}
	correctionsOpen    = Metric{"gapless_corrections_open", "gauge", []string{"plant", "system"}, "Corrections that are asked of sources."}
	exceptionsAge      = Metric{"gapless_exceptions_oldest_age_seconds", "gauge", []string{"plant", "system", "reason"}, "Age of the oldest exception that stands open now."}
	exceptionsTook     = Metric{"gapless_exceptions_ended_seconds", "histogram", []string{"plant", "reason"}, "Time for which exceptions stood that this node has ended: healed, resolved or waived."}
	exceptionsStage    = Metric{"gapless_exceptions_stage", "gauge", []string{"plant", "system", "reason", "stage"}, "Open exceptions that were warned of, and those that went to another owner (escalated), now; what is awaited and was warned of counts as warned."}
	alertsSent         = Metric{"gapless_alerts_sent_total", "counter", []string{"channel"}, "Alerts that this node has sent."}
	alertsFailed       = Metric{"gapless_alerts_failed_total", "counter", []string{"channel"}, "Messages with alerts that did not go out at a try of this node."}
	alertsWaiting      = Metric{"gapless_alerts_waiting", "gauge", []string{"channel"}, "Alerts that wait to be sent now."}
	stepsOpen          = Metric{"gapless_steps_open", "gauge", []string{"plant", "system", "status"}, "Steps that are not at their end now."}
	attemptsBegun      = Metric{"gapless_attempts_begun_total", "counter", nil, "Attempts at steps that this node has put on record."}
	stepsSettled       = Metric{"gapless_steps_settled_total", "counter", nil, "Steps of which this node has recorded what became of them."}
	commitsMade        = Metric{"gapless_commits_made_total", "counter", nil, "Database transactions committed by this node."}
	commitsHalved      = Metric{"gapless_commits_halved_total", "counter", nil, "Commits halved because an entry could not be stored."}
	commitsRetried     = Metric{"gapless_commits_retried_total", "counter", nil, "Commits tried again because the database was away."}
	commitSeconds      = Metric{"gapless_commits_made_seconds_total", "counter", nil, "Time spent in commits."}
	entriesCommitted   = Metric{"gapless_entries_committed_total", "counter", nil, "Entries taken by the committer, of every door."}
	eventsRecorded     = Metric{"gapless_events_recorded_total", "counter", nil, "Events recorded by this node."}
)

// MetricNames are all metrics of the API, in the order of the documentation.
func MetricNames() []Metric {
	return []Metric{
		messagesRecorded, messagesCorrected, messagesDuplicated, messagesHeld, messagesRefused,
		requestsRefused, requestsAnswered, requestSeconds, exceptionsOpen, exceptionsAge, exceptionsRaised, exceptionsHealed, exceptionsResolved, exceptionsWaived, exceptionsTook, exceptionsStage, eventsEdited, differencesOpen, correctionsOpen, alertsSent, alertsFailed, alertsWaiting, stepsOpen, attemptsBegun, stepsSettled,
		commitsMade, commitsHalved, commitsRetried, commitSeconds, entriesCommitted, eventsRecorded,
	}
}

// metrics counts what the API does.
type metrics struct {
	registry                                      *prometheus.Registry
	recorded, corrected, duplicated, held, refuse *prometheus.CounterVec
	requestRefusals, requestAnswers               *prometheus.CounterVec
	seconds                                       *prometheus.HistogramVec
}

func counter(m Metric) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
}

func newMetrics(registry *prometheus.Registry, f *flow.Flow, log *slog.Logger) (*metrics, error) {
	m := &metrics{
		registry: registry, recorded: counter(messagesRecorded), corrected: counter(messagesCorrected),
		duplicated: counter(messagesDuplicated), held: counter(messagesHeld), refuse: counter(messagesRefused),
		requestRefusals: counter(requestsRefused), requestAnswers: counter(requestsAnswered),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: requestSeconds.Name, Help: requestSeconds.Help, Buckets: prometheus.DefBuckets}, requestSeconds.Labels),
	}
	collectors := []prometheus.Collector{m.recorded, m.corrected, m.duplicated, m.held, m.refuse, m.requestRefusals, m.requestAnswers, m.seconds}
	if f != nil {
		collectors = append(collectors, newLedgerMetrics(f, log))
	}
	for _, c := range collectors {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// took counts what became of one message.
func (m *metrics) took(system string, a *flow.Answer) {
	switch {
	case a.Refused != nil:
		m.refuse.WithLabelValues(system, a.Refused.Reason.Code).Inc()
	case a.Outcome == ledger.Recorded:
		m.recorded.WithLabelValues(a.Plant, system).Inc()
	case a.Outcome == ledger.Corrected:
		m.corrected.WithLabelValues(a.Plant, system).Inc()
	case a.Outcome == ledger.Duplicate:
		m.duplicated.WithLabelValues(a.Plant, system).Inc()
	case a.Outcome == ledger.Held:
		m.held.WithLabelValues(a.Plant, system, reasonCode(a.Fault)).Inc()
	}
}

func reasonCode(f *fault.Fault) string {
	if f == nil {
		return ""
	}
	return f.Reason.Code
}

func (m *metrics) refused(reason string) { m.requestRefusals.WithLabelValues(reason).Inc() }

func (m *metrics) answered(route string, status int, took time.Duration) {
	m.requestAnswers.WithLabelValues(route, strconv.Itoa(status)).Inc()
	if route != feedRoute && route != streamRoute {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// tally is what became of messages since the program began, for the account.
type tally struct{ recorded, corrected, duplicate, held, refused atomic.Int64 }

func (t *tally) took(a *flow.Answer) {
	switch {
	case a.Refused != nil:
		t.refused.Add(1)
	case a.Outcome == ledger.Recorded:
		t.recorded.Add(1)
	case a.Outcome == ledger.Corrected:
		t.corrected.Add(1)
	case a.Outcome == ledger.Duplicate:
		t.duplicate.Add(1)
	case a.Outcome == ledger.Held:
		t.held.Add(1)
	}
}

// ledgerMetrics reads the ledger when it is scraped.
type ledgerMetrics struct {
	flow   *flow.Flow
	ledger *ledger.Ledger
	log    *slog.Logger
	open   *prometheus.Desc
	age    *prometheus.Desc
	ends   []exceptionCount
	edits  editDescs
	steps  *prometheus.Desc
	counts []ledgerCount
	took   *prometheus.Desc
	alerts alertMetrics
}

// ledgerCount is one counter that the ledger keeps itself.
type ledgerCount struct {
	desc *prometheus.Desc
	of   func(n *ledger.Counts) prometheus.Metric
}

// editDescs are the gauges about edits and corrections.
type editDescs struct{ edited, open, asked *prometheus.Desc }

// exceptionCount is one counter of exceptions.
type exceptionCount struct {
	desc *prometheus.Desc
	of   func(n *ledger.ExceptionCount) int64
}

func newLedgerMetrics(f *flow.Flow, log *slog.Logger) *ledgerMetrics {
	m := &ledgerMetrics{flow: f, ledger: f.Ledger(), log: log, took: describe(exceptionsTook), alerts: newAlertMetrics(), open: describe(exceptionsOpen), age: describe(exceptionsAge), steps: describe(stepsOpen), edits: editDescs{describe(eventsEdited), describe(differencesOpen), describe(correctionsOpen)}}
	m.ends = []exceptionCount{
		{describe(exceptionsRaised), func(n *ledger.ExceptionCount) int64 { return n.Opened }},
		{describe(exceptionsHealed), func(n *ledger.ExceptionCount) int64 { return n.Healed }},
		{describe(exceptionsResolved), func(n *ledger.ExceptionCount) int64 { return n.Resolved }},
		{describe(exceptionsWaived), func(n *ledger.ExceptionCount) int64 { return n.Waived }},
	}
	add := func(metric Metric, of func(n *ledger.Counts) int64) {
		desc := describe(metric)
		m.counts = append(m.counts, ledgerCount{desc, func(n *ledger.Counts) prometheus.Metric { return total(desc, of(n)) }})
	}
	add(commitsMade, func(n *ledger.Counts) int64 { return n.Commits })
	add(commitsHalved, func(n *ledger.Counts) int64 { return n.Halved })
	add(commitsRetried, func(n *ledger.Counts) int64 { return n.Retried })
	add(entriesCommitted, func(n *ledger.Counts) int64 { return n.Entries })
	add(eventsRecorded, func(n *ledger.Counts) int64 { return n.Events })
	add(attemptsBegun, func(n *ledger.Counts) int64 { return n.Attempts })
	add(stepsSettled, func(n *ledger.Counts) int64 { return n.Settled })
	seconds := describe(commitSeconds)
	m.counts = append(m.counts, ledgerCount{seconds, func(n *ledger.Counts) prometheus.Metric {
		return prometheus.MustNewConstMetric(seconds, prometheus.CounterValue, n.CommitTime.Seconds())
	}})
	return m
}

func describe(m Metric) *prometheus.Desc {
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}

func total(desc *prometheus.Desc, n int64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...) //nolint:forbidigo // Prometheus knows no other number
}

// Describe names the metrics.
func (m *ledgerMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.open
	to <- m.age
	to <- m.steps
	to <- m.took
	m.alerts.describe(to)
	to <- m.edits.edited
	to <- m.edits.open
	to <- m.edits.asked
	for _, e := range m.ends {
		to <- e.desc
	}
	for _, c := range m.counts {
		to <- c.desc
	}
}

// Collect reads the counts.
func (m *ledgerMetrics) Collect(to chan<- prometheus.Metric) {
	n := m.ledger.Counts()
	for _, c := range m.counts {
		to <- c.of(&n)
	}
	ctx := context.Background() //nolint:forbidigo // Prometheus hands none down; the ledger bounds its reads itself
	m.collectSteps(ctx, to)
	m.collectAlerts(ctx, to)
	m.collectEdits(ctx, to)
	for _, n := range m.ledger.ExceptionCounts() {
		for _, e := range m.ends {
			to <- total(e.desc, e.of(&n), n.Plant, n.Reason)
		}
		to <- m.tookOf(&n)
	}
	held, err := m.ledger.CountHeld(ctx, "")
	if err != nil {
		m.log.WarnContext(ctx, "exceptions cannot be counted", slog.Any("error", err))
		to <- prometheus.NewInvalidMetric(m.open, err)
		to <- prometheus.NewInvalidMetric(m.age, err)
		return
	}
	now := m.ledger.Now()
	for _, h := range held {
		to <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, now.Sub(h.Oldest).Seconds(), h.Plant, h.System, h.Reason)
		to <- prometheus.MustNewConstMetric(m.open, prometheus.GaugeValue, float64(h.Open), h.Plant, h.System, h.Reason) //nolint:forbidigo // Prometheus knows no other number
	}
}

func (m *ledgerMetrics) collectSteps(ctx context.Context, to chan<- prometheus.Metric) {
	steps, err := m.ledger.CountSteps(ctx)
	if err != nil {
		m.log.WarnContext(ctx, "steps cannot be counted", slog.Any("error", err))
		to <- prometheus.NewInvalidMetric(m.steps, err)
		return
	}
	for _, s := range steps {
		to <- prometheus.MustNewConstMetric(m.steps, prometheus.GaugeValue, float64(s.Open), s.Plant, s.System, string(s.Status)) //nolint:forbidigo // Prometheus knows no other number
	}
}

func (m *ledgerMetrics) collectEdits(ctx context.Context, to chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, n int64, plant, system string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), plant, system) //nolint:forbidigo // Prometheus knows no other number
	}
	edited, err := m.ledger.CountEdited(ctx)
	if err != nil {
		m.log.WarnContext(ctx, "edits cannot be counted", slog.Any("error", err))
		to <- prometheus.NewInvalidMetric(m.edits.edited, err)
	}
	for _, e := range edited {
		gauge(m.edits.edited, e.Events, e.Plant, e.System)
		gauge(m.edits.open, e.Open, e.Plant, e.System)
	}
	asked, err := m.ledger.OpenCorrections(ctx)
	if err != nil {
		m.log.WarnContext(ctx, "corrections cannot be counted", slog.Any("error", err))
		to <- prometheus.NewInvalidMetric(m.edits.asked, err)
	}
	for _, c := range asked {
		gauge(m.edits.asked, c.Open, c.Plant, c.System)
	}
}

// scrape answers /metrics to the machine itself, and to whoever may see all plants.
func (a *API) scrape(w http.ResponseWriter, r *http.Request) {
	if !onLoopback(r) {
		p, err := a.principal(r.Context(), r.Header.Get("Authorization"))
		if err == nil && !p.May(ledger.Viewer, "") {
			err = forbidden("metrics are of all plants: they need the role viewer at all of them")
		}
		if err != nil {
			a.refuse(w, r, err)
			return
		}
	}
	promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}
