package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notify tells systemd how this service is, in the form of sd_notify(3). Where systemd does not
// listen it does nothing.
func notify(states ...string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"}) // @: an abstract one
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(strings.Join(states, "\n")))
	return err
}

// watchdogLimit is how long systemd waits for a word of this service until it is started anew
// (sd_watchdog_enabled(3)); 0: it does not.
func watchdogLimit() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	limit, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || limit < 0 {
		return 0
	}
	return time.Duration(limit) * time.Microsecond
}
