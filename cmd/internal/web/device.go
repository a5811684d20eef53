package web

import (
	"net/http"
	"strings"

	"timeclock/cmd/internal/admin"
)

func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	log, err := s.admin.NewestLog(r.Context(), "", admin.None{})
	s.answer(w, r, http.StatusOK, "device", struct {
		Status      admin.Status
		Examination admin.Examination
		Settings    []string
		Log         []string
		Accounts    []account
		Fingerprint string
	}{
		s.status(r), s.admin.Examination(), s.admin.Settings(), log, s.accounts.all(), fingerprint(s.certificate()),
	}, s.explain(r, err))
}

// examine looks at everything now.
func (s *Server) examine(r *http.Request, who string) (string, error) {
	ctx, cancel := bound(r)
	defer cancel()
	_, err := s.admin.Examine(ctx, who, admin.None{})
	return "", err
}

func (s *Server) addAccount(r *http.Request, who string) (string, error) {
	a, err := newAccount(strings.TrimSpace(r.FormValue("name")), Role(r.FormValue("role")), r.FormValue("password"))
	if err == nil {
		err = s.accounts.set(a)
	}
	if err != nil {
		return "", err
	}
	s.sessions.endOf(a.Name)
	s.admin.AccountSet(who, a.Name, string(a.Role))
	return s.text(r, "account_set", a.Name), nil
}

func (s *Server) removeAccount(r *http.Request, who string) (string, error) {
	name := r.FormValue("name")
	if err := s.accounts.remove(name); err != nil {
		return "", err
	}
	s.sessions.endOf(name)
	s.admin.AccountRemoved(who, name)
	return s.text(r, "account_removed", name), nil
}
