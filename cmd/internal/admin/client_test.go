package admin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
)

// A daemon that somebody has taken over cannot fill up whoever asks it, who may be root.
func TestAnswersWithoutAnEnd(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	daemon := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"result": {"Problem": "`)
		for more := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := w.Write(more); err != nil {
				return
			}
		}
	})}
	go daemon.Serve(l)
	defer daemon.Close()
	c := Dial(dir)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := DoHealth.On(t.Context(), c, None{}); !errors.Is(err, errTooLong) {
		t.Errorf("an answer: %v", err)
	}
	if err := c.Journal(t.Context(), func(JournalLine) error { return nil }); !errors.Is(err, errTooLong) {
		t.Errorf("a journal: %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.Sys - before.Sys; grown > 5*maxAnswer {
		t.Errorf("an answer without an end took %d MB", grown>>20)
	}
}
