package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
	"timeclock/queue"
)

// Server answers on the control socket.
type Server struct {
	clock    *Clock
	stateDir string
	listener net.Listener
	log      *slog.Logger
}

// Listen opens the control socket in the state directory, or, where that takes none, at
// Fallback. The caller must own the state directory: a socket that is there already is
// what a crash left behind.
func Listen(stateDir string, clock *Clock, log *slog.Logger) (*Server, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := listen(filepath.Join(stateDir, SocketName))
	if err != nil {
		log.Error("the state directory takes no control socket", "error", err, "instead", Fallback)
		var elsewhere error
		if l, elsewhere = listen(Fallback); elsewhere != nil {
			return nil, fmt.Errorf("control socket: %w", errors.Join(err, elsewhere))
		}
	}
	return &Server{clock: clock, stateDir: stateDir, listener: l, log: log}, nil
}

func listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// mine refuses a client that looks for the clock of another state directory: they may meet
// at Fallback.
func (s *Server) mine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dir := r.Header.Get(stateDirHeader); dir != "" && dir != s.stateDir {
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) String() string { return "control socket" }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.mine(s.handler()), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		srv.Shutdown(soon)
	})
	defer stop()
	if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	<-stopped
	return nil
}

// onPage does something about the page that ends in a pairing.
func (s *Server) onPage(what device.EventKind, do func(Page) (Pairing, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if s.clock.Page == nil {
			reply(w, nil, ErrNoPage)
			return
		}
		s.log.Info(string(what))
		p, err := do(s.clock.Page)
		s.clock.did(Console, what, "", err)
		reply(w, p, err)
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, s.clock.Status(), nil)
	})
	mux.HandleFunc("GET /examination", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.clock.ExamineNow(r.Context()), nil)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.clock.Health(r.Context()), nil)
	})
	mux.HandleFunc("GET /log", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, s.clock.Log(), nil)
	})
	mux.HandleFunc("POST /tap/{uid}", func(w http.ResponseWriter, r *http.Request) {
		withUID(w, r, func(uid device.UID) (any, error) {
			o, err := s.clock.Tap(r.Context(), uid)
			return NewAnswer(o, s.clock.Style), err
		})
	})
	mux.HandleFunc("GET /punches", func(w http.ResponseWriter, r *http.Request) {
		punches, err := s.clock.Punches(r.FormValue("all") != "")
		reply(w, punches, err)
	})
	mux.HandleFunc("GET /punches/{id}", func(w http.ResponseWriter, r *http.Request) {
		withID(w, r, s.clock.Punch)
	})
	mux.HandleFunc("POST /punches/{id}/retry", func(w http.ResponseWriter, r *http.Request) {
		withID(w, r, func(id device.PunchID) (Punch, error) {
			return s.decided(id, "retry", s.clock.Retry(Console, id))
		})
	})
	mux.HandleFunc("POST /punches/{id}/drop", func(w http.ResponseWriter, r *http.Request) {
		withID(w, r, func(id device.PunchID) (Punch, error) {
			return s.decided(id, "drop", s.clock.Drop(Console, id, r.FormValue("reason")))
		})
	})
	mux.HandleFunc("POST /punches/{id}/time", func(w http.ResponseWriter, r *http.Request) {
		withID(w, r, func(id device.PunchID) (Punch, error) {
			at, err := time.Parse(time.RFC3339, r.FormValue("at"))
			if err != nil {
				return Punch{}, err
			}
			return s.decided(id, "time", s.clock.SetTime(Console, id, at))
		})
	})
	mux.HandleFunc("POST /queue/salvage", func(w http.ResponseWriter, r *http.Request) {
		giveUp := r.FormValue("give_up") != ""
		err := s.clock.Salvage(Console, giveUp)
		if !giveUp {
			s.clock.did(Console, device.EventSalvageAsked, "give up: false", err)
		}
		reply(w, nil, err)
	})
	mux.HandleFunc("GET /days/open", func(w http.ResponseWriter, r *http.Request) {
		days, err := s.clock.OpenDays(r.Context())
		reply(w, days, err)
	})
	mux.HandleFunc("GET /badges", func(w http.ResponseWriter, _ *http.Request) {
		badges, _ := s.clock.Roster.List()
		reply(w, newBadges(badges), nil)
	})
	mux.HandleFunc("POST /badges", func(w http.ResponseWriter, r *http.Request) {
		var in badge
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			reply(w, nil, err)
			return
		}
		b, err := in.roster()
		var action roster.Action
		if err == nil {
			action, err = s.clock.AddBadge(Console, b, r.FormValue("move") != "")
		}
		reply(w, action, err)
	})
	mux.HandleFunc("GET /journal", s.journal)
	mux.HandleFunc("POST /journal/verify", func(w http.ResponseWriter, _ *http.Request) {
		n, err := s.clock.Queue.VerifyJournal()
		reply(w, n, err)
	})
	mux.HandleFunc("GET /unclaimed", func(w http.ResponseWriter, _ *http.Request) {
		badges, lost := s.clock.Unclaimed()
		reply(w, unclaimed{badges, lost}, nil)
	})
	mux.HandleFunc("POST /badges/claim", func(w http.ResponseWriter, r *http.Request) {
		var in claim
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			reply(w, nil, err)
			return
		}
		b, err := in.roster()
		var plan []Punch
		if err == nil {
			plan, err = s.clock.Claim(Console, b, in.Force, in.Dry)
		}
		if err == nil && !in.Dry {
			s.log.Info("taps claimed", "employee", b.Employee.ID, "badge", b.UID, "punches", len(plan))
		}
		reply(w, plan, err)
	})
	mux.HandleFunc("DELETE /badges/{uid}", func(w http.ResponseWriter, r *http.Request) {
		withUID(w, r, func(uid device.UID) (any, error) { return s.clock.RemoveBadge(Console, uid) })
	})
	mux.HandleFunc("POST /badges/{uid}/block", func(w http.ResponseWriter, r *http.Request) {
		withUID(w, r, func(uid device.UID) (any, error) {
			return s.clock.BlockBadge(Console, uid, r.FormValue("blocked") == "true")
		})
	})
	mux.HandleFunc("POST /badges/import", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		o := roster.Options{Numbers: device.Numbers(q.Get("numbers")), Replace: q.Has("replace"), Dry: q.Has("dry")}
		report, err := s.clock.ImportBadges(Console, r.Body, o)
		if err == nil && !o.Dry {
			s.log.Info("badge map imported", "lines", len(report.Lines), "removed", len(report.Removed))
		}
		reply(w, newReport(report), err)
	})
	mux.HandleFunc("POST /badges/sync", func(w http.ResponseWriter, r *http.Request) {
		m, err := s.clock.SyncBadges(r.Context(), Console, r.FormValue("force") != "")
		reply(w, newMerged(m), err)
	})
	mux.HandleFunc("POST /corrections", func(w http.ResponseWriter, r *http.Request) {
		var x Correction
		if err := json.NewDecoder(r.Body).Decode(&x); err != nil {
			reply(w, nil, err)
			return
		}
		n, err := s.clock.Corrected(r.Context(), Console, x)
		reply(w, n, err)
	})
	mux.HandleFunc("POST /web/pair", s.onPage(device.EventPairingBegun, Page.Pair))
	mux.HandleFunc("POST /web/reset", s.onPage(device.EventAccountsReset, Page.Reset))
	mux.HandleFunc("GET /employees/{who}", func(w http.ResponseWriter, r *http.Request) {
		e, err := s.clock.Employee(r.PathValue("who"))
		reply(w, e, err)
	})
	mux.HandleFunc("POST /enrolment", func(w http.ResponseWriter, r *http.Request) {
		e, err := s.clock.Employee(r.FormValue("employee"))
		if err != nil {
			reply(w, nil, err)
			return
		}
		e.Name = cmp.Or(r.FormValue("name"), e.Name)
		state, err := s.clock.Enroll(Console, e, roster.Way(r.FormValue("way")))
		reply(w, newEnrolment(state), err)
	})
	mux.HandleFunc("GET /enrolment/{number}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("number"))
		after := roster.EnrolState{Number: n, Waiting: true, Problem: r.FormValue("problem")}
		reply(w, newEnrolment(s.clock.AwaitEnrolment(r.Context(), after)), nil)
	})
	mux.HandleFunc("DELETE /enrolment/{number}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("number"))
		s.clock.Enrol.End(n)
		reply(w, nil, nil)
	})
	return mux
}

// journal streams the journal, a JSON object per line.
func (s *Server) journal(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	err := s.clock.Queue.Journal(func(e queue.JournalEntry) error {
		return out.Encode(NewJournalLine(e))
	})
	if err != nil {
		s.log.Error("journal not exported whole", "error", err)
		panic(http.ErrAbortHandler) // the reader must see that it broke off
	}
}

// decided logs what a person decided about a punch and returns what it is now.
func (s *Server) decided(id device.PunchID, what string, err error) (Punch, error) {
	if err != nil {
		return Punch{}, err
	}
	s.log.Info("decided about a punch", "punch", id, "decision", what)
	return s.clock.Punch(id)
}

func withID(w http.ResponseWriter, r *http.Request, f func(device.PunchID) (Punch, error)) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		reply(w, nil, errors.New("a punch has a number: `timeclock queue list` shows them"))
		return
	}
	p, err := f(device.PunchID(id))
	reply(w, p, err)
}

func withUID(w http.ResponseWriter, r *http.Request, f func(device.UID) (any, error)) {
	uid, err := device.ParseUID(r.PathValue("uid"))
	if err != nil {
		reply(w, nil, err)
		return
	}
	answer, err := f(uid)
	reply(w, answer, err)
}

// envelope is every answer: a result, an error, or for imports both.
type envelope struct {
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error,omitempty"`
}

func reply(w http.ResponseWriter, result any, err error) {
	e := envelope{}
	if err != nil {
		e.Error = err.Error()
	}
	raw, err := json.Marshal(result)
	if err != nil {
		e.Error = err.Error()
	}
	e.Result = raw
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(e)
}
