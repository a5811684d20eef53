package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/sheet"
	"timeclock/device"
	"timeclock/device/roster"
)

// upload is a badge list that somebody looks at before it is taken over.
type upload struct {
	Name    string // of the file, as its owner's computer calls it
	Numbers device.Numbers
	Serial  string // which tells one look from another
	content []byte
	at      time.Time
}

// list is what is to be done with it.
func (u upload) list() admin.BadgeList { return admin.BadgeList{File: u.content, Numbers: u.Numbers} }

// Bounds of what a look shows; a list may be long.
const (
	linesShown   = 300
	missingShown = 100
)

// counted is how many lines had an action.
type counted struct {
	Action roster.Action
	N      int
}

// importPage shows what would become of a list, or asks for one.
func (s *Server) importPage(w http.ResponseWriter, r *http.Request) {
	type data struct {
		Upload      *upload
		Failed      string // why nothing can be imported
		Report      roster.Report
		Counts      []counted
		Lines       []roster.Line // that were refused, or else all
		More        int
		Missing     []device.Badge
		MissingMore int
		Plan        string // what would become of it, to be agreed to
		Ways        []device.Numbers
	}
	u, _ := visitor(r)
	d := data{Upload: u.upload, Ways: append([]device.Numbers{device.AnyNumbers}, device.AllNumbers...)}
	if u.upload == nil {
		s.show(w, r, "import", d)
		return
	}
	ctx, cancel := bound(r)
	defer cancel()
	look := u.upload.list()
	look.Dry = true
	report, err := s.admin.ImportBadges(ctx, u.Name, look)
	d.Plan = planOf(report)
	d.Report, d.Failed, d.Counts = report, s.explain(r, err), countLines(report)
	for _, l := range report.Lines {
		switch {
		case report.Refused > 0 && l.Action != roster.Refused:
		case len(d.Lines) == linesShown:
			d.More++
		default:
			d.Lines = append(d.Lines, l)
		}
	}
	d.Missing = report.Missing[:min(missingShown, len(report.Missing))]
	d.MissingMore = len(report.Missing) - len(d.Missing)
	s.show(w, r, "import", d)
}

// planOf tells one plan from another: whoever agrees to a list agrees to what they have seen.
func planOf(report roster.Report) string {
	h := sha256.New()
	for _, l := range report.Lines {
		fmt.Fprintln(h, l.Badge.UID.Hex(), l.Badge.Employee.ID, l.Action, l.Badge.Blocked, l.Badge.From, l.Badge.Until)
	}
	for _, b := range report.Missing {
		fmt.Fprintln(h, b.UID.Hex())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// countLines counts what becomes of the lines, as far as anything becomes of any.
func countLines(report roster.Report) (all []counted) {
	n := map[roster.Action]int{}
	for _, l := range report.Lines {
		n[l.Action]++
	}
	for _, action := range []roster.Action{roster.Added, roster.Changed, roster.Moved, roster.Kept, roster.Refused} {
		if n[action] > 0 {
			all = append(all, counted{action, n[action]})
		}
	}
	return all
}

// importBadges keeps a list that was sent, for a look.
func (s *Server) importBadges(r *http.Request, _ string) (string, error) {
	file, header, err := r.FormFile("file")
	if err != nil {
		return "", errNoFile
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return "", err
	}
	u, _ := visitor(r)
	s.sessions.keep(u.key, &upload{
		Name: path.Base(header.Filename), Serial: random(), content: content, at: time.Now(),
	})
	return "", nil
}

var (
	errOtherPlan = errors.New("the list, or what is known of the employees, has changed since you looked: look again")

	errNoFile  = errors.New("choose a file first")
	errTooLate = errors.New("that can be undone for ten minutes only, and they are over")
	errNoList  = errors.New("the list was kept for ten minutes, and they are over: choose the file again")
)

// lookAgain has the badge numbers read in another way.
func (s *Server) lookAgain(r *http.Request, _ string) (string, error) {
	u, _ := visitor(r)
	numbers, err := device.ParseNumbers(r.FormValue("numbers"))
	switch {
	case err != nil:
		return "", err
	case u.upload == nil:
		return "", errNoList
	}
	again := *u.upload
	again.Numbers, again.Serial, again.at = numbers, random(), time.Now()
	s.sessions.keep(u.key, &again)
	return "", nil
}

// forgetList lets another list be chosen.
func (s *Server) forgetList(r *http.Request, _ string) (string, error) {
	u, _ := visitor(r)
	s.sessions.change(u.key, func(x *session) { x.upload = nil })
	return "", nil
}

// confirmImport takes the list over that was looked at.
func (s *Server) confirmImport(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	notice, err := s.takeOver(r, u)
	s.sessions.say(u.key, notice, s.explain(r, err), nil)
	if err != nil {
		http.Redirect(w, r, "/badges/import", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/badges", http.StatusSeeOther)
}

func (s *Server) takeOver(r *http.Request, u session) (notice string, err error) {
	if u.upload == nil {
		return "", errNoList
	}
	l := u.upload.list()
	l.Replace = r.FormValue("replace") != ""
	ctx, cancel := boundAct(r)
	defer cancel()
	look := l
	look.Dry = true
	if report, err := s.admin.ImportBadges(ctx, u.Name, look); err == nil && planOf(report) != r.FormValue("plan") {
		return "", errOtherPlan
	}
	report, err := s.admin.ImportBadges(ctx, u.Name, l)
	if err != nil {
		return "", err
	}
	s.sessions.change(u.key, func(x *session) { x.upload = nil })
	n := map[roster.Action]int{}
	for _, c := range countLines(report) {
		n[c.Action] = c.N
	}
	removed := 0
	if l.Replace {
		removed = len(report.Missing)
	}
	return s.text(r, "imported", n[roster.Added], n[roster.Changed]+n[roster.Moved], n[roster.Kept], removed), nil
}

// refusedLines is a file with the lines that cannot be taken over, to be mended.
func (s *Server) refusedLines(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	if u.upload == nil {
		http.Redirect(w, r, "/badges/import", http.StatusSeeOther)
		return
	}
	ctx, cancel := bound(r)
	defer cancel()
	look := u.upload.list()
	look.Dry = true
	report, _ := s.admin.ImportBadges(ctx, u.Name, look) // which says what is wrong
	s.table(w, "badges-to-mend", "csv", func(t sheet.Table) error {
		return roster.Mend(u.upload.content, report, s.text(r, "reason"), s.languageOf(r).say,
			func(fields []string) error { return t.Line(fields...) })
	})
}
