package zeitstromtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// form is a JSON body that is being judged, field by field.
type form struct {
	in     map[string]any
	faults map[string][]string
}

func newForm(body []byte) *form {
	f := &form{faults: map[string][]string{}}
	if json.Unmarshal(body, &f.in) != nil {
		f.faults["non_field_errors"] = []string{"Invalid data. Expected a dictionary."}
	}
	return f
}

func (f *form) fault(field, text string) { f.faults[field] = append(f.faults[field], text) }

// instant reads a time; zero if it is missing and need not be there.
func (f *form) instant(field string, needed bool) (t time.Time) {
	v, there := f.in[field]
	text, isText := v.(string)
	switch {
	case !there || v == nil:
		if needed {
			f.fault(field, "This field is required.")
		}
		return t
	case !isText:
		f.fault(field, "Not a valid string.")
		return t
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.fault(field, "Datetime has wrong format. Use one of these formats instead: "+
			"YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].")
	}
	return t
}

// period reads checkin and checkout.
func (f *form) period(closed bool) (checkin, checkout time.Time) {
	checkin, checkout = f.instant("checkin", true), f.instant("checkout", closed)
	if len(f.faults) == 0 && !checkout.IsZero() && checkout.Before(checkin) {
		f.fault("checkout", "Check-out must not be before check-in.")
	}
	return checkin, checkout
}

func (f *form) text(field string) string {
	v, there := f.in[field]
	text, isText := v.(string)
	switch {
	case !there:
		f.fault(field, "This field is required.")
	case !isText:
		f.fault(field, "Not a valid string.")
	}
	return text
}

// refused answers with the faults, if there are any.
func (f *form) refused(w http.ResponseWriter) bool {
	if len(f.faults) > 0 {
		reply(w, http.StatusBadRequest, f.faults)
	}
	return len(f.faults) > 0
}

func (s *Server) setTimes(w http.ResponseWriter, sp *span, body []byte) {
	f := newForm(body)
	checkin, checkout := f.period(false)
	if len(f.faults) == 0 && checkout.IsZero() && !sp.checkout.IsZero() && sp.checkout.Before(checkin) {
		f.fault("checkin", "Check-in must not be after check-out.")
	}
	if f.refused(w) {
		return
	}
	sp.remember("Corrected check-in time")
	sp.checkin = checkin
	if !checkout.IsZero() {
		sp.checkout = checkout
		if s.open[sp.employee] == sp {
			delete(s.open, sp.employee)
		}
	}
	reply(w, http.StatusOK, sp.shape("detail"))
}

func (s *Server) addTimes(w http.ResponseWriter, body []byte) {
	f := newForm(body)
	id := f.text("workday_id")
	checkin, checkout := f.period(false)
	i := slices.IndexFunc(s.spans, func(sp *span) bool { return sp.workday() == id })
	if i < 0 && len(f.faults["workday_id"]) == 0 {
		f.fault("workday_id", `Invalid pk "`+id+`" - object does not exist.`)
	}
	if f.refused(w) {
		return
	}
	sp := s.addSpan(s.spans[i].employee, checkin, checkout)
	sp.day = s.spans[i].day
	if checkout.IsZero() {
		s.opened(sp)
	}
	reply(w, http.StatusCreated, sp.shape("detail"))
}

func (s *Server) assignProject(w http.ResponseWriter, sp *span, body []byte) {
	if s.MayNotAssign {
		detail(w, http.StatusForbidden, authTexts[http.StatusForbidden])
		return
	}
	f := newForm(body)
	code, _ := f.in["project_code"].(string)
	id, _ := f.in["project_id"].(string)
	switch at := slices.IndexFunc(s.Projects, func(p Project) bool { return p.Code == code && code != "" }); {
	case code == "" && id == "":
		f.fault("non_field_errors", "Either project_code or project_id is required.")
	case utf8.RuneCountInString(code) > 8:
		f.fault("project_code", "Ensure this field has no more than 8 characters.")
	case id != "" && !uuid.MatchString(id):
		f.fault("project_id", "Must be a valid UUID.")
	case code != "" && s.Projects != nil && (at < 0 || s.Projects[at].Archived):
		f.fault("project_code", `Project with code "`+code+`" does not exist.`)
	case at >= 0:
		id = s.Projects[at].ID
	}
	if f.refused(w) {
		return
	}
	s.assigned = append(s.assigned, sp.id)
	if id == "" {
		id = fmt.Sprintf("1a2b3c4d-5e6f-4890-abcd-%012x", code)[:36]
	}
	sp.project = id
	reply(w, http.StatusOK, sp.shape("detail"))
}

func (s *Server) setTags(w http.ResponseWriter, sp *span, body []byte) {
	f := newForm(body)
	tags, isList := f.in["tag_assignments"].([]any)
	if !isList {
		f.fault("tag_assignments", "This field is required.")
	}
	for _, tag := range tags {
		t, _ := tag.(map[string]any)
		id, _ := t["tag_id"].(string)
		_, isNumber := t["value"].(float64)
		if kind, _ := t["type"].(string); !uuid.MatchString(id) || kind == "" || !isNumber {
			f.fault("tag_assignments", "Each needs tag_id, type and value.")
			break
		}
	}
	if f.refused(w) {
		return
	}
	sp.tags = tags
	reply(w, http.StatusOK, sp.shape("detail"))
}

func (s *Server) setComment(w http.ResponseWriter, sp *span, body []byte) {
	f := newForm(body)
	comment := f.text("employee_comment")
	if f.refused(w) {
		return
	}
	sp.comment = comment
	reply(w, http.StatusOK, sp.shape("detail"))
}

// replaceSpans replaces consecutive timespans of one workday.
func (s *Server) replaceSpans(w http.ResponseWriter, body []byte) {
	f := newForm(body)
	ids, _ := f.in["source_timespan_ids"].([]any)
	pieces, _ := f.in["new_timespans"].([]any)
	var sources []*span
	for _, id := range ids {
		text, _ := id.(string)
		sp := s.find(text)
		switch {
		case sp == nil:
			f.fault("source_timespan_ids", fmt.Sprintf(`Invalid pk "%v" - object does not exist.`, id))
		case len(sources) > 0 && sources[0].workday() != sp.workday():
			f.fault("source_timespan_ids", "All timespans must belong to the same workday.")
		default:
			sources = append(sources, sp)
		}
	}
	if len(ids) == 0 {
		f.fault("source_timespan_ids", "This field is required.")
	}
	if len(pieces) == 0 {
		f.fault("new_timespans", "This field is required.")
	}
	var fresh []span
	for _, piece := range pieces {
		in, _ := piece.(map[string]any)
		part := &form{in: in, faults: f.faults}
		sp := span{}
		sp.checkin, sp.checkout = part.period(true)
		sp.project, _ = in["project_id"].(string)
		sp.comment, _ = in["employee_comment"].(string)
		fresh = append(fresh, sp)
	}
	if f.refused(w) {
		return
	}
	out := []map[string]any{}
	for _, piece := range fresh {
		sp := s.addSpan(sources[0].employee, piece.checkin, piece.checkout)
		sp.project, sp.comment, sp.day = piece.project, piece.comment, sources[0].day
		out = append(out, sp.shape("detail"))
	}
	for _, sp := range sources {
		s.forget(sp)
	}
	reply(w, http.StatusOK, out)
}
