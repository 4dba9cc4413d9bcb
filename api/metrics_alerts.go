package api

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gapless/gapless/ledger"
)

// alertMetrics describe what became of alerts, and of the exceptions that they are about.
type alertMetrics struct{ stage, sent, failed, waiting *prometheus.Desc }

func newAlertMetrics() alertMetrics {
	return alertMetrics{stage: describe(exceptionsStage), sent: describe(alertsSent), failed: describe(alertsFailed), waiting: describe(alertsWaiting)}
}

func (m *alertMetrics) describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.stage, m.sent, m.failed, m.waiting} {
		to <- desc
	}
}

// tookOf is how long the exceptions of a plant and reason stood that have ended.
func (m *ledgerMetrics) tookOf(n *ledger.ExceptionCount) prometheus.Metric {
	buckets := map[float64]uint64{} //nolint:forbidigo // Prometheus knows no other number
	for i, bound := range ledger.TookBounds() {
		buckets[bound.Seconds()] = uint64(n.Took.UpTo[i])
	}
	return prometheus.MustNewConstHistogram(m.took, uint64(n.Took.All), n.Took.Sum.Seconds(), buckets, n.Plant, n.Reason)
}

// stageKey is what the gauge of stages counts by.
type stageKey struct{ plant, system, reason, stage string }

func (m *ledgerMetrics) collectAlerts(ctx context.Context, to chan<- prometheus.Metric) {
	for _, c := range m.flow.AlertCounts() {
		to <- total(m.alerts.sent, c.Sent, c.Channel)
		to <- total(m.alerts.failed, c.Failed, c.Channel)
	}
	gauge := func(desc *prometheus.Desc, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), labels...) //nolint:forbidigo // Prometheus knows no other number
	}
	failed := func(desc *prometheus.Desc, err error) {
		m.log.WarnContext(ctx, "alerts and stages of exceptions cannot be counted", slog.Any("error", err))
		to <- prometheus.NewInvalidMetric(desc, err)
	}
	waiting, err := m.ledger.AlertsWaiting(ctx)
	if err != nil {
		failed(m.alerts.waiting, err)
	}
	for channel, n := range waiting {
		gauge(m.alerts.waiting, n, channel)
	}
	series, err := m.ledger.AlertCounts(ctx)
	if err != nil {
		failed(m.alerts.stage, err)
	}
	stages := map[stageKey]int64{}
	for s, n := range series {
		switch s.Stage {
		case 0:
		case ledger.StageWarned:
			stages[stageKey{s.Plant, s.System, s.Reason, "warned"}] += n
		case ledger.StageWarned + 1: // whatever was handed on further was handed on once
			stages[stageKey{s.Plant, s.System, s.Reason, "escalated"}] += n
		}
	}
	for k, n := range stages {
		gauge(m.alerts.stage, n, k.plant, k.system, k.reason, k.stage)
	}
}
