package zeitstrom

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"timeclock/device"

	"golang.org/x/sync/errgroup"
)

// timespan is what is needed of a timespan; the answer has more.
type timespan struct {
	ID       string   `json:"id"`
	Checkin  *instant `json:"checkin_time"`
	Checkout *instant `json:"checkout_time"`
}

// change is what is needed of an entry of a timespan's history.
type change struct {
	Checkin  *instant `json:"previous_checkin"`
	Checkout *instant `json:"previous_checkout"`
}

// bounds are the instants at which somebody came and went.
type bounds struct{ in, out *instant }

func (b bounds) of(i device.Intent) *instant {
	if i == device.CheckOut {
		return b.out
	}
	return b.in
}

// has reports whether a punch is one of the two: to the second, as the API keeps them.
func (b bounds) has(p device.Punch) bool {
	at := b.of(p.Intent).when()
	return !at.IsZero() && sameInstant(at, p.Time)
}

func (b bounds) vague() bool { return b.in.isVague() || b.out.isVague() }

func (s timespan) bounds() bounds { return bounds{s.Checkin, s.Checkout} }
func (c change) bounds() bounds   { return bounds{c.Checkin, c.Checkout} }

// incomparable says that times of an answer cannot be compared with those of punches.
func incomparable(why string) error {
	return &Error{Kind: Incomparable, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("times at Zeitstrom %s", why)}
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
	histories map[timespanState][]change
}

// timespanState is a timespan as it was listed: when it is changed, so is its history.
type timespanState struct {
	id      string
	in, out int64 // seconds since 1970
}

func (s timespan) state() timespanState {
	return timespanState{s.ID, s.Checkin.when().Unix(), s.Checkout.when().Unix()}
}

// Question makes a question; nothing is asked yet.
func (c *Client) Question(p device.Punch) *Question {
	return &Question{client: c, punch: p, histories: map[timespanState][]change{}}
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
	for range mostLists {
		spans, err := q.client.around(ctx, q.punch)
		if err != nil {
			return false, err
		}
		for _, s := range spans {
			if s.bounds().has(q.punch) {
				return true, nil
			}
		}
		missing := q.without(spans)
		if len(missing) == 0 {
			return q.inHistories(spans)
		}
		for len(missing) > 0 {
			before, err := len(missing), q.learn(ctx, missing)
			if missing = q.without(spans); len(missing) == before { // none was answered
				return false, err
			}
		}
	}
	return false, &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("the timespans of that day change all the time")}
}

// without returns the timespans whose histories are not known.
func (q *Question) without(spans []timespan) (missing []timespan) {
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
func (q *Question) learn(ctx context.Context, spans []timespan) error {
	var asking errgroup.Group
	asking.SetLimit(historiesAtOnce)
	for _, s := range spans {
		asking.Go(func() error {
			changes, err := list[change](ctx, q.client, timespans+url.PathEscape(s.ID)+"/history/", nil)
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
func (q *Question) inHistories(spans []timespan) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []bounds
	for _, s := range spans {
		all = append(all, s.bounds())
		for _, c := range q.histories[s.state()] {
			if c.bounds().has(q.punch) {
				return true, nil
			}
			if c.bounds().vague() {
				return false, incomparable(noZone)
			}
		}
	}
	for _, b := range all {
		if b.vague() {
			return false, incomparable(noZone)
		}
	}
	if unit := rounded(q.punch, all); unit > 0 {
		return false, incomparable(fmt.Sprintf("are rounded to %v, so they cannot be compared with this clock's", unit))
	}
	return false, nil
}

// rounded returns to what Zeitstrom seems to round times, if that may hide a punch: all
// that it has are multiples of it, the punch is not, and one is so near that it may be it.
func rounded(p device.Punch, all []bounds) time.Duration {
	at := p.Time.Truncate(time.Second)
	for _, unit := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
		near, even := false, !at.Truncate(unit).Equal(at)
		for _, b := range all {
			for _, i := range []*instant{b.in, b.out} {
				t := i.when()
				even = even && (t.IsZero() || t.Truncate(unit).Equal(t))
				near = near || !t.IsZero() && i == b.of(p.Intent) && t.Sub(at).Abs() < unit
			}
		}
		if even && near {
			return unit
		}
	}
	return 0
}

// Bounds of what a Record covers.
const (
	daysBack = 31
	// ahead is how far the clocks of others may be ahead: an end that is further
	// in the future was planned, and has not happened yet.
	ahead = 2 * time.Minute
)

// Record is what Zeitstrom had of an employee in the month before an instant: bookings of
// this clock, of other doors and of the app.
type Record struct {
	spans  []bounds
	before time.Time
}

// Record lists an employee's timespans of the month before an instant.
func (c *Client) Record(ctx context.Context, e device.EmployeeID, before time.Time) (Record, error) {
	day := before.UTC()
	spans, err := list[timespan](ctx, c, timespans, url.Values{
		"employee_ids": {string(e)},
		"daterange":    {days(day.AddDate(0, 0, -daysBack), day.AddDate(0, 0, 1))},
	})
	if err != nil {
		return Record{}, err
	}
	r := Record{before: before}
	for _, s := range spans {
		if s.bounds().vague() {
			return Record{}, incomparable(noZone)
		}
		r.spans = append(r.spans, s.bounds())
	}
	return r, nil
}

// Latest returns what the employee did last. The intent is empty if nothing is known.
// It may lie up to two minutes in the future: clocks differ.
func (r Record) Latest() (latest device.Intent, at time.Time) {
	horizon := r.before.Add(ahead)
	for _, b := range r.spans {
		intent, when := device.CheckOut, b.out.when()
		if when.IsZero() || when.After(horizon) {
			intent, when = device.CheckIn, b.in.when()
		}
		if when.IsZero() || when.After(horizon) {
			continue
		}
		// Where one timespan ends and the next begins, the employee is in.
		if when.After(at) || when.Equal(at) && intent == device.CheckIn {
			latest, at = intent, when
		}
	}
	return latest, at
}

// Has reports whether a timespan begins or ends where the punch does.
func (r Record) Has(p device.Punch) bool {
	for _, b := range r.spans {
		if b.has(p) {
			return true
		}
	}
	return false
}

// Bounds of what is taken for the booking of somebody whose clock is wrong: what is further
// ahead was planned, as ends often are.
const (
	plannedIn  = 24 * time.Hour
	plannedOut = time.Hour
)

// Ahead returns the booking that is furthest in the future, further than Latest looks,
// and that nobody is likely to have planned; the zero time if there is none.
func (r Record) Ahead() (at time.Time) {
	for _, b := range r.spans {
		for i, when := range []time.Time{b.in.when(), b.out.when()} {
			planned := []time.Duration{plannedIn, plannedOut}[i]
			if d := when.Sub(r.before); d > ahead && d < planned && when.After(at) {
				at = when
			}
		}
	}
	return at
}

// CheckOut returns when the timespan ended that began with an employee's check-in;
// the zero time if it is still open. If there is none (it was deleted, or its
// beginning corrected), found is false.
func (c *Client) CheckOut(ctx context.Context, e device.EmployeeID, checkin time.Time) (checkout time.Time, found bool, err error) {
	in := device.Punch{Employee: e, Intent: device.CheckIn, Time: checkin}
	spans, err := c.around(ctx, in)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, s := range spans {
		if !s.bounds().has(in) {
			continue
		}
		if found = true; s.Checkout == nil {
			return time.Time{}, true, nil
		}
		checkout = s.Checkout.Time
	}
	return checkout, found, nil
}

// around lists the employee's timespans of the days around a punch. In which time
// zone days are cut is not documented, so it is a day more on both sides. A compact
// timespan does not say whose it is, so one employee is asked for.
func (c *Client) around(ctx context.Context, p device.Punch) ([]timespan, error) {
	day := p.Time.UTC()
	return list[timespan](ctx, c, timespans, url.Values{
		"employee_ids": {string(p.Employee)},
		"daterange":    {days(day.AddDate(0, 0, -1), day.AddDate(0, 0, 1))},
	})
}
