package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"timeclock/device"
)

// speakers are the files whose texts may reach the page: what the rooms say is wrong, and what to do.
var speakers = []string{
	"device/*.go", "device/clock/*.go", "device/doctor/*.go", "device/durable/*.go", "device/roster/*.go",
	"display/*.go", "queue/*.go", "reader/*.go", "reader/mfrc522/*.go", "sync/zeitstrom/*.go", "sync/uplink/*.go",
	"cmd/internal/admin/*.go", "cmd/internal/web/*.go", "cmd/timeclock/examine.go", "cmd/timeclock/disk.go",
	"cmd/timeclock/hardware.go", "cmd/timeclock/pins.go", "cmd/timeclock/recovery.go", "cmd/timeclock/settings.go",
	"cmd/timeclock/state.go", "cmd/timeclock/store.go",
}

// unsaid are texts of those files that no page shows, with where they are: what only a log, a
// command or a picture has, and what is no text.
var unsaid = []struct{ files, texts string }{
	{"device/event.go", ""},                                              // see TestEventsAreSaid
	{"cmd/internal/admin/(client|socket|page|table).go", ""},             // to commands only
	{"cmd/internal/web/(phrases|language|pictures|handler|page).go", ``}, // see TestPageSpeaks for its answers
	{"cmd/internal/web", `^(text/csv|attachment; filename|data: now|certificate: %w$|PRIVATE KEY)`},
	{"device/doctor", `^(MemAvailable|Block devices$|Raspberry Pi$)`},
	{"cmd/internal/admin/data.go", `^everything about %s$|^%s: %d badges$`},
	{"cmd/internal/admin", `^(for|of|give up|lines,|added,|timespan %s of %s|of %s for %s)`},
	{"cmd/internal/admin", `^%s (for|of) %s|^%d (lines|added)`},
	{"cmd/internal/admin/punches.go", `real reader`},
	{"cmd/internal/admin/staff.go", `Zeitstrom could not be asked|^%d more$`},
	{"device/roster/(file|sync|table|import).go", `^%s of %d|^badge map from Zeitstrom$|^enough was read$|^checksum`},
	{"device/roster/roster.go", `^incomplete`},
	{"display", ""},
	{"reader/mfrc522", `^(no answer from the badge|several badges answered at once|check byte is wrong|on$)`},
	{"reader/mfrc522", `^(parity error|frame error|checksum error|neither an answer nor silence)`},
	{"reader/mfrc522", `^(answer longer than the FIFO|the UID (goes on|does not end))`},
	{"reader/mfrc522", `^(MFRC522|FM17522|counterfeit)`},
	{"queue/(open|meta|records|journal|unclaimed|ranges|wreck).go", `^(%w|cannot |bucket|the queue (has|is)|%d %s)`},
	{"queue/(open|records).go", `^(first number|employee id %q is not a UUID$|unknown intent)`},
	{"queue/queue.go", `in use by another`},
	{"queue/interim.go", `^give up`},
	{"sync/zeitstrom", `^(Token|ca_file: %w|%w \(%w\)|asked for timespan|%d %s %s|%q: %s)`},
	{"cmd/internal/web/pairing.go", ""},
	{"cmd/internal/web/data.go", `^%s from %s to %s$|^(everything about|for|of)$`},
	{"cmd/internal/web/password.go", ""},
	{"cmd/internal/web/sample.go", "^GET "},
	{"device/numbers.go", "^is not written so$"},
	{"cmd/timeclock/disk.go", `^queue not closed`},
	{"cmd/timeclock/recovery.go", `^%w`},
	{"cmd/timeclock/settings.go", `^# With these settings`},
	{"cmd/timeclock/state.go", `^(state directory: %w|another timeclock|%w \(%s\))|^sudo chown`},
	{"cmd/timeclock/store.go", `^%w|^OUT FILE`},
	{"cmd/timeclock/examine.go", `^token file$|^by others$`},
}

func isUnsaid(file, text string) bool {
	for _, u := range unsaid {
		if regexp.MustCompile(u.files).MatchString(file) && regexp.MustCompile(u.texts).MatchString(text) {
			return true
		}
	}
	return false
}

// Whatever the rooms say is said in every language. A text that is new in one of them fails here
// until each language's file has it.
func TestEverythingIsSaid(t *testing.T) {
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	texts := 0
	for _, pattern := range speakers {
		files, _ := filepath.Glob(filepath.Join("../../..", pattern))
		if len(files) == 0 {
			t.Errorf("there is no %s", pattern)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for text, where := range textsIn(t, file) {
				if isUnsaid(file, text) {
					continue
				}
				texts++
				for code, l := range all {
					if code != fallback && l.Messages[text] == "" {
						t.Errorf("%s: %s does not say %q", where, code, text)
					}
				}
			}
		}
	}
	if texts < 200 {
		t.Errorf("only %d texts were found", texts)
	}
}

// What the journal says has happened is said in every language, too.
func TestEventsAreSaid(t *testing.T) {
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), "../../../device/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		field, ok := n.(*ast.ValueSpec)
		if !ok || len(field.Values) != 1 {
			return true
		}
		kind, ok := constant(field.Values[0])
		if !ok {
			return true
		}
		kinds++
		for code, l := range all {
			unsure := string(device.EventKind(kind).OutcomeUnknown())
			if code != fallback && (l.Messages[kind] == "" || l.say(unsure) == unsure) {
				t.Errorf("%s does not say %q", code, kind)
			}
		}
		return true
	})
	if kinds < 30 {
		t.Errorf("only %d kinds of events were found", kinds)
	}
}

// textsIn are a file's texts of more than a word, but for those of logs.
func textsIn(t *testing.T, file string) map[string]token.Position {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]token.Position{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field, *ast.ImportSpec: // struct tags, paths
			return false
		case *ast.CallExpr:
			return !isLog(n)
		case ast.Expr:
			if text, ok := constant(n); ok {
				words := regexp.MustCompile(`[a-z]{2}`).MatchString(goVerb.ReplaceAllString(text, ""))
				if strings.Contains(text, " ") && words {
					found[strings.Trim(text, " ;:,")] = set.Position(n.Pos())
				}
				return false
			}
		}
		return true
	})
	return found
}

// isLog reports whether a call writes to a log.
func isLog(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch f.Sel.Name {
	case "Info", "Warn", "Debug", "MustCompile":
		return true
	case "Error":
		return len(call.Args) > 1
	}
	return false
}

// constant is the text of a literal, or of several that are put together.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		a, first := constant(e.X)
		b, second := constant(e.Y)
		return a + b, first && second && e.Op == token.ADD
	}
	return "", false
}

// A sentence with its cause is said as one; what nobody has words for stays as it is.
func TestSay(t *testing.T) {
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"": "", "Anna Müller": "Anna Müller",
		"badge 01020304 belongs to Anna (a1b2)": "der Ausweis 01020304 gehört Anna (a1b2)",
		"Zeitstrom cannot be reached: dial tcp: connection refused": "Zeitstrom ist nicht zu erreichen: dial tcp: " +
			"connection refused",
		`Zeitstrom refused it (400): Invalid pk "7" - object does not exist.`: "Zeitstrom hat es abgelehnt (400): " +
			`Invalid pk "7" - object does not exist.`,
		"of the 10 badges that Zeitstrom had, 9 are not listed any more: that is not believed": "von den 10 " +
			"Ausweisen, die Zeitstrom hatte, sind 9 nicht mehr aufgeführt: das wird nicht geglaubt",
		"the badge map /x was damaged: it is gone; its copy has taken its place, nothing is lost": "die " +
			"Ausweisliste /x war beschädigt: sie ist weg; ihre Kopie ist an ihrer Stelle, nichts ist verloren",
		"the employees cannot be looked up at Zeitstrom: the token has no permission for GET /x (403): give it the " +
			"permission at Zeitstrom, or use another token; a list with the column employee_id needs nobody to be " +
			"looked up": "die Mitarbeiter lassen sich bei Zeitstrom nicht nachschlagen: das Token hat keine " +
			"Erlaubnis für GET /x (403): ihm bei Zeitstrom die Erlaubnis geben oder ein anderes verwenden; eine " +
			"Liste mit der Id bei Zeitstrom (Spalte employee_id) braucht das nicht",
		"MFRC522 v2.0 (a clone, by its self-test) on /dev/spidev0.0": "MFRC522 v2.0 (ein Nachbau, nach seinem " +
			"Selbsttest) an /dev/spidev0.0",
	} {
		if got := all["de"].say(text); got != want {
			t.Errorf("%q:\n%q, want\n%q", text, got, want)
		}
	}
	if got := all["en"].say("take over a list: timeclock badge import FILE"); strings.Contains(got, "timeclock") {
		t.Errorf("in English: %q", got)
	}
}

// What an admin reads on the page speaks of the page's own buttons: no command that only somebody at
// the clock's console has, where the page can do it.
func TestAdviceIsThePages(t *testing.T) {
	command := regexp.MustCompile("timeclock (badge|queue|timespan|doctor`|tap|status)")
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	for code, l := range all {
		for from, to := range l.Messages {
			if command.MatchString(to) && !strings.Contains(to, "queue salvage") { // which the page has not
				t.Errorf("%s: %q advises %q", code, from, to)
			}
		}
	}
	for from := range all["de"].Messages {
		hasNone := strings.Contains(from, "queue salvage") || strings.Contains(from, "badge import %s")
		if command.MatchString(from) && all[fallback].Messages[from] == "" && !hasNone {
			t.Errorf("in English %q speaks of the command line", from)
		}
	}
}
