package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"timeclock/device"
	"timeclock/device/durable"
	"timeclock/queue"
)

// UnsentFile is where a state directory has what another device had not delivered, until somebody
// decides about it.
const UnsentFile = "unsent.json"

// maxUnsent bounds that file in bytes: a hundred thousand bookings.
const maxUnsent = 64 << 20

// Unsent is what a device had not delivered when a backup was made of it.
type Unsent struct {
	List    string         `json:"list"` // which list this is: one is taken over once
	Device  string         `json:"device"`
	Made    time.Time      `json:"made"`
	Punches []device.Entry `json:"punches"`
}

// Unsent lists the punches that are pending or quarantined here, as they are stored. While nobody knows what
// there is, it fails.
func (a *Admin) Unsent(context.Context, string, None) ([]device.Entry, error) {
	if st := a.rooms.Queue.Stats(); st.Absent || st.Awaiting {
		return nil, errors.New("nobody knows yet what there is: the queue is damaged or not there")
	}
	return a.rooms.Queue.Undelivered()
}

// TakenOver is what became of it.
type TakenOver struct {
	Device  string  `json:"device"`
	Punches int     `json:"punches"`
	Untimed []Punch `json:"untimed"` // of those, dropped: somebody must add them at Zeitstrom
}

// ErrNothingUnsent says that there is nothing to be taken over.
var ErrNothingUnsent = errors.New("nothing of another device waits here")

// ReadUnsent reads what waits in a state directory of another device; ErrNothingUnsent if nothing does.
func ReadUnsent(stateDir string) (u Unsent, err error) {
	text, err := durable.ReadRegular(filepath.Join(stateDir, UnsentFile), maxUnsent)
	if errors.Is(err, fs.ErrNotExist) {
		return u, ErrNothingUnsent
	}
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	return u, err
}

// TakeOver takes in what another device had not delivered, and forgets the list. It is for when
// that device will never send it: else both would.
func (a *Admin) TakeOver(_ context.Context, by string, _ None) (out TakenOver, err error) {
	dir := a.rooms.Policy.StateDir
	u, err := ReadUnsent(dir)
	if err != nil {
		return out, err
	}
	untimed, err := a.rooms.Queue.TakeOver(u.List, u.Punches, by)
	if err != nil && !errors.Is(err, queue.ErrTakenOver) {
		return out, err
	}
	out.Device, out.Punches = u.Device, len(u.Punches)
	names := a.rooms.Roster.Employees()
	for _, e := range untimed {
		out.Untimed = append(out.Untimed, a.punch(e, names))
	}
	if forgotten := errors.Join(os.Remove(filepath.Join(dir, UnsentFile)), durable.SyncDir(dir)); err == nil &&
		forgotten != nil {
		err = fmt.Errorf("they were taken over, but the list stays: %w", forgotten)
	}
	return out, err
}
