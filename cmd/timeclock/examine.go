package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/deploy/update"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/sync/zeitstrom"
)

// examination looks at a clock from its supply to its bookings.
type examination struct {
	cfg  config.Config
	host doctor.Host
	wall *clock.Clock
	api  *zeitstrom.Client
}

// askTime bounds what is asked of Zeitstrom.
const askTime = 15 * time.Second

// whole looks at everything.
func (x examination) whole(ctx context.Context, s admin.Status) []doctor.Finding {
	return append(x.here(s), x.uplink(ctx, s, true)...)
}

// brief is what a start shows: it asks Zeitstrom nothing, and looks at the network
// only if the uplink finds no way.
func (x examination) brief(ctx context.Context, s admin.Status) []doctor.Finding {
	return append(x.here(s), x.uplink(ctx, s, false)...)
}

// here looks at what needs no network.
func (x examination) here(s admin.Status) []doctor.Finding {
	all := []doctor.Finding{x.host.Board(), x.host.Power(), x.host.Memory(), x.host.Disk(x.cfg.StateDir), storage(s)}
	all = append(all, x.reader(s)...)
	all = append(all, x.display(s)...)
	if x.host.IsPi() {
		all = append(all, x.host.Watchdog())
	}
	if x.cfg.Clock.Trust != config.Always {
		chip, err := x.wall.Chip()
		all = append(all, clockChip(chip, err, x.host.Setting("dtoverlay=i2c-rtc,ds3231")))
	}
	zone := x.cfg.Clock.Zone
	all = append(all, systemTime(s, zone), doctor.Zone(zone, time.Now()), holders(s), bookings(s))
	if len(x.cfg.Keys) > 0 {
		all = append(all, judge("keys", s.Keys.Problem, fmt.Sprintf("%d are listened to", len(x.cfg.Keys)),
			"compare [keys] with how they are wired"))
	}
	if s.Projects.Waiting > 0 {
		all = append(all, projects(s.Projects))
	}
	if s.OldDevice != nil {
		all = append(all, oldDevice(*s.OldDevice))
	}
	if x.cfg.Update.URL != "" {
		all = append(all, updates(update.ReadChannel(shownDir), s))
	}
	if s.Settings.Problem != "" {
		all = append(all,
			judge("settings", s.Settings.Problem, "", "timeclock config check, then sudo systemctl restart timeclock"))
	}
	if x.cfg.Web.Listen != "" {
		all = append(all, judge("page", s.Page.Problem, "https://"+s.Page.Address, "see [web] in the settings"))
	}
	return all
}

// updates judges where updates come from. A clock that does not know the time judges no date.
func updates(c update.Channel, s admin.Status) doctor.Finding {
	var now time.Time
	if s.Clock.Trusted {
		now = time.Now()
	}
	if warning := c.Warning(s.Version, now); warning != "" {
		return doctor.Finding{
			Check:   "updates",
			Verdict: doctor.Warn,
			Found:   warning,
			Do:      "see `journalctl -u timeclock-stage -u timeclock-fetch`, and ask who makes the packages",
		}
	}
	if c.Date.IsZero() {
		return doctor.Good("updates", "nothing was found yet that is signed with a date")
	}
	return doctor.Good("updates", "the newest word is of %s", c.Date.Format(time.DateOnly))
}

// judge is a finding about a part that says itself what is the matter.
func judge(check, problem, fine, do string) doctor.Finding {
	if problem != "" {
		return doctor.Finding{Check: check, Verdict: doctor.Fail, Found: problem, Do: do}
	}
	return doctor.Good(check, "%s", fine)
}

func storage(s admin.Status) doctor.Finding {
	if s.Storage.Problem == "" && s.Storage.Notice != "" {
		return doctor.Finding{
			Check: "storage", Verdict: doctor.Warn, Found: s.Storage.Notice,
			Do: "if it happens again, put in a new card",
		}
	}
	return judge("storage", s.Storage.Problem, "the last write succeeded",
		"bookings are not saved: see what is said of the disk; a card that takes no writes is worn out")
}

const wires = "check supply (3.3 V) and wires against the table in deploy/README.md; " +
	"`timeclock doctor reader` shows how well it hears"

func (x examination) reader(s admin.Status) (all []doctor.Finding) {
	if x.cfg.Reader.Driver == config.Simulated {
		return []doctor.Finding{doctor.Good("reader", "%s", s.Reader.Chip)}
	}
	node := x.host.Node("spi", x.cfg.Reader.SPI, doctor.SPI)
	if all = append(all, node); node.Verdict == doctor.Fail {
		return all
	}
	if warning := speedWarning(x.cfg); warning != "" {
		all = append(all, doctor.Finding{
			Check: "spi speed", Verdict: doctor.Warn, Found: warning, Do: "set spi_khz to 4000 or less",
		})
	}
	if s.Reader.Problem == "" && s.Reader.Note != "" {
		return append(all, doctor.Finding{
			Check: "reader", Verdict: doctor.Warn, Found: s.Reader.Note,
			Do: "nothing, if badges are read; a newer kernel may mend it",
		})
	}
	return append(all, judge("reader", s.Reader.Problem, s.Reader.Chip, wires))
}

func (x examination) display(s admin.Status) (all []doctor.Finding) {
	switch {
	case x.cfg.Display.Driver == config.NoDisplay:
		all = append(all, doctor.Good("display", "none is configured"))
	case x.cfg.Display.SPI != "":
		all = append(all, x.host.Node("display bus", x.cfg.Display.SPI, doctor.SPI))
	default:
		all = append(all, x.host.Node("i2c", x.cfg.Display.I2C, doctor.I2C))
	}
	if x.cfg.Display.Driver != config.NoDisplay && all[0].Verdict == doctor.OK {
		all = append(all,
			judge("display", s.Display.Problem, "it takes pictures",
				"check its wires; on the I2C bus it has the address 3C (i2cdetect -y 1 shows what is there)"))
	}
	return append(all, judge("signal", s.Signal.Problem, "no trouble", "see [signal] in the settings, and the wires"))
}

// clockChip judges what goes on without power. Setting says how a wired one is enabled.
func clockChip(chip clock.Chip, err error, setting string) doctor.Finding {
	warn := func(found, do string) doctor.Finding {
		return doctor.Finding{
			Check: "rtc", Verdict: doctor.Warn, Found: found, Do: do + "; or see that a time server is always reached",
		}
	}
	switch {
	case err != nil:
		return warn(fmt.Sprintf("%v: after a power cut the time is unknown until a time server answers", err),
			fmt.Sprintf("wire a DS3231 with a battery, and %s", setting))
	case !chip.OnBoard:
		return doctor.Good("rtc", "%s", chip.Name)
	case chip.Battery == clock.BatteryGone:
		return warn("the Pi's own clock chip lost its time when it had no power: it has no battery, or an empty one",
			fmt.Sprintf("connect its battery (ML-2020, at the connector J5 \"BAT\"), or wire a DS3231 and %s", setting))
	case chip.Battery == clock.BatteryHolds:
		return doctor.Good("rtc", "%s, the Pi's own: its battery holds", chip.Name)
	}
	return doctor.Good("rtc", "%s, the Pi's own: whether it has a battery is unknown until the Pi has been without "+
		"power", chip.Name)
}

func systemTime(s admin.Status, zone *time.Location) doctor.Finding {
	if !s.Clock.Trusted {
		return doctor.Finding{
			Check: "time", Verdict: doctor.Warn, Found: s.Clock.Source,
			Do: "see with `timedatectl` whether a time server is reached (UDP port 123); " +
				"bookings wait for the time until then",
		}
	}
	return doctor.Good("time", "%s: %s", time.Now().In(zone).Format(time.DateTime), s.Clock.Source)
}

func holders(s admin.Status) doctor.Finding {
	switch {
	case s.Roster.Lost:
		return doctor.Finding{
			Check: "badges", Verdict: doctor.Fail, Found: s.Roster.Damage, Do: "timeclock badge import FILE",
		}
	case s.Roster.Damage != "":
		return doctor.Finding{Check: "badges", Verdict: doctor.Warn, Found: s.Roster.Damage}
	case s.Badges == 0:
		return doctor.Finding{
			Check: "badges", Verdict: doctor.Warn, Found: "nobody has a badge",
			Do: "take over a list: timeclock badge import FILE",
		}
	case s.Roster.Problem != "":
		return doctor.Finding{
			Check: "badges", Verdict: doctor.Warn, Do: "timeclock badge sync",
			Found: fmt.Sprintf("not compared with Zeitstrom: %s", s.Roster.Problem),
		}
	}
	return doctor.Good("badges", "%d badges", s.Badges)
}

// tooLong is how old a pending booking should not get.
const tooLong = 2 * time.Hour

func bookings(s admin.Status) doctor.Finding {
	found := fmt.Sprintf("%d pending, %d delivered, %d quarantined", s.Pending, s.Delivered, s.Quarantined)
	warn := func(do string) doctor.Finding {
		return doctor.Finding{Check: "bookings", Verdict: doctor.Warn, Found: found, Do: do}
	}
	switch {
	case s.Quarantined > 0:
		return warn("Zeitstrom has refused some: `timeclock queue list` says why, " +
			"`timeclock queue retry` and `drop` decide")
	case s.Stranded > 0:
		return warn(fmt.Sprintf("of %d nobody knows the time: `timeclock queue list`, `timeclock queue time`",
			s.Stranded))
	case s.OldestPending != nil && time.Since(*s.OldestPending) > tooLong:
		return warn(fmt.Sprintf("the oldest is of %s: see what is said of the way to Zeitstrom",
			s.OldestPending.Local().Format(time.DateTime)))
	}
	return doctor.Good("bookings", "%s", found)
}

// oldDevice tells of what a device that this one has replaced had not sent.
func oldDevice(o admin.OldDevice) doctor.Finding {
	return doctor.Finding{
		Check: "old device", Verdict: doctor.Warn,
		Found: fmt.Sprintf("%d bookings of %s wait for a word", o.Punches, o.Name),
		Do:    "once its card is gone for good: sudo timeclock restore -take-over",
	}
}

// projects judges those that are still to be assigned.
func projects(p admin.ProjectStatus) doctor.Finding {
	warn := func(found, do string) doctor.Finding {
		return doctor.Finding{Check: "projects", Verdict: doctor.Warn, Found: found, Do: do}
	}
	switch {
	case p.Off != "":
		return warn(fmt.Sprintf("%d are still to be assigned to timespans, and the token may not: %s",
			p.Waiting, p.Off), "give it the permission at Zeitstrom, or set zeitstrom.admin_token_file")
	case p.Refused > 0:
		return warn(fmt.Sprintf("Zeitstrom refuses %d of the %d that are still to be assigned to timespans",
			p.Refused, p.Waiting), "`timeclock queue list -projects` says why")
	}
	return doctor.Good("projects", "%d are still to be assigned to timespans", p.Waiting)
}

// uplink looks at the way to Zeitstrom, and asks what the token may do.
func (x examination) uplink(ctx context.Context, s admin.Status, ask bool) (all []doctor.Finding) {
	u := s.Uplink
	answers := u.Online
	if ask || !u.Online {
		var roots *x509.CertPool
		if file := x.cfg.Zeitstrom.CAFile; file != "" {
			var err error
			if roots, err = zeitstrom.Roots(file); err != nil {
				return append(all, judge("tls", err.Error(), "", "mend zeitstrom.ca_file"))
			}
		}
		all, answers = doctor.Network{URL: x.cfg.Zeitstrom.URL, Roots: roots}.Look(ctx)
	}
	if warning := tokenWarning(x.cfg); warning != "" {
		what, do, _ := strings.Cut(warning, ": ")
		all = append(all, doctor.Finding{Check: "token file", Verdict: doctor.Fail, Found: what, Do: do})
		if !strings.Contains(what, "by others") { // else it works all the same
			return all
		}
	}
	switch {
	case !answers:
		return append(all, doctor.Finding{
			Check: "token", Verdict: doctor.Warn, Found: "nobody could be asked whether it is good",
			Do: "mend the way to Zeitstrom first",
		})
	case !ask:
		return append(all, judge("token", u.Problem, "Zeitstrom takes it", "see `timeclock doctor`"))
	}
	return append(all, x.token(ctx)...)
}

func (x examination) token(ctx context.Context) []doctor.Finding {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	may, err := x.api.Rights(ctx)
	if err != nil {
		return []doctor.Finding{judge("token", err.Error(), "",
			"compare zeitstrom.url and the token with what Zeitstrom's administrator says")}
	}
	var lacks []string
	if !may.Timespans {
		lacks = append(lacks, "it may not read timespans, so that ambiguous bookings wait for a person, "+
			"and other doors do not count")
	}
	if !may.Employees && x.cfg.Roster.Zeitstrom {
		lacks = append(lacks, "it may not read employees, so that the badge map cannot follow Zeitstrom")
	}
	if len(lacks) > 0 {
		return []doctor.Finding{{
			Check: "token", Verdict: doctor.Warn, Found: strings.Join(lacks, "; "),
			Do: "give it the permission at Zeitstrom",
		}}
	}
	if may.Employees {
		return []doctor.Finding{doctor.Good("token", "Zeitstrom takes it; it may read timespans and employees")}
	}
	return []doctor.Finding{doctor.Good("token", "Zeitstrom takes it; it may read timespans")}
}

// startCheck examines the clock after its start, for the log and the display, and again when
// something has changed, so that nobody reads of what was mended an hour ago.
type startCheck struct {
	examination
	admin *admin.Admin
	log   *slog.Logger
}

// networkTime is how long a start may take to find the network.
const networkTime = 30 * time.Second

func (c startCheck) String() string { return "self-check" }

// changeTime is how soon a change is looked into. What comes and goes is looked into once.
const changeTime = 20 * time.Second

// Run looks until ctx ends.
func (c startCheck) Run(ctx context.Context) error {
	if err := c.first(ctx); err != nil {
		return err
	}
	seen := troubles(c.admin.Glance())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(changeTime):
		}
		s := c.admin.Glance()
		now := troubles(s)
		if now == seen && time.Since(s.Examination.At) < time.Hour {
			continue
		}
		seen = now
		if s, err := c.admin.Status(ctx, "", admin.None{}); err == nil {
			c.admin.Reexamined(c.brief(ctx, s))
		}
	}
}

// troubles are what is the matter with the parts of a clock, as far as an examination says more.
func troubles(s admin.Status) string {
	return strings.Join([]string{
		s.Storage.Problem, s.Reader.Problem, s.Reader.Note, s.Uplink.Problem, s.Display.Problem, s.Signal.Problem,
		s.Page.Problem, s.Roster.Damage, s.Roster.Problem, s.Settings.Problem, strconv.FormatBool(s.Clock.Trusted),
		strconv.FormatBool(s.Badges == 0), strconv.FormatBool(s.Quarantined > 0),
	}, "|")
}

// first examines the clock once it has found the network, or has not.
func (c startCheck) first(ctx context.Context) error {
	for start := time.Now(); !c.admin.Glance().Uplink.Online && time.Since(start) < networkTime; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	s, err := c.admin.Status(ctx, "", admin.None{})
	if err != nil {
		return err
	}
	found := c.brief(ctx, s)
	if ctx.Err() != nil {
		return nil
	}
	c.admin.Examined(found)
	for _, f := range found {
		if f.Verdict != doctor.OK {
			c.log.Warn("self-check", "check", f.Check, "verdict", string(f.Verdict), "found", f.Found, "do", f.Do)
		}
	}
	return nil
}
