package zeitstromtest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"syscall"
	"time"
)

// Fault is one way in which a request can go wrong. The zero Fault is none.
type Fault struct {
	// Delay passes before anything happens; a client that has gone by then is
	// served all the same, as a real server would.
	Delay time.Duration
	// NoConnection is a network that is down: as a RoundTripper nothing is sent at
	// all, over TCP it is DropBefore.
	NoConnection bool
	// DropBefore closes the connection instead of doing anything; DropAfter
	// does what was asked and then closes it without an answer.
	DropBefore, DropAfter bool
	// Status answers this with Header and Body, and does nothing.
	Status int
	// Silent does what was asked and answers a success with this status and no body.
	Silent int
	Header map[string]string
	Body   string
	// CutBody closes the connection in the middle of Body.
	CutBody bool
}

// HTML is an answer as proxies, portals and crashed servers give it.
func HTML(status int) Fault {
	return Fault{
		Status: status, Header: map[string]string{"Content-Type": "text/html"},
		Body: "<html><body><h1>Welcome</h1></body></html>",
	}
}

// JSON is an answer in the API's shape.
func JSON(status int, body string) Fault {
	return Fault{Status: status, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
}

// Sequence fails the first requests one after another, and no later ones.
func Sequence(faults ...Fault) func(*http.Request) Fault {
	var mu sync.Mutex
	return func(*http.Request) Fault {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) == 0 {
			return Fault{}
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

// serve answers with the fault, or by handle if there is none.
func (f Fault) serve(w http.ResponseWriter, handle func(http.ResponseWriter)) {
	if f.Delay > 0 {
		time.Sleep(f.Delay)
	}
	switch {
	case f.NoConnection:
		w.Header().Set(noConnection, "1") // for RoundTrip
		panic(http.ErrAbortHandler)
	case f.DropBefore:
		panic(http.ErrAbortHandler)
	case f.DropAfter:
		handle(httptest.NewRecorder())
		panic(http.ErrAbortHandler)
	case f.Silent != 0:
		done := httptest.NewRecorder()
		if handle(done); done.Code >= http.StatusBadRequest {
			f = Fault{
				Status: done.Code, Header: map[string]string{"Content-Type": "application/json"},
				Body: done.Body.String(),
			}
			break
		}
		w.WriteHeader(f.Silent)
		return
	case f.Status == 0:
		handle(w)
		return
	}
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(f.Status)
	if !f.CutBody {
		io.WriteString(w, f.Body)
		return
	}
	io.WriteString(w, f.Body[:len(f.Body)/2])
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}

const noConnection = "Zeitstromtest-No-Connection"

var errDropped = errors.New("zeitstromtest: connection reset by peer")

// wrote tells whoever asks for it that a request has left, as net/http's own transport does.
func wrote(r *http.Request) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
}

// Sound is the server without its faults, for a look beside them.
func (s *Server) Sound() http.RoundTripper { return sound{s} }

type sound struct{ *Server }

// RoundTrip implements http.RoundTripper.
func (s sound) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	body, err := io.ReadAll(served.Body)
	if err != nil {
		return nil, err
	}
	wrote(r)
	w := httptest.NewRecorder()
	s.answer(w, served, body)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// RoundTrip implements http.RoundTripper: a request without a network.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	wrote(r)
	w := httptest.NewRecorder()
	done := make(chan bool, 1)
	go func() {
		defer func() {
			switch aborted := recover(); aborted {
			case nil, http.ErrAbortHandler: //nolint:errorlint // what panic was given
				done <- aborted == nil
			default:
				panic(aborted)
			}
		}()
		s.ServeHTTP(w, served)
	}()
	select {
	case <-r.Context().Done(): // the server goes on without its client
		return nil, r.Context().Err()
	case whole := <-done:
		resp := w.Result()
		resp.Request = r
		if whole {
			return resp, nil
		}
		switch {
		case w.Header().Get(noConnection) != "":
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		case w.Body.Len() == 0:
			return nil, errDropped
		}
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, broken{}))
		return resp, nil
	}
}

// broken is the end of a body that was cut off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
