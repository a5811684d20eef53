package admin

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"timeclock/device"
	"timeclock/queue"
)

// tellsUnsent lists what Zeitstrom does not have.
func tellsUnsent(w *world) {
	p := w.append(anna, device.CheckIn, time.Hour)
	w.equal("unsent", use(w, DoUnsent, None{})[0].ID, p.ID)
}

// takesOver takes over what another device had not sent, once.
func takesOver(w *world) {
	w.admin.rooms.Policy.StateDir = w.TempDir()
	if _, err := try(w, DoTakeOver, None{}); err == nil || err.Error() != ErrNothingUnsent.Error() {
		w.Errorf("without a list: %v", err)
	}
	list, err := json.Marshal(Unsent{List: "one", Device: "door-9", Punches: []device.Entry{{
		Punch: device.Punch{ID: 7, Employee: anna.ID, Intent: device.CheckIn, Time: time.Now().Add(-time.Hour)},
	}}})
	path := filepath.Join(w.admin.rooms.Policy.StateDir, UnsentFile)
	if err := errors.Join(err, os.WriteFile(path, list, 0o600)); err != nil {
		w.Fatal(err)
	}
	w.equal("waiting", use(w, DoStatus, None{}).OldDevice.Punches, 1)
	w.equal("of", use(w, DoTakeOver, None{}).Device, "door-9")
	w.equal("pending", use(w, DoPunches, Which{})[0].State, device.Ambiguous)
	if _, err := os.Stat(path); err == nil {
		w.Error("the list stays")
	}
	// What was cut off before the list was gone is not done twice.
	if err := os.WriteFile(path, list, 0o600); err != nil {
		w.Fatal(err)
	}
	if _, err := try(w, DoTakeOver, None{}); err == nil || err.Error() != queue.ErrTakenOver.Error() {
		w.Errorf("a second time: %v", err)
	}
	w.equal("pending", len(use(w, DoPunches, Which{})), 1)
}
