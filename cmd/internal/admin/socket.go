package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// SocketName is the control socket's name in the state directory.
const SocketName = "control.sock"

// Fallback is where the control socket is if the state directory takes none.
const Fallback = "/run/timeclock/control.sock"

// stateDirHeader says which clock a client looks for.
const stateDirHeader = "Timeclock-State-Dir"

// Server answers on the control socket, with HTTP and JSON, for this program's own use. Whoever
// may open the socket may do everything: its file mode is the access control.
type Server struct {
	admin    *Admin
	stateDir string
	listener net.Listener
	log      *slog.Logger
}

// Listen opens the control socket in the state directory, or, where that takes none, at
// Fallback. The caller must own the state directory: a socket that is there already is
// what a crash left behind.
func Listen(stateDir string, a *Admin, log *slog.Logger) (*Server, error) {
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
	return &Server{admin: a, stateDir: stateDir, listener: l, log: log}, nil
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

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, ability := range table {
		mux.HandleFunc(ability.handler(s.admin))
	}
	mux.HandleFunc("GET /journal", s.journal)
	return mux
}

// decode reads what an ability takes; nothing is its zero value.
func decode(from io.Reader, in any) error {
	if err := json.NewDecoder(from).Decode(in); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the question cannot be read: %w", err)
	}
	return nil
}

// journal streams the journal, a JSON object per line.
func (s *Server) journal(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	if err := s.admin.Journal(r.Context(), func(l JournalLine) error { return out.Encode(l) }); err != nil {
		s.log.Error("journal not exported whole", "error", err)
		panic(http.ErrAbortHandler) // the reader must see that it broke off
	}
}
