package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/serve"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/display"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"golang.org/x/sync/errgroup"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

//go:embed demo.html
var demoHTML string

var demoPage = template.Must(template.New("demo").Parse(demoHTML))

// demoBadge is a badge on the demo's page.
type demoBadge struct {
	UID, Employee, Name, Kind string
}

var demoBadges = []demoBadge{
	{"5A1F3C7E", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "Anna Müller", "4-byte badge"},
	{"04A21B7C5D6E80", "b2c3d4e5-f6a7-4801-bcde-f12345678901", "Jörg Weiß", "7-byte badge"},
	{"04B1C2D3E4F5061728A9", "c3d4e5f6-a7b8-4912-8def-123456789012", "Zoë Öztürk", "10-byte badge"},
	{"9C44E201", "", "Nobody's", "unknown badge"},
}

// Short times, so that one may come and go, and see a broken network mend. A test on a busy
// computer takes others.
var (
	demoLockout = 5 * time.Second // the page says five seconds
	demoAnswer  = 3 * time.Second
)

const demoSettle = 3 * time.Second

// network is the way to Zeitstrom: while it is down nobody listens there.
type network struct {
	handler http.Handler

	mu      sync.Mutex
	address string
	server  *http.Server // nil: down
}

func (n *network) up() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", cmp.Or(n.address, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	n.address = l.Addr().String()
	n.server = &http.Server{Handler: n.handler, ReadHeaderTimeout: 5 * time.Second}
	go n.server.Serve(l)
	return nil
}

func (n *network) down() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.server != nil {
		n.server.Close()
		n.server = nil
	}
}

func (n *network) isUp() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server != nil
}

// demo is a clock, a Zeitstrom for it, and a page that shows both.
type demo struct {
	out        io.Writer
	daemon     *daemon
	zeitstrom  *zeitstromtest.Server
	network    network
	dead       atomic.Bool // the reader
	answerTime time.Duration

	mu      sync.Mutex
	picture []byte // PNG
	says    string
	until   time.Time
}

var (
	_ device.Screen = (*demo)(nil)
	_ display.Panel = (*demo)(nil)
)

var demoCommand = command{
	name: "demo", help: "the whole clock on this computer, without hardware or account",
	flags: func(f *flags) action {
		listen := f.text("listen", "127.0.0.1:8470", "`address` of the page")
		return func(ctx context.Context, c *call) error { return c.demo(ctx, *listen) }
	},
}

func (c *call) demo(ctx context.Context, listen string) error {
	dir, err := os.MkdirTemp("", "timeclock-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	page, err := net.Listen("tcp", listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		page, err = net.Listen("tcp", "127.0.0.1:0") // any other will do
	}
	if err != nil {
		return err
	}
	defer page.Close()
	d, err := newDemo(ctx, dir, c)
	if err != nil {
		return err
	}
	defer d.network.down()
	defer d.daemon.Close()
	fmt.Fprintf(c.stdout, "The clock runs. Open http://%s in a browser and tap badges; Ctrl-C ends it.\n", page.Addr())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.daemon.Run(ctx) })
	group.Go(func() error { return serve.HTTP(ctx, page, serve.Options{Handler: d.handler(), Most: 50}) })
	return group.Wait()
}

// newDemo wires the clock to a Zeitstrom, with everything it keeps in dir.
func newDemo(ctx context.Context, dir string, c *call) (_ *demo, err error) {
	const token = "demo"
	d := &demo{out: c.stdout, zeitstrom: &zeitstromtest.Server{Token: token}}
	d.network.handler = d.zeitstrom
	if err := d.network.up(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.network.down()
		}
	}()
	cfg := config.Default()
	cfg.StateDir = dir
	cfg.Zeitstrom.URL = "http://" + d.network.address + zeitstromtest.Base
	cfg.Zeitstrom.TokenFile = filepath.Join(dir, "token")
	cfg.Reader.Driver = config.Simulated
	cfg.Clock.Trust = config.Always
	cfg.Display.Driver = config.NoDisplay
	cfg.Terminal.Lockout = demoLockout
	cfg.Uplink.Settle = demoSettle
	cfg.Display.AnswerTime = demoAnswer
	d.answerTime = demoAnswer
	if err := os.WriteFile(cfg.Zeitstrom.TokenFile, []byte(token), 0o600); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if d.daemon, err = newDaemon(ctx, cfg, log,
		extras{screens: []device.Screen{d}, panels: []display.Panel{d}}); err != nil {
		return nil, err
	}
	for _, b := range demoBadges {
		if b.Employee == "" {
			continue
		}
		uid, err := device.ParseUID(b.UID)
		if err == nil {
			_, err = d.daemon.rooms.Roster.Add(device.Badge{
				UID: uid, Employee: device.Employee{ID: device.EmployeeID(b.Employee), Name: b.Name},
			}, false)
		}
		if err != nil {
			d.daemon.Close()
			return nil, err
		}
	}
	return d, nil
}

func (d *demo) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		demoPage.Execute(w, demoBadges)
	})
	mux.HandleFunc("GET /events", d.events)
	mux.HandleFunc("POST /tap/{uid}", func(w http.ResponseWriter, r *http.Request) {
		uid, err := device.ParseUID(r.PathValue("uid"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		go d.tap(uid) // the page shows what becomes of it
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /switch/{what}/{to}", func(w http.ResponseWriter, r *http.Request) {
		broken := r.PathValue("to") == "broken"
		if !broken && r.PathValue("to") != "fine" {
			http.NotFound(w, r)
			return
		}
		switch r.PathValue("what") {
		case "network":
			if broken {
				d.network.down()
			} else if err := d.network.up(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		case "reader":
			d.dead.Store(broken)
			bus := mfrc522test.BusOK
			if broken {
				bus = mfrc522test.Low
			}
			d.daemon.chip.SetBus(bus)
		default:
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func (d *demo) tap(uid device.UID) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := d.daemon.admin.Tap(ctx, admin.Console, admin.WholeUID{UID: uid}); err != nil {
		fmt.Fprintf(d.out, "%s  no answer: the reader is dead\n", time.Now().Format(time.TimeOnly))
	}
}

// Show implements device.Screen: a line per tap.
func (d *demo) Show(o device.Outcome) {
	if o.Update {
		return
	}
	line := d.daemon.rooms.Style.Line(o)
	fmt.Fprintf(d.out, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.says, d.until = line, time.Now().Add(d.answerTime)
}

// String implements display.Panel.
func (d *demo) String() string { return "page" }

// Draw implements display.Panel.
func (d *demo) Draw(p *image1bit.VerticalLSB, _ display.Light) error {
	picture, err := display.PNG(p)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.picture = picture
	return nil
}

// view is what the page shows.
type view struct {
	Picture  string // PNG as a data URL
	Says     string // the same in words
	Network  bool
	Reader   bool
	Pending  int
	Received []received // newest first
}

type received struct{ ID, Name, Intent, Time string }

func (d *demo) view() view {
	s := d.daemon.admin.Glance()
	d.mu.Lock()
	v := view{
		Picture: "data:image/png;base64," + base64.StdEncoding.EncodeToString(d.picture),
		Says:    time.Now().Format("15:04"),
		Network: d.network.isUp(),
		Reader:  !d.dead.Load(),
		Pending: s.Pending,
	}
	if time.Now().Before(d.until) {
		v.Says = d.says
	}
	d.mu.Unlock()
	names := d.daemon.rooms.Roster.Names()
	all := d.zeitstrom.Timestamps()
	for i, t := range slices.Backward(all[max(0, len(all)-12):]) {
		v.Received = append(v.Received, received{
			ID:     fmt.Sprint(i),
			Name:   names[device.EmployeeID(t.Employee)],
			Intent: t.Intent,
			Time:   t.Time.Format(time.RFC3339),
		})
	}
	return v
}

// events streams the view whenever it changes, as server-sent events.
func (d *demo) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	var last []byte
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		now, err := json.Marshal(d.view())
		if err != nil {
			return
		}
		if !bytes.Equal(now, last) {
			last = now
			if _, err := fmt.Fprintf(w, "data: %s\n\n", now); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-look.C:
		}
	}
}
