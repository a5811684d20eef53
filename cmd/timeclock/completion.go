package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// completionCommand is made when it is asked for: what it prints has all commands in it.
func completionCommand() command {
	return command{
		name: "completion", args: "SHELL", help: "print what bash, zsh or fish needs to complete commands and flags",
		flags: simple(func(_ context.Context, c *call) error {
			write, known := map[string]func(io.Writer) error{"bash": bash, "zsh": zsh, "fish": fish}[c.args[0]]
			if !known {
				return fmt.Errorf("%w: %q is no shell that is known here: use bash, zsh or fish", errUsage, c.args[0])
			}
			return write(c.stdout)
		}),
	}
}

// words are what can be completed: commands, their verbs, and the flags of each.
type words struct {
	first []string            // in their order
	verbs map[string][]string // of those that have some
	flags map[string][]*flag.Flag
}

func newWords() words {
	w := words{verbs: map[string][]string{}, flags: map[string][]*flag.Flag{}}
	for _, cmd := range forPeople() {
		name, verb, two := strings.Cut(cmd.name, " ")
		if !slices.Contains(w.first, name) {
			w.first = append(w.first, name)
		}
		if two {
			w.verbs[name] = append(w.verbs[name], verb)
		}
		w.flags[cmd.name] = flagsOf(cmd)
	}
	return w
}

// names are flags as one types them.
func names(all []*flag.Flag) (names []string) {
	for _, f := range all {
		names = append(names, "-"+f.Name)
	}
	return names
}

// bash prints what bash-completion reads.
func bash(out io.Writer) error {
	return inCases(out, `# bash completion for timeclock
_timeclock() {
	local cur=${COMP_WORDS[COMP_CWORD]} choices=
	case "$COMP_CWORD ${COMP_WORDS[*]:1:COMP_CWORD-1}" in
`, `	esac
	if [[ $cur == -* ]]; then case "${COMP_WORDS[*]:1:2}" in
`, `	esac; fi
	if [ -n "$choices" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _timeclock timeclock
`)
}

// zsh prints a function for zsh's completion system.
func zsh(out io.Writer) error {
	return inCases(out, `#compdef timeclock
_timeclock() {
	local choices=
	case "$((CURRENT - 1)) ${words[2,CURRENT-1]}" in
`, `	esac
	if [[ ${words[CURRENT]} == -* ]]; then case "${words[2,3]}" in
`, `	esac; fi
	if [ -n "$choices" ]; then
		compadd -- ${=choices}
	else
		_files
	fi
}
_timeclock "$@"
`)
}

// inCases prints a function of a shell with two cases: which word or verb comes next, and which
// flag. What stands between them ends with the second.
func inCases(out io.Writer, head, flags, tail string) error {
	w := newWords()
	fmt.Fprintf(out, "%s\t\"1 \") choices=%q ;;\n", head, strings.Join(w.first, " "))
	for _, name := range w.first {
		if verbs := w.verbs[name]; len(verbs) > 0 {
			fmt.Fprintf(out, "\t%q) choices=%q ;;\n", "2 "+name, strings.Join(verbs, " "))
		}
	}
	fmt.Fprint(out, flags)
	for _, cmd := range forPeople() {
		pattern := fmt.Sprintf("%q", cmd.name)
		if !strings.Contains(cmd.name, " ") {
			pattern += "\\ *"
		}
		fmt.Fprintf(out, "\t%s) choices=%q ;;\n", pattern, strings.Join(names(w.flags[cmd.name]), " "))
	}
	_, err := io.WriteString(out, tail)
	return err
}

// fish prints fish's own rules.
func fish(out io.Writer) (err error) {
	w := newWords()
	say := func(condition, rest string) {
		_, failed := fmt.Fprintf(out, "complete -c timeclock -n %s %s\n", quoted(condition), rest)
		if err == nil {
			err = failed
		}
	}
	for _, name := range w.first {
		say("__fish_use_subcommand", "-f -a "+name)
		for _, verb := range w.verbs[name] {
			say("__fish_seen_subcommand_from "+name+"; and not __fish_seen_subcommand_from "+
				strings.Join(w.verbs[name], " "), "-f -a "+verb)
		}
	}
	for _, cmd := range forPeople() {
		condition := "__fish_seen_subcommand_from " +
			strings.ReplaceAll(cmd.name, " ", "; and __fish_seen_subcommand_from ")
		for _, f := range w.flags[cmd.name] {
			_, usage := flag.UnquoteUsage(f)
			say(condition, "-o "+f.Name+" -d "+quoted(usage))
		}
	}
	return err
}

// quoted is a text as fish reads it.
func quoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
