package serve

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"

	"timeclock/device/devicetest"
)

// A computer has one address, or for IPv6 a network of them; on a link, one for each.
func TestClient(t *testing.T) {
	for remote, want := range map[string][2]string{
		"192.168.1.5:4711":           {"192.168.1.5", "192.168.1.5/32"},
		"[::ffff:192.168.1.5]:1":     {"192.168.1.5", "192.168.1.5/32"},
		"[2001:db8:1:2:3:4:5:6]:443": {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		"[fe80::1%eth0]:1":           {"fe80::1%eth0", "fe80::/64"},
		"odd":                        {"invalid IP", "invalid Prefix"},
	} {
		if a := Client(remote); a.String() != want[0] || Network(a).String() != want[1] {
			t.Errorf("%s is %s in %s, want %v", remote, a, Network(a), want)
		}
	}
}

// Neighbours in one IPv6 network do not take each other's connections; all of them
// together have a bound; who is known is let in all the same.
func TestConnectionsAreBounded(t *testing.T) {
	admin := netip.MustParseAddr("2001:db8::1")
	l := &listener{
		options: Options{Most: 100, Trusted: func(a netip.Addr) bool { return a == admin }},
		from:    map[netip.Prefix]int{},
	}
	enter := func(from netip.Addr, times int) (in int) {
		for range times {
			if l.enters(from) {
				in++
			}
		}
		return in
	}
	neighbour := netip.MustParseAddr("2001:db8::bad")
	if n := enter(neighbour, 50); n != perComputer {
		t.Errorf("one computer has %d connections", n)
	}
	if n := enter(netip.MustParseAddr("2001:db8::2"), 6); n != 6 {
		t.Errorf("its neighbour has %d", n)
	}
	for i := range 30 {
		enter(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x:0", i+1)), 5)
	}
	if l.open != perNetwork {
		t.Errorf("one network has %d connections", l.open)
	}
	if n := enter(admin, 6); n != 6 {
		t.Errorf("somebody who is known has %d in a network that is full", n)
	}
	for i := range 30 {
		enter(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 10)
	}
	if l.open != 100 {
		t.Errorf("%d connections in all", l.open)
	}
	if n := enter(admin, 6); n != perComputer-6 {
		t.Errorf("somebody who is known has %d more when all are taken", n)
	}
	for l.open > 0 {
		for who := range l.from {
			if who.IsSingleIP() {
				l.leaves(who.Addr())
			}
		}
	}
	if len(l.from) > 0 {
		t.Errorf("of those who left are remembered %v", l.from)
	}
}

// A stranger who opens connections and says nothing, or leaves them idle, takes them from
// nobody for long.
func TestSilentConnectionsEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	ctx := t.Context()
	go func() {
		done <- HTTP(ctx, l, Options{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }),
			Slowest: 5 * time.Second, Most: 30,
		})
	}()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	silent := func(says string) net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, says)
		return c
	}
	ended := []net.Conn{
		silent(""), silent("GET / HTTP/1.1\r\nHost: x\r\n"), silent("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	}
	for range 50 {
		silent("")
	}
	for _, c := range ended {
		c.SetReadDeadline(devicetest.Deadline(t))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection does not end: %v", err)
		}
	}
	devicetest.Eventually(t, func() error {
		resp, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			resp.Body.Close()
		}
		return err
	})
}
