package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// badgesShown is how many badges a page of the list has.
const badgesShown = 50

// badgeSorts are the orders of the list; the badges come in the first one.
var badgeSorts = map[string]func(a, b device.Badge) int{
	"name":   nil,
	"badge":  func(a, b device.Badge) int { return a.UID.Compare(b.UID) },
	"origin": func(a, b device.Badge) int { return cmp.Compare(a.Origin, b.Origin) },
	"valid": func(a, b device.Badge) int { // blocked ones first, then those that end first
		return cmp.Or(cmp.Compare(b2i(b.Blocked), b2i(a.Blocked)), cmp.Compare(orNever(a.Until), orNever(b.Until)))
	},
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orNever is a last day, or one behind all of them.
func orNever(day string) string { return cmp.Or(day, "9999-12-31") }

// badgesData is what the list of badges shows.
type badgesData struct {
	Query, Sort    string
	Sorts          []string
	Badges         []device.Badge
	Found          int
	Number, Pages  int
	Previous, Next string // addresses; empty: there is none
	Here           string // the query of this page's address
	Status         admin.Status
	Functions      []admin.FunctionBadge
	Choices        []device.Function
	Projects       []device.Project
}

func (s *Server) badgesPage(w http.ResponseWriter, r *http.Request) {
	d := badgesData{
		Query: strings.TrimSpace(r.FormValue("q")), Sort: r.FormValue("sort"),
		Sorts: []string{"name", "badge", "valid", "origin"}, Status: s.status(r),
	}
	if !slices.Contains(d.Sorts, d.Sort) {
		d.Sort = d.Sorts[0]
	}
	all, err := s.admin.Badges(r.Context(), "", admin.None{})
	d.Functions, _ = s.admin.Functions(r.Context(), "", admin.None{})
	d.Choices, d.Projects = functions, s.admin.Projects()
	found := s.findBadges(r, all, d.Query)
	if order := badgeSorts[d.Sort]; order != nil {
		slices.SortStableFunc(found, order)
	}
	d.Found, d.Pages = len(found), max(1, (len(found)+badgesShown-1)/badgesShown)
	n, _ := strconv.Atoi(r.FormValue("page"))
	d.Number = min(max(1, n), d.Pages)
	d.Badges = found[(d.Number-1)*badgesShown : min(d.Number*badgesShown, len(found))]
	at := func(page int) string {
		if page < 1 || page > d.Pages {
			return ""
		}
		return "?" + url.Values{"q": {d.Query}, "sort": {d.Sort}, "page": {strconv.Itoa(page)}}.Encode()
	}
	d.Previous, d.Here, d.Next = at(d.Number-1), at(d.Number), at(d.Number+1)
	s.answer(w, r, http.StatusOK, "badges", d, s.explain(r, err))
}

// findBadges are those whose owner or number has what was typed.
func (s *Server) findBadges(r *http.Request, all []device.Badge, words string) []device.Badge {
	if words == "" {
		return all
	}
	v := s.viewOf(r)
	asked, digits := roster.Ask(words), strings.ToUpper(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(words))
	return slices.DeleteFunc(all, func(b device.Badge) bool {
		return !v.fits(asked, b.Employee) && !strings.Contains(v.UID(b.UID), digits)
	})
}

// fits reports whether an employee fits a question, as far as the reader may see them.
func (v view) fits(q roster.Question, e device.Employee) bool {
	if !v.Admin() {
		e = device.Employee{Name: v.Name(e.Name)}
	}
	return q.Fits(device.Person{Employee: e}) != roster.NoFit
}

func (s *Server) blockBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	blocked, err := strconv.ParseBool(r.FormValue("blocked"))
	if err != nil {
		return "", errEmpty
	}
	e, err := s.admin.BlockBadge(r.Context(), who, admin.Block{Badge: admin.WholeUID{UID: uid}, Blocked: blocked})
	done := "badge_unblocked"
	if blocked {
		done = "badge_blocked"
	}
	return s.text(r, done, uid.Hex(), e.Name), err
}

func (s *Server) removeBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	b, err := s.admin.RemoveBadge(r.Context(), who, admin.WholeUID{UID: uid})
	if err != nil {
		return "", err
	}
	u, _ := visitor(r)
	s.sessions.change(u.key, func(x *session) { x.removed = &removed{b, time.Now()} })
	return "", nil // the list says it, for as long as it can be undone
}

// undo puts the badge back that was removed last.
func (s *Server) undo(r *http.Request, who string) (string, error) {
	u, _ := visitor(r)
	was := u.Removed()
	if was == nil {
		return "", errTooLate
	}
	if err := s.admin.PutBack(who, was.Badge); err != nil {
		return "", err
	}
	s.sessions.change(u.key, func(x *session) { x.removed = nil })
	return s.text(r, "badge_back", was.Badge.UID.Hex(), was.Badge.Employee.Name), nil
}

func (s *Server) syncBadges(r *http.Request, who string) (string, error) {
	ctx, cancel := bound(r)
	defer cancel()
	m, err := s.admin.SyncBadges(ctx, who, false)
	return s.text(r, "synced", len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked), len(m.Conflicts)), err
}

func (s *Server) unclaimedPage(w http.ResponseWriter, r *http.Request) {
	unclaimed, err := s.admin.UnclaimedBadges(r.Context(), "", admin.None{})
	s.answer(w, r, http.StatusOK, "unclaimed", unclaimed, s.explain(r, err))
}

func (s *Server) claim(r *http.Request, who string) (string, error) {
	b, err := s.badge(r)
	if err != nil {
		return "", err
	}
	plan, err := s.admin.Claim(r.Context(), who, admin.Claim{Badge: b, Force: r.FormValue("force") != ""})
	return s.count(r, "claimed", len(plan), b.Employee.Name), err
}
