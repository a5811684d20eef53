package zeitstrom

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"timeclock/device"

	"golang.org/x/sync/errgroup"
)

// at is when somebody came or went.
func at(i device.Intent, in, out time.Time) time.Time {
	if i == device.CheckOut {
		return out
	}
	return in
}

// is reports whether a time of an answer is that of a punch: to the second, as the API keeps them.
func is(t time.Time, p device.Punch) bool { return !t.IsZero() && sameInstant(t, p.Time) }

func (t Timespan) has(p device.Punch) bool { return has(t.CheckIn, t.CheckOut, p) }
func (c Change) has(p device.Punch) bool   { return has(c.CheckIn, c.CheckOut, p) }

// has reports whether a timespan with these times begins or ends with a punch. One that ends when it begins is a
// check-out alone, which found none that was open: it is no proof of the check-in that follows a check-out at
// the same second, when somebody switches projects.
func has(in, out time.Time, p device.Punch) bool {
	alone := p.Intent == device.CheckIn && !out.IsZero() && sameInstant(in, out)
	return !alone && is(at(p.Intent, in, out), p)
}

// incomparable says that times of an answer cannot be compared with those of punches.
func incomparable(why string) error {
	return &Error{
		Kind: Incomparable, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("times at Zeitstrom %s", why),
	}
}

const noZone = "have no zone, so they cannot be compared with this clock's"

// Question asks whether Zeitstrom has one punch: whether one of the employee's
// timespans around that day begins (a check-in) or ends (a check-out) at its instant,
// to the second, or did so before somebody corrected it.
//
// A question takes a request for the list and one for each timespan's history. What was
// answered is kept, so that a question that failed goes on where it was; only the
// list is fetched anew each time, and only a list that is newer than all the
// histories can say that the punch is not there.
type Question struct {
	client *Client
	punch  device.Punch

	mu        sync.Mutex
	histories map[timespanState][]Change
}

// timespanState is a timespan as it was listed: when it is changed, so is its history.
type timespanState struct {
	id      string
	in, out int64 // seconds since 1970
}

func (t Timespan) state() timespanState {
	return timespanState{t.ID, t.CheckIn.Unix(), t.CheckOut.Unix()}
}

// Question makes a question; nothing is asked yet.
func (c *Client) Question(p device.Punch) *Question {
	return &Question{client: c, punch: p, histories: map[timespanState][]Change{}}
}

// Kept returns how many histories were answered so far.
func (q *Question) Kept() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.histories)
}

// Bounds of a question.
const (
	historiesAtOnce = 8
	mostLists       = 5 // in one go: more often than that nobody corrects one day
)

// Ask asks what is still to be asked. The answer of kind Incomparable says that nobody
// can tell: the times that Zeitstrom has are not the exact ones.
func (q *Question) Ask(ctx context.Context) (found bool, err error) {
	_, found, err = q.Timespan(ctx)
	return found, err
}

// Timespan is Ask, and says which timespan the punch is in.
func (q *Question) Timespan(ctx context.Context) (t Timespan, found bool, err error) {
	for range mostLists {
		spans, err := q.client.around(ctx, q.punch)
		if err != nil {
			return t, false, err
		}
		for _, s := range spans {
			if s.has(q.punch) {
				return s, true, nil
			}
		}
		missing := q.without(spans)
		if len(missing) == 0 {
			return q.inHistories(spans)
		}
		for len(missing) > 0 {
			before, err := len(missing), q.learn(ctx, missing)
			if missing = q.without(spans); len(missing) == before { // none was answered
				return t, false, err
			}
		}
	}
	return t, false, &Error{
		Kind: NotAPI, Status: http.StatusOK, Sent: true,
		Cause: fmt.Errorf("the timespans of that day change all the time"),
	}
}

// without returns the timespans whose histories are not known.
func (q *Question) without(spans []Timespan) (missing []Timespan) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range spans {
		if _, known := q.histories[s.state()]; !known {
			missing = append(missing, s)
		}
	}
	return missing
}

// learn fetches histories. One that fails does not keep the others from being fetched.
func (q *Question) learn(ctx context.Context, spans []Timespan) error {
	var asking errgroup.Group
	asking.SetLimit(historiesAtOnce)
	for _, s := range spans {
		asking.Go(func() error {
			changes, err := q.client.history(ctx, s.ID)
			if err != nil {
				return err
			}
			q.mu.Lock()
			defer q.mu.Unlock()
			q.histories[s.state()] = changes
			return nil
		})
	}
	return asking.Wait()
}

// inHistories looks for the punch where it was before somebody corrected it.
func (q *Question) inHistories(spans []Timespan) (t Timespan, found bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range spans {
		for _, c := range q.histories[s.state()] {
			if c.has(q.punch) {
				return s, true, nil
			}
			if c.vague {
				return t, false, incomparable(noZone)
			}
		}
	}
	for _, s := range spans {
		if s.vague {
			return t, false, incomparable(noZone)
		}
	}
	if unit := q.rounded(spans); unit > 0 {
		why := fmt.Sprintf("are rounded to %v, so they cannot be compared with this clock's", unit)
		return t, false, incomparable(why)
	}
	return t, false, nil
}

// rounded returns to what Zeitstrom seems to round times, if that may hide the punch: all
// that it has are multiples of it, the punch is not, and one is so near that it
// may be it.
func (q *Question) rounded(spans []Timespan) time.Duration {
	var near, all []time.Time
	add := func(in, out time.Time) {
		all = append(all, in, out)
		near = append(near, at(q.punch.Intent, in, out))
	}
	for _, s := range spans {
		add(s.CheckIn, s.CheckOut)
	}
	punched := q.punch.Time.Truncate(time.Second)
	for _, unit := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		odd := func(t time.Time) bool { return !t.IsZero() && !t.Truncate(unit).Equal(t) }
		isNear := func(t time.Time) bool { return !t.IsZero() && t.Sub(punched).Abs() < unit }
		if odd(punched) && !slices.ContainsFunc(all, odd) && slices.ContainsFunc(near, isNear) {
			return unit
		}
	}
	return 0
}

// around lists the employee's timespans of the days around a punch: those that began in them; and for a
// check-out those that ended in them or had not ended, for it may end one that began long before. A compact timespan
// does not say whose it is, so one employee is asked for.
func (c *Client) around(ctx context.Context, p device.Punch) ([]Timespan, error) {
	f := Between(p.Time, p.Time, p.Employee)
	since := f.From.Truncate(24 * time.Hour)
	if p.Intent == device.CheckOut {
		f.From = f.From.AddDate(0, 0, -daysBack)
	}
	spans, err := list[Timespan](ctx, c, timespans, f.query())
	return slices.DeleteFunc(spans, func(t Timespan) bool {
		return !t.vague && t.CheckIn.Before(since) && !t.CheckOut.IsZero() && t.CheckOut.Before(since)
	}), err
}
