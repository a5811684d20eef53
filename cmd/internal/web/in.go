package web

import (
	"net/http"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/roster"
)

// inData is where everybody is.
type inData struct {
	Query   string
	In, Out []admin.Whereabouts
	Forgot  int // of those who are out: that have not checked out
	At      time.Time
	Asked   bool // Zeitstrom
}

func (s *Server) inPage(w http.ResponseWriter, r *http.Request) {
	d, problem := s.whereabouts(r, strings.TrimSpace(r.FormValue("q")), r.FormValue("ask") != "")
	s.answer(w, r, http.StatusOK, "in", d, problem)
}

// rollPage is the sheet with which somebody goes round and looks who is there.
func (s *Server) rollPage(w http.ResponseWriter, r *http.Request) {
	d, problem := s.whereabouts(r, "", true)
	s.answer(w, r, http.StatusOK, "roll", d, problem)
}

// whereabouts are those of everybody who fits what was typed.
func (s *Server) whereabouts(r *http.Request, words string, ask bool) (d inData, problem string) {
	ctx, cancel := bound(r)
	defer cancel()
	all, err := s.admin.WhoIsIn(ctx, ask)
	if problem = s.explain(r, err); err == nil && ask && all.Answered < len(all.People) {
		problem = s.text(r, "not_all", all.Answered, len(all.People))
	}
	v, asked := s.viewOf(r), roster.Ask(words)
	d = inData{Query: words, At: time.Now(), Asked: all.Asked > 0 && all.Answered > 0}
	for _, p := range all.People {
		switch {
		case words != "" && !v.fits(asked, p.Employee):
		case p.In:
			d.In = append(d.In, p)
		default:
			if d.Out = append(d.Out, p); p.Open {
				d.Forgot++
			}
		}
	}
	return d, problem
}
