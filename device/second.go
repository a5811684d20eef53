package device

import "time"

// secondThought is the time after an answer in which the employee can still turn
// the direction round, by leaving the badge where it is.
type secondThought struct {
	outcome Outcome
	tick    <-chan time.Time // nil: there is none
	ticker  *time.Ticker
	until   time.Time // when the direction is turned
	turned  bool
}

// Times of a second thought.
const (
	lookAgain = 100 * time.Millisecond
	// A badge that was left lying does not hold up its booking for longer than this.
	leftLying = time.Minute
)

// startSecondThought begins to count, if what was answered can be turned round.
func (t *Terminal) startSecondThought(o *Outcome) {
	wait := t.Rules.SecondThoughts
	if wait == 0 || !o.Booked() || o.Function != "" {
		return
	}
	o.Turns = seconds(wait)
	ticker := time.NewTicker(lookAgain)
	t.second = secondThought{outcome: *o, tick: ticker.C, ticker: ticker, until: time.Now().Add(wait)}
}

// endSecondThought lets the punch go.
func (t *Terminal) endSecondThought() {
	if t.second.tick == nil {
		return
	}
	t.second.ticker.Stop()
	t.Queue.Wait(t.second.outcome.Employee.ID, false)
	t.second = secondThought{}
}

// thinkAgain sees whether the badge is still there, and what follows.
func (t *Terminal) thinkAgain() {
	s := &t.second
	left := time.Until(s.until)
	switch {
	case !t.Field.Resting(s.outcome.Tap.UID) || left < -leftLying:
		if !s.turned {
			t.update(0)
		}
		t.endSecondThought()
	case s.turned:
	case left > 0:
		if n := seconds(left); n != s.outcome.Turns {
			t.update(n)
		}
	default:
		t.turn()
	}
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// update shows the answer again, with another number in the countdown.
func (t *Terminal) update(n int) {
	o := &t.second.outcome
	o.Turns, o.Update = n, true
	t.Screen.Show(*o)
}

// turn turns the direction round. If that cannot be stored the punch stays as it is.
func (t *Terminal) turn() {
	o := &t.second.outcome
	punch, err := t.Queue.Turn(o.Punch)
	if err != nil {
		t.Log.Error("direction not turned round", "punch", o.Punch.ID, "error", err)
		t.update(0)
		t.endSecondThought()
		return
	}
	t.Log.Info("direction turned round", "employee", o.Employee.ID, "punch", o.Punch.ID, "by", punch.ID)
	o.booked(punch, o.Offline)
	o.Project, o.Returned, o.Missed, o.Worked = "", false, false, Worked{} // were of the other direction
	o.Turns, o.Update = 0, false
	t.second.turned = true
	t.Screen.Show(*o)
}
