package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/deploy/image/imagetest"
	"timeclock/device/devicetest"

	"golang.org/x/sys/unix"
)

// The manual's picture of the dialogue is what a technician sees on a terminal, with the answers that they type:
// a passphrase and a token do not show.
func TestDialoguePicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	imagetest.Image{Packed: true}.Make(t, dir, "2025-11-24-raspios-trixie-arm64-lite.img")
	program, err := os.ReadFile(devicetest.Program(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"timeclock": string(program), "timeclock_1.0_arm64.deb": "!<arch>\ndebian-binary \x00",
		"key.pub": "ssh-ed25519 AAAA tech@bench\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	said := converse(t, dir, []string{
		"", "", "de", "Europe/Berlin", "yes", "secret-token", "office", "secret-password", "", "key.pub", "", "yes",
	})
	for _, secret := range []string{"secret-token", "secret-password"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s shows:\n%s", secret, said)
		}
	}
	// There is no Zeitstrom in this room.
	said = regexp.MustCompile(`(?m)^warning: nobody could be asked.*\n`).ReplaceAllString(said, "")
	svg := asTerminal("$ ./timeclock image\n" + said)
	file := filepath.Join("..", "..", "deploy", "dialogue.svg")
	if *takePictures {
		if err := os.WriteFile(file, svg, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(file); err != nil || !bytes.Equal(there, svg) {
		t.Errorf("%s shows something else (%v); go test ./cmd/timeclock -run TestDialoguePicture -update writes it anew:\n%s",
			file, err, said)
	}
}

// openTerminal opens a terminal: what a person sees and types, and the end that a program has.
func openTerminal(t *testing.T) (terminal, end *os.File) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: there are no terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	end, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close() })
	return terminal, end
}

// converse calls `timeclock image` on a terminal in a directory, gives an answer at each prompt, and returns what
// the terminal shows.
func converse(t *testing.T, dir string, replies []string) string {
	t.Helper()
	terminal, end := openTerminal(t)
	cmd := exec.Command("./timeclock", "image")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir+"/config")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end.Close()

	var mu sync.Mutex
	var heard bytes.Buffer
	prompts := make(chan bool, len(replies)+10)
	over := make(chan bool)
	go func() {
		defer close(over)
		for b := make([]byte, 4096); ; {
			n, err := terminal.Read(b)
			mu.Lock()
			heard.Write(b[:n])
			prompted := bytes.HasSuffix(heard.Bytes(), []byte(": "))
			mu.Unlock()
			if err != nil { // EIO, when nobody has the other end
				return
			}
			if prompted {
				prompts <- true
			}
		}
	}()
	for _, reply := range replies {
		select {
		case <-prompts:
		case <-over:
		}
		fmt.Fprintln(terminal, reply)
	}
	<-over
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v:\n%s", err, &heard)
	}
	return shown(heard.String())
}

// A passphrase is the same typed and in a file, spaces at its ends included; other answers have none there.
func TestTyped(t *testing.T) {
	terminal, end := openTerminal(t)
	c := &call{env: env{stdin: end, stdout: io.Discard}}
	for _, want := range []struct {
		secret bool
		text   string
	}{{true, "  four words and spaces "}, {false, "four words and spaces"}} {
		if _, err := terminal.WriteString("  four words and spaces \n"); err != nil {
			t.Fatal(err)
		}
		if text, err := c.typed(t.Context(), "", want.secret); text != want.text || err != nil {
			t.Errorf("secret %v: %q, %v", want.secret, text, err)
		}
	}
}

// A clock that somebody has left on the bench does not wait for ever.
func TestForgottenBench(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, typing := io.Pipe()
		defer typing.Close()
		b := &testBench{in: bufio.NewReader(in)}
		began := time.Now()
		if _, err := b.line(t.Context()); err == nil || !b.forgotten || time.Since(began) != answerTime {
			t.Errorf("after %v: %v, forgotten %v", time.Since(began), err, b.forgotten)
		}
	})
}

// shown is what a terminal shows: a carriage return writes over the line.
func shown(text string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		lines = append(lines, line[strings.LastIndex(line, "\r")+1:])
	}
	return strings.Join(lines, "\n")
}

// asTerminal draws lines as a terminal of 100 columns does.
func asTerminal(text string) []byte {
	const columns, high, wide = 100, 18, 8
	var lines []string
	for line := range strings.Lines(text) {
		runes := []rune(strings.TrimRight(line, "\n"))
		for ; len(runes) > columns; runes = runes[columns:] {
			lines = append(lines, string(runes[:columns]))
		}
		lines = append(lines, string(runes))
	}
	var svg bytes.Buffer
	w, h := columns*wide+32, len(lines)*high+32
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">`+"\n", w, h)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" rx="6" fill="#1b1f24"/>`+"\n", w, h)
	for i, line := range lines {
		fmt.Fprintf(&svg, `<text x="16" y="%d" fill="#e6edf3" xml:space="preserve" textLength="%d">%s</text>`+"\n",
			(i+1)*high+8, len([]rune(line))*wide, escaped(line))
	}
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}
