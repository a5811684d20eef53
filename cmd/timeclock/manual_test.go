package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"timeclock/device"
)

func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	if code := run(t.Context(), env{args, strings.NewReader(""), &out, &problems}); code != 0 {
		t.Fatalf("%v: %d %s", args, code, &problems)
	}
	return out.String()
}

// shells are how one asks a shell what it proposes for the line $0, by a script.
var shells = map[string]string{
	"bash": `eval "$1"; COMP_WORDS=($0); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _timeclock
printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `compadd() { shift; for w in "$@"; do [[ $w == ${words[CURRENT]}* ]] && print -- $w; done; true; }
_files() { print -l -- ${words[CURRENT]}*(N); }
words=(${=0}) CURRENT=${#words}; eval "$1"`,
	"fish": `echo "$argv[2]" | source; complete -C "$argv[1]" | string split -f1 \t; true`,
}

// What the shell proposes is what there is.
func TestCompletion(t *testing.T) {
	for name, ask := range shells {
		t.Run(name, func(t *testing.T) {
			shell, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("SKIPPED: there is no %s on this computer to complete anything", name)
			}
			script := printed(t, "completion", name)
			for line, want := range map[string][]string{
				"timeclock que":              {"queue"},
				"timeclock badge b":          {"block"},
				"timeclock queue list -":     {"-all", "-config", "-json", "-projects"},
				"timeclock badge import -re": {"-replace"},
				"timeclock status -j":        {"-json"},
				"timeclock config check mai": {"main.go"},
			} {
				cmd := exec.Command(shell, "-c", ask, line, script)
				if cmd.Env = append(os.Environ(), "HOME="+t.TempDir()); name == "zsh" {
					cmd.Args = []string{shell, "-f", "-c", ask, line, script}
				}
				out, err := cmd.CombinedOutput()
				if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
					t.Errorf("%q is completed to %q, %v, want %q", line, got, err, want)
				}
			}
		})
	}
}

// The manual page has every command and flag. The package's judge sees whether man can
// read it.
func TestManPage(t *testing.T) {
	page := printed(t, "man-page")
	for _, cmd := range forPeople() {
		if !strings.Contains(page, strings.TrimSpace(".B timeclock "+strings.ReplaceAll(cmd.name, "-", `\-`))) {
			t.Errorf("the manual page lacks %s", cmd.name)
		}
	}
	for _, want := range []string{`\-dry\-run`, `.I /etc/timeclock/timeclock.toml`} {
		if !strings.Contains(page, want) {
			t.Errorf("the manual page lacks %s", want)
		}
	}
}

// Each remedy of a refusal has words for the command line.
func TestRemedies(t *testing.T) {
	refusals, err := os.ReadFile("../../device/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`Remedy = "([a-z]+)"`).FindAllSubmatch(refusals, -1)
	if len(all) != len(remedies) {
		t.Errorf("of %d remedies %d have words", len(all), len(remedies))
	}
	for _, r := range all {
		refusal := &device.Refusal{Cause: "no", Remedy: device.Remedy(r[1])}
		if got := advised(refusal).Error(); got == "no: " {
			t.Errorf("there are no words for the remedy %q", r[1])
		}
	}
}
