package zeitstrom_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// A question that fails half-way goes on where it was, and only a list that is newer
// than every history says that the punch is not there.
func TestQuestionKeepsHistories(t *testing.T) {
	var mu sync.Mutex
	lists, histories, failing := 0, map[string]int{}, true
	server := &zeitstromtest.Server{}
	server.Fault = func(r *http.Request) zeitstromtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, "/history/") {
			lists++
			return zeitstromtest.Fault{}
		}
		histories[r.URL.Path]++
		if failing && strings.HasSuffix(r.URL.Path, "7/history/") {
			return zeitstromtest.HTML(502)
		}
		return zeitstromtest.Fault{}
	}
	for n := range 10 {
		server.Put(zeitstromtest.Timespan{
			Employee: string(punch.Employee),
			CheckIn:  punch.Time.Add(time.Duration(n) * time.Minute),
			CheckOut: punch.Time.Add(time.Duration(n)*time.Minute + 31*time.Second),
		})
	}
	p := punch
	p.Time = p.Time.Add(17 * time.Second)
	question := dial(t, server).Question(p)
	if found, err := question.Ask(t.Context()); found || err == nil || question.Kept() != 9 {
		t.Fatalf("%v, %v; %d kept", found, err, question.Kept())
	}
	failing = false
	if found, err := question.Ask(t.Context()); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	for path, n := range histories {
		want := 1
		if strings.HasSuffix(path, "7/history/") {
			want = 3 // and once more as soon as the others were answered
		}
		if n != want {
			t.Errorf("%s was asked for %d times, want %d", path, n, want)
		}
	}
	if lists != 3 {
		t.Errorf("%d lists, want 3: before, after the failure, and after the last history", lists)
	}
	server.Correct(string(p.Employee), time.Second)
	before := lists
	if found, err := question.Ask(t.Context()); found || err != nil || lists != before+2 {
		t.Errorf("after a correction: %v, %v, %d lists", found, err, lists-before)
	}
}

// Times that are not the exact ones say nothing about a punch.
func TestQuestionThatNobodyCanAnswer(t *testing.T) {
	list := func(checkin string) zeitstromtest.Fault {
		return zeitstromtest.JSON(200, `{"count": 1, "results": [{"id": "x", "checkin_time": "`+checkin+`"}]}`)
	}
	p := punch
	p.Time = p.Time.Add(31 * time.Second) // 8:00:31
	for checkin, incomparable := range map[string]bool{
		"2024-06-20T08:00:31":  true,
		"2024-06-20T08:00:00Z": true,  // rounded to minutes
		"2024-06-20T08:15:00Z": true,  // to quarters of an hour
		"2024-06-20T08:16:00Z": false, // another booking
		"2024-06-20T08:00:30Z": false,
	} {
		server := &zeitstromtest.Server{}
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			if strings.HasSuffix(r.URL.Path, "/history/") {
				return zeitstromtest.JSON(200, `{"count": 0, "results": []}`)
			}
			return list(checkin)
		}
		found, err := dial(t, server).Question(p).Ask(t.Context())
		var e *zeitstrom.Error
		if found || incomparable != (errors.As(err, &e) && e.Kind == zeitstrom.Incomparable) || !incomparable &&
			err != nil {
			t.Errorf("%s: %v, %v", checkin, found, err)
		}
	}
}

func TestAhead(t *testing.T) {
	now := punch.Time
	for after, ahead := range map[time.Duration]bool{
		time.Minute: false, 3 * time.Minute: true, 10 * time.Hour: true, 30 * time.Hour: false,
	} {
		server := &zeitstromtest.Server{}
		server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(punch.Employee), Time: now.Add(after)})
		record, err := dial(t, server).Record(t.Context(), punch.Employee, now)
		if err != nil || record.Ahead().IsZero() == ahead {
			t.Errorf("%v: %v, %v", after, record.Ahead(), err)
		}
		in := device.Punch{Intent: device.CheckIn, Time: now.Add(after)}
		if !record.Has(in) && after < 24*time.Hour {
			t.Errorf("%v: it does not have its booking", after)
		}
	}
}

// The check-out of a switch that found nothing open is no proof of the check-in at the same second, and does not
// get its project.
func TestQuestionOfASwitch(t *testing.T) {
	server := &zeitstromtest.Server{}
	out, in := punch, punch
	out.Intent, in.Intent = device.CheckOut, device.CheckIn
	book := func(p device.Punch) {
		server.Book(zeitstromtest.Timestamp{Intent: string(p.Intent), Employee: string(p.Employee), Time: p.Time})
	}
	client := dial(t, server)
	book(out)
	for range 2 {
		if found, err := client.Question(out).Ask(t.Context()); !found || err != nil {
			t.Errorf("the check-out: %v, %v", found, err)
		}
		if found, err := client.Question(in).Ask(t.Context()); found || err != nil {
			t.Errorf("the check-in that is not there: %v, %v", found, err)
		}
		server.Correct(string(out.Employee), time.Minute) // then by its history
	}
	book(in)
	span, found, err := client.Question(in).Timespan(t.Context())
	if !found || err != nil || !span.CheckOut.IsZero() {
		t.Errorf("the check-in: %+v, %v, %v", span, found, err)
	}
}

// A check-out is found where it ended what began long before: somebody had forgotten to go. What ended days
// before it is not asked about.
func TestQuestionOfALateCheckOut(t *testing.T) {
	server := &zeitstromtest.Server{}
	histories := 0
	server.Fault = func(r *http.Request) zeitstromtest.Fault {
		if strings.HasSuffix(r.URL.Path, "/history/") {
			histories++
		}
		return zeitstromtest.Fault{}
	}
	book := func(intent device.Intent, ago time.Duration) device.Punch {
		p := punch
		p.Intent, p.Time = intent, p.Time.Add(-ago)
		server.Book(zeitstromtest.Timestamp{Intent: string(intent), Employee: string(p.Employee), Time: p.Time})
		return p
	}
	for day := 20; day > 10; day-- {
		book(device.CheckIn, time.Duration(day)*24*time.Hour)
		book(device.CheckOut, time.Duration(day)*24*time.Hour-8*time.Hour)
	}
	book(device.CheckIn, 7*24*time.Hour-7*time.Second)
	out := book(device.CheckOut, 0)
	if found, err := dial(t, server).Question(out).Ask(t.Context()); !found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	out.Time = out.Time.Add(time.Second)
	if found, err := dial(t, server).Question(out).Ask(t.Context()); found || err != nil {
		t.Errorf("one that is not there: %v, %v", found, err)
	}
	if histories != 1 {
		t.Errorf("%d histories were asked for, want that of the last timespan", histories)
	}
}
