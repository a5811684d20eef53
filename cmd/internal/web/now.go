package web

import (
	"bytes"
	"net/http"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/roster"
)

func (s *Server) nowPage(w http.ResponseWriter, r *http.Request) {
	const shown = 8
	punches, err := s.admin.Punches(r.Context(), "", admin.Which{All: true, Most: shown})
	if err != nil {
		s.log.Error("bookings not read", "error", err)
	}
	status := s.status(r)
	var waits *roster.EnrollState // for a new badge
	if e := status.Enrollment; e.Waiting {
		waits = &e
	}
	s.show(w, r, "now", struct {
		Status  admin.Status
		Punches []admin.Punch
		Waits   *roster.EnrollState
	}{status, punches, waits})
}

// status is how the clock is.
func (s *Server) status(r *http.Request) admin.Status {
	status, err := s.admin.Status(r.Context(), "", admin.None{})
	if err != nil {
		s.log.Error("status not read", "error", err)
	}
	return status
}

func (s *Server) displayPicture(w http.ResponseWriter, r *http.Request) {
	if s.Code() != "" { // the picture shows it, and only who stands before the clock may read it
		http.NotFound(w, r)
		return
	}
	picture, _ := s.mirror.now()
	w.Header().Set("Content-Type", "image/png")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
}

func (s *Server) dayPicture(w http.ResponseWriter, r *http.Request) {
	punches, err := s.admin.Punches(r.Context(), "", admin.Which{All: true})
	if err != nil {
		http.Error(w, s.explain(r, err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	newCanvas(r).drawDay(w, time.Now().In(s.admin.Zone()), punches, s.text(r, "picture_day"))
}

func (s *Server) queuePicture(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	newCanvas(r).drawBacklog(w, s.admin.Backlog(), s.admin.Zone(), s.text(r, "picture_queue"))
}
