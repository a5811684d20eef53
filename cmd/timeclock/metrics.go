package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/serve"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/device/durable"
	"timeclock/sync/zeitstrom"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// tapCounter counts taps, and how long their answers took.
type tapCounter struct {
	taps    *prometheus.CounterVec
	answers prometheus.Histogram
}

var _ device.Screen = (*tapCounter)(nil)

func newTapCounter() *tapCounter {
	t := &tapCounter{
		prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "timeclock_taps_total", Help: "Taps since the start, by the answer that they got.",
		}, []string{"answer"}),
		prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "timeclock_tap_answer_seconds", Help: "Time from the badge in the field to the answer.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .3, .5, 1, 2},
		}),
	}
	for _, kind := range []device.OutcomeKind{
		device.CheckedIn, device.CheckedOut, device.Repeated, device.Unknown, device.Blocked, device.Failed,
		device.Chosen, device.HoursShown, device.Tried,
	} {
		t.taps.WithLabelValues(string(kind))
	}
	return t
}

// Show implements device.Screen: it counts.
func (t *tapCounter) Show(o device.Outcome) {
	if o.Update {
		return
	}
	t.taps.WithLabelValues(string(o.Kind)).Inc()
	// A key has no tap; and the system clock may have been set in between.
	if took := time.Since(o.Tap.Time); took > 0 && !o.Tap.Time.IsZero() {
		t.answers.Observe(took.Seconds())
	}
}

// monitor serves numbers for Prometheus, and one answer for simpler tools. It knows
// no names and no badges.
type monitor struct {
	cfg      config.Config
	admin    *admin.Admin
	log      *slog.Logger
	started  time.Time
	registry *prometheus.Registry
}

func newMonitor(cfg config.Config, a *admin.Admin, taps *tapCounter, log *slog.Logger) *monitor {
	m := &monitor{cfg, a, log, time.Now(), prometheus.NewRegistry()}
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	m.registry.MustRegister(taps.taps, taps.answers, present{m}, collectors.NewGoCollector(), process)
	return m
}

// maxMonitors is how many connections those have that watch the clock.
const maxMonitors = 20

// listenAgain is how soon an address that could not be had is tried again.
const listenAgain = 5 * time.Second

func (m *monitor) String() string { return "monitor" }

// Run serves until ctx ends. An address that cannot be had does not keep the clock
// from booking.
func (m *monitor) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics",
		promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /healthz", m.health)
	l, err := net.Listen("tcp", m.cfg.Monitor.Listen)
	if err != nil {
		m.log.Error("no monitoring yet, trying again: is [monitor] listen an address of this device?", "error", err)
	}
	for err != nil { // its network may not be there yet
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(listenAgain):
			l, err = net.Listen("tcp", m.cfg.Monitor.Listen)
		}
	}
	m.log.Info("monitoring", "address", l.Addr().String())
	return serve.HTTP(ctx, l, serve.Options{Handler: mux, Slowest: 15 * time.Second, Most: maxMonitors})
}

// health answers 200 while taps become bookings on the disk, else 503 and why not.
// A network that is away is no reason.
func (m *monitor) health(w http.ResponseWriter, r *http.Request) {
	h, err := m.admin.Health(r.Context(), "", admin.None{})
	if err != nil {
		h.Problem = err.Error()
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if h.Problem+h.Reader != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, strings.Trim(h.Problem+"\n"+h.Reader, "\n"))
		return
	}
	fmt.Fprintln(w, "ok")
}

// present is the state of the clock at the moment in which it is asked for.
type present struct{ *monitor }

// gauge is one of its numbers.
type gauge struct {
	name, help string
	kind       prometheus.ValueType
	value      float64
	labels     prometheus.Labels
}

// Describe implements prometheus.Collector: what there is follows from Collect.
func (present) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c present) Collect(out chan<- prometheus.Metric) {
	for _, g := range c.numbers() {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("timeclock_"+g.name, g.help, nil, g.labels), g.kind,
			g.value)
	}
}

// silent is how long no badge was read. It is counted back by the monotonic clock: the
// system's may have been set since.
func (m *monitor) silent(s admin.Status) time.Duration {
	last := m.started
	if read := s.Reader.Since; !read.IsZero() {
		last = read
	}
	now := time.Now()
	return m.cfg.Monitor.Hours.Between(now.Round(0).Add(-now.Sub(last)), now.Round(0), m.cfg.Clock.Zone)
}

// is is 1 for yes.
func is(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (c present) numbers() []gauge {
	s := c.admin.Glance()
	age := 0.0
	if s.OldestPending != nil {
		age = time.Since(*s.OldestPending).Seconds()
	}
	const now, ever = prometheus.GaugeValue, prometheus.CounterValue
	all := []gauge{
		{"info", "The version that runs.", now, 1, prometheus.Labels{"version": s.Version}},
		{"pending_punches", "Bookings that Zeitstrom does not have yet.", now, float64(s.Pending), nil},
		{
			"ambiguous_punches", "Pending bookings that were sent and not clearly answered.",
			now, float64(s.Ambiguous), nil,
		},
		{"held_punches", "Pending bookings that wait for a person or for the time.", now, float64(s.Held), nil},
		{"oldest_pending_age_seconds", "Age of the oldest pending booking; 0 if none is pending.", now, age, nil},
		{"quarantined_punches", "Bookings that Zeitstrom has refused for good.", now, float64(s.Quarantined), nil},
		{"delivered_punches_total", "Bookings that Zeitstrom has.", ever, float64(s.Delivered), nil},
		{"unclaimed_taps", "Taps of badges that belong to nobody.", now, float64(s.Unclaimed), nil},
		{"badges", "Badges in the badge map.", now, float64(s.Badges), nil},
		{"storage_healthy", "Whether the last write succeeded.", now, is(s.Storage.Healthy), nil},
		{"reader_healthy", "Whether the reader works.", now, is(s.Reader.Healthy), nil},
		{
			"reader_restarts_total", "How often a reader that had worked was set up again.", ever,
			float64(s.Reader.Restarts), nil,
		},
		{"reader_reads_total", "Badges that were read.", ever, float64(s.Reader.Reads), nil},
		{"reader_errors_total", "Badges that were read badly, and tried again.", ever, float64(s.Reader.Errors), nil},
		{
			"reader_silent_seconds", "Time within [monitor] hours since a badge was read, or since the start.", now,
			c.silent(s).Seconds(), nil,
		},
		{
			"reader_silent_after_seconds", "[monitor] silent_after: when that is odd; 0: never.", now,
			c.cfg.Monitor.SilentAfter.Seconds(), nil,
		},
		{"display_healthy", "Whether the display works.", now, is(s.Display.Healthy), nil},
		{"uplink_online", "Whether the last request got an answer of Zeitstrom's own.", now, is(s.Uplink.Online), nil},
		{
			"uplink_blocked", "Whether something keeps everybody's bookings here: no network, a refused token, say.",
			now, is(s.Uplink.Problem != ""), nil,
		},
		{"uplink_stuck_punches", "Bookings that wait though others are sent.", now, float64(s.Uplink.Stuck), nil},
		{"badges_lost", "Whether part of the badge map is missing.", now, is(s.Roster.Lost), nil},
		{"clock_trusted", "Whether the system clock is believed.", now, is(s.Clock.Trusted), nil},
		{
			"clock_offset_seconds", "How far the system clock is from the time server's, as far as the kernel knows.",
			now, s.Clock.Offset.Seconds(), nil,
		},
	}
	return slices.Concat(all, choices(s), c.mayLack(s))
}

// choices are the numbers of what employees choose.
func choices(s admin.Status) []gauge {
	const now = prometheus.GaugeValue
	return []gauge{
		{
			"projects_waiting", "Projects that Zeitstrom's timespans are still to get.", now,
			float64(s.Projects.Waiting), nil,
		},
		{"projects_refused", "Of those, refused by Zeitstrom so far.", now, float64(s.Projects.Refused), nil},
		{"projects_off", "Whether no token may assign projects.", now, is(s.Projects.Off != ""), nil},
		{"keys_healthy", "Whether the push-buttons are there.", now, is(s.Keys.Healthy), nil},
	}
}

// mayLack are the numbers that are not always there, or there several times.
func (c present) mayLack(s admin.Status) (all []gauge) {
	const now, ever = prometheus.GaugeValue, prometheus.CounterValue
	if read := s.Reader.LastRead; read != nil {
		all = append(all, gauge{
			"reader_last_read_timestamp_seconds",
			"When the last badge was read; missing: none since the start.",
			now, float64(read.Unix()), nil,
		})
	}
	for kind, n := range s.Uplink.Errors {
		all = append(all, gauge{
			"uplink_errors_total", "Requests to Zeitstrom that failed, by kind.", ever, float64(n),
			prometheus.Labels{"kind": zeitstrom.Kind(kind).String()},
		})
	}
	x := s.Examination
	for _, v := range []doctor.Verdict{doctor.Warn, doctor.Fail} {
		all = append(all, gauge{
			"self_check_findings", "What the last examination has found, by verdict.", now,
			float64(doctor.Count(x.Findings, v)),
			prometheus.Labels{"verdict": string(v)},
		})
	}
	if disk, err := durable.RoomIn(c.cfg.StateDir); err == nil {
		all = append(all,
			gauge{"disk_free_bytes", "Room for bookings.", now, float64(disk.Free), nil},
			gauge{"disk_size_bytes", "Size of the disk that has the bookings.", now, float64(disk.Size), nil})
	}
	return all
}
