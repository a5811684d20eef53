package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/serve"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"golang.org/x/sync/errgroup"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// The sample company of the demo.
const (
	demoPeople = 30
	demoBadges = 26
	demoToken  = "demo"
)

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

// demo is a clock of a sample company, a Zeitstrom for it, and a page that shows all of it.
type demo struct {
	out       io.Writer
	company   *sample
	daemon    *daemon
	zeitstrom *zeitstromtest.Server
	network   network
	dead      atomic.Bool // the reader

	mu       sync.Mutex
	style    display.Style
	language string // its code
	picture  []byte // PNG
	answer   answer
}

// answer is the last answer to a tap, as the page tells it.
type answer struct {
	Number int    // of the answer, from 1
	Says   string // in words
	Rhythm string // how it sounds
	until  time.Time
}

var (
	_ device.Screen = (*demo)(nil)
	_ display.Panel = (*demo)(nil)
)

var demoCommand = command{
	name: "demo", help: "the whole clock of a sample company on this computer, without hardware or account",
	flags: func(f *flags) action {
		listen := f.text("listen", "127.0.0.1:8470", "`address` of the page, on this computer")
		api := f.text("api", "", "`address` of the simulated Zeitstrom, for a clock of your own beside it")
		loud := f.truth("v", "print the clock's log")
		return func(ctx context.Context, c *call) error { return c.demo(ctx, *listen, *api, *loud) }
	},
}

func (c *call) demo(ctx context.Context, listen, api string, loud bool) error {
	if host, _, err := net.SplitHostPort(listen); err != nil || !isLoopback(host) {
		return fmt.Errorf("%w: -listen %s: whoever reaches the demo is its admin, so that it takes an address of this "+
			"computer only, such as 127.0.0.1:8470", errUsage, listen)
	}
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
	tail := &logTail{}
	log := newLog(tail)
	if loud {
		log = newLog(io.MultiWriter(c.stderr, tail))
	}
	d, err := newDemo(ctx, dir, api, c.stdout, log, tail.Lines)
	if err != nil {
		return err
	}
	defer d.network.down()
	defer d.daemon.Close()
	fmt.Fprintf(c.stdout, "The clock runs. Open http://%s/demo in a browser and hold badges to it; Ctrl-C ends it.\n",
		page.Addr())
	if api != "" {
		fmt.Fprintf(c.stdout, "The simulated Zeitstrom: url = \"http://%s%s\", and the token is %s\n",
			d.network.address, zeitstromtest.Base, demoToken)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.daemon.Run(ctx) })
	group.Go(func() error { return serve.HTTP(ctx, page, serve.Options{Handler: d.handler(), Most: 50}) })
	return group.Wait()
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// newDemo wires the clock to a Zeitstrom, with everything it keeps in dir.
func newDemo(
	ctx context.Context, dir, api string, out io.Writer, log *slog.Logger, tail func() []string,
) (_ *demo, err error) {
	d := &demo{
		out: out, company: newSample(demoPeople, demoBadges, time.Now()),
		zeitstrom: &zeitstromtest.Server{Token: demoToken},
	}
	d.zeitstrom.SetPeople(d.company.people)
	d.zeitstrom.SetProjects([]zeitstromtest.Project{demoProject})
	d.zeitstrom.SetEmployees(d.company.known())
	d.network.handler, d.network.address = d.zeitstrom, api
	if err := d.network.up(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.network.down()
		}
	}()
	cfg, err := demoSettings(dir, d.network.address)
	if err != nil {
		return nil, err
	}
	x := extras{screens: []device.Screen{d}, panels: []display.Panel{d}, sample: true, tail: tail}
	if d.daemon, err = newDaemon(ctx, cfg, log, x); err != nil {
		return nil, err
	}
	d.style, d.language = d.daemon.rooms.Style, cfg.Display.Language
	if err := d.company.fill(d.daemon); err != nil {
		d.daemon.Close()
		return nil, err
	}
	return d, nil
}

// demoSettings are those of the demo's clock.
func demoSettings(dir, api string) (config.Config, error) {
	cfg := config.Default()
	cfg.StateDir = dir
	cfg.Zeitstrom.URL = "http://" + api + zeitstromtest.Base
	cfg.Zeitstrom.TokenFile = filepath.Join(dir, "token")
	cfg.Zeitstrom.AdminTokenFile = cfg.Zeitstrom.TokenFile
	cfg.Reader.Driver = config.Simulated
	cfg.Clock.Trust = config.Always
	cfg.Display.Driver = config.NoDisplay
	cfg.Display.AnswerTime = demoAnswer
	if strings.HasPrefix(os.Getenv("LANG"), "de") {
		cfg.Display.Language = "de"
	}
	cfg.Terminal.Lockout = demoLockout
	cfg.Uplink.Settle = demoSettle
	cfg.Door.Name, cfg.Door.Company = sampleDoor, sampleCompany
	var err error
	if cfg.Clock.Zone, err = time.LoadLocation(sampleZone); err != nil {
		return cfg, err
	}
	return cfg, os.WriteFile(cfg.Zeitstrom.TokenFile, []byte(demoToken), 0o600)
}

// known are those whom Zeitstrom knows.
func (c *sample) known() []string {
	var ids []string
	for _, p := range c.people {
		if device.EmployeeID(p.ID) != c.refused {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// staff are those who work there.
func (c *sample) staff() (iter.Seq2[device.Person, error], error) {
	return func(yield func(device.Person, error) bool) {
		for _, p := range c.people {
			if !yield(device.Person{Employee: sampleEmployee(p), External: p.External}, nil) {
				return
			}
		}
	}, nil
}

// fill gives a clock the company's badges and bookings.
func (c *sample) fill(d *daemon) error {
	var list bytes.Buffer
	if err := roster.Export(&list, c.badges); err != nil {
		return err
	}
	o := roster.Options{Numbers: device.Hex, Staff: c.staff}
	if _, err := d.rooms.Roster.Import(&list, o); err != nil {
		return err
	}
	for _, f := range demoFunctions {
		uid, err := device.ParseUID(f.uid)
		if err := errors.Join(err, d.rooms.Roster.SetFunction(uid, f.function)); err != nil {
			return err
		}
	}
	for _, p := range c.past {
		if _, err := d.queue.Append(p, false); err != nil {
			return err
		}
	}
	return nil
}

// speak changes the language of the device.
func (d *demo) speak(code string) error {
	l, err := display.NewLanguage(code)
	if err != nil {
		return err
	}
	d.daemon.rooms.Display.Speak(l)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.style.Language, d.language = l, code
	return nil
}

// tap brings a badge to the reader. A dead reader does not see it.
func (d *demo) tap(uid device.UID) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := d.daemon.admin.Tap(ctx, admin.Console, admin.WholeUID{UID: uid}); err != nil {
		d.mu.Lock()
		code := d.language
		d.mu.Unlock()
		d.say(demoWords[code]["no_answer"], "")
	}
}

// Show implements device.Screen: a line per tap. The hours come with the month's.
func (d *demo) Show(o device.Outcome) {
	if o.Awaits || o.Update && o.Kind != device.HoursShown {
		return
	}
	d.mu.Lock()
	line := d.style.Line(o)
	d.mu.Unlock()
	d.say(line, display.Rhythm(o))
}

func (d *demo) say(line, rhythm string) {
	now := time.Now()
	fmt.Fprintf(d.out, "%s  %s\n", now.In(d.style.Zone).Format(time.TimeOnly), line)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer{d.answer.Number + 1, line, rhythm, now.Add(demoAnswer)}
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
