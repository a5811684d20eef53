package uplink

import (
	"context"
	"errors"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// wake ends the pauses that only guess when things are better.
func (u *Uplink) wake() {
	u.heads = nil
	u.pause.cutShort()
	for _, lane := range u.lanes {
		lane.cutShort()
	}
}

// fill starts requests for all that is due, and returns how long nothing more
// will be.
func (u *Uplink) fill(ctx context.Context) time.Duration {
	u.checkToken()
	now := time.Now()
	watch := longest
	if u.token != "" || u.bar != "" {
		watch = tokenWatch
	}
	if wait := u.pause.until.Sub(now); wait > 0 {
		return min(wait, watch)
	}
	wait := min(u.ping(ctx, now), watch)
	for fresh := false; ; {
		free, more := u.room(now)
		if free == 0 {
			return min(wait, more)
		}
		head, later := u.due(u.heads, now, free == 1)
		switch {
		case later <= 0:
			u.start(ctx, head)
			fresh = fresh && u.heads != nil // they are forgotten if it could not even be marked
		case fresh:
			return min(wait, later, u.idle(ctx, now))
		default: // those that were next are done or wait: look who is next now
			u.heads, fresh = u.queue.Heads(), true
			u.tidy(u.heads)
		}
	}
}

// room is how many more requests may be made now, and when there will be more room if
// there is none. A request that is not answered promptly gives its place away: it may
// be one employee's trouble. While it is not clear whether anybody answers there is
// none, or one.
func (u *Uplink) room(now time.Time) (free int, more time.Duration) {
	way := u.way
	if way == suspect || way == down {
		if left := u.pinged.Add(patience).Sub(now); left > 0 || !u.pinging {
			return 0, min(longest, max(left, slow))
		}
		way = odd // the ping itself is kept waiting
	}
	busy, oldest := 0, now
	for f := range u.flights {
		if f.ping {
			continue
		}
		if now.Sub(f.began) < slow {
			busy++
			if f.began.Before(oldest) {
				oldest = f.began
			}
		}
	}
	places := parallel
	if way == odd || u.refused.everyone() || u.barred.everyone() {
		places = 1
	}
	free = min(places-busy, mostFlying-len(u.flights))
	if free > 0 {
		return free, 0
	}
	if busy == 0 {
		return 0, longest
	}
	return 0, oldest.Add(slow).Sub(now)
}

// ping asks whether anybody answers, if that is to be known, and returns when it is next.
func (u *Uplink) ping(ctx context.Context, now time.Time) time.Duration {
	switch next := u.contact.Add(pingEvery).Sub(now); {
	case u.pinging:
		return longest
	case u.way == clearly && !u.probe && next > 0:
		return next
	}
	u.pinging, u.probe, u.pinged = true, false, now
	u.fly(&flight{ping: true, act: u.pingAnswered}, func() error { return u.api.Ping(ctx) })
	return longest
}

// idle finds something useful to ask when there is nothing to send, and returns
// when that is due again.
func (u *Uplink) idle(ctx context.Context, now time.Time) time.Duration {
	if now.Sub(u.holders) >= heldEvery {
		u.holders = now
		u.askForHolders(ctx)
	}
	who, wait := u.nextLook(now)
	if who != "" {
		u.fly(&flight{act: func(err error) { u.looked(who, err) }}, func() error {
			_, _, err := u.Refresh(ctx, who)
			return err
		})
	}
	return min(wait, u.holders.Add(heldEvery).Sub(now))
}

// askForHolders asks about quarantined check-ins: somebody may have put them in order at Zeitstrom.
func (u *Uplink) askForHolders(ctx context.Context) {
	undelivered, err := u.queue.Undelivered()
	if err != nil {
		u.log.Error("quarantine cannot be read", "error", err)
		return
	}
	for _, in := range holding(undelivered) {
		question, found := u.api.Question(in), false
		act := func(err error) {
			if err == nil && found {
				u.log.Info("quarantined check-in found at Zeitstrom: its check-out goes on", "punch", in.ID)
				if err := u.queue.Deliver(in); err != nil {
					u.log.Error("check-out not released", "punch", in.ID, "error", err)
				}
			}
			u.looked(in.Employee, err)
		}
		u.fly(&flight{act: act}, func() (err error) {
			found, err = question.Ask(ctx)
			return err
		})
	}
}

// holding are the quarantined check-ins whose check-outs are held.
func holding(undelivered []device.Entry) (ins []device.Punch) {
	last := map[device.EmployeeID]device.Entry{}
	for _, e := range undelivered {
		if in := last[e.Employee]; e.State == device.Held && in.State == device.Quarantined &&
			in.Intent == device.CheckIn {
			ins = append(ins, in.Punch)
		}
		last[e.Employee] = e
	}
	return ins
}

// start takes the next step of a punch.
func (u *Uplink) start(ctx context.Context, head device.Undelivered) {
	l := u.lanes[head.Employee]
	head.Ambiguous = l.ambiguous // the list of heads may be older
	switch l.step {
	case save:
		u.stored(head.Punch, l.outcome)
	case ask:
		u.question(ctx, head, l)
	case send:
		u.post(ctx, head, l)
	}
}

// question asks whether Zeitstrom has a punch.
func (u *Uplink) question(ctx context.Context, head device.Undelivered, l *lane) {
	l.step = busy
	if l.question == nil {
		l.question = u.api.Question(head.Punch)
	}
	question, found := l.question, false
	kept := question.Kept()
	act := func(err error) { u.asked(head, found, question.Kept() > kept, err) }
	u.fly(&flight{act: act}, func() (err error) {
		found, err = question.Ask(ctx)
		return err
	})
}

// post sends a punch, once it is on disk that it may have been sent.
func (u *Uplink) post(ctx context.Context, head device.Undelivered, l *lane) {
	if err := u.queue.Attempt(head.Punch); err != nil {
		u.heads = nil // somebody may have dropped it in the meantime
		if !errors.Is(err, device.ErrNotPending) {
			u.log.Error("nothing is sent while the disk takes no writes", "error", err)
			l.until = time.Now().Add(storePause)
		}
		return
	}
	l.step = busy
	u.forget(head.Employee)
	var shape zeitstrom.Shape
	u.fly(&flight{act: func(err error) { u.posted(head, shape, err) }}, func() (err error) {
		shape, err = u.api.Post(ctx, head.Punch)
		return err
	})
}

// act does what questions have found out: whether somebody is to be pinged, and which
// punches were wrongly taken for delivered.
func (u *Uplink) act() {
	missed, ping := u.findings()
	u.probe = u.probe || ping
	for _, p := range missed {
		u.log.Warn("a booking was taken for delivered and is not at Zeitstrom: it is looked for again", "punch", p.ID)
		clear(u.shapes)
		if err := u.queue.MarkAmbiguous(p); err != nil {
			u.log.Error("booking not taken back, trying again", "punch", p.ID, "error", err)
			u.missedStill(p)
		}
	}
	u.heads = nil
}
