package zeitstrom

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Kind says what an error means for what happens next.
type Kind uint8

// The kinds of errors.
const (
	Unreachable  Kind = iota // no answer, or one that broke off
	Unavailable              // an error that may pass: 5xx, 404, 405, 408 and all that is not named here
	NotAPI                   // an answer that is not the API's: redirect, HTML with status 200
	Throttled                // 429
	Refused                  // 400 or 422 in the API's own shape: will never be accepted as it is
	Unauthorized             // 401: the token is not valid
	Forbidden                // 403: the token may not do this
	NoToken                  // there is no token to send
	Incomparable             // an answer of the API's own, whose times cannot be compared with ours
)

// Kinds is how many kinds there are.
const Kinds = int(Incomparable) + 1

// String is the word that metrics and status use.
func (k Kind) String() string {
	return [Kinds]string{
		"unreachable", "unavailable", "not_api", "throttled", "refused", "unauthorized",
		"forbidden", "no_token", "incomparable",
	}[k]
}

// Error is whatever kept a request from succeeding.
type Error struct {
	Kind       Kind
	Status     int                 // of HTTP; 0 if no answer came
	Detail     string              // the server's words about the whole request
	Fields     map[string][]string // the server's words by field
	RetryAfter time.Duration       // what the server asked for; 0 if it did not
	Sent       bool                // the request had left, at least in part
	Request    string              // its method and path
	Cause      error               // what happened on the way; may be nil
}

// Error says what went wrong, for a person.
func (e *Error) Error() string {
	switch e.Kind {
	case Unreachable:
		return fmt.Sprintf("Zeitstrom cannot be reached: %v", e.Cause)
	case NotAPI:
		return fmt.Sprintf("this was not Zeitstrom answering: %v", e.Cause)
	case Unauthorized:
		return fmt.Sprintf("Zeitstrom does not accept the token (401): put a valid one into the token file%s",
			e.quote())
	case Forbidden:
		return fmt.Sprintf("the token has no permission for %s (403): give it the permission at Zeitstrom, "+
			"or use another token%s", e.Request, e.quote())
	case Incomparable:
		return e.Cause.Error()
	case NoToken:
		return fmt.Sprintf("there is no token that can be read: %v", e.Cause)
	case Throttled:
		return fmt.Sprintf("Zeitstrom asks to wait (429)%s", e.quote())
	case Refused:
		return fmt.Sprintf("Zeitstrom refused it (%d)%s", e.Status, e.quote())
	}
	if e.Status == http.StatusNotFound && e.hasWords() {
		return fmt.Sprintf("Zeitstrom does not know %s (404)%s", e.Request, e.quote())
	}
	return fmt.Sprintf("Zeitstrom is not available (%d)%s", e.Status, e.quote())
}

// Ambiguous reports whether what was asked for may have been done: the request
// had left, and the answer was none, broke off, was not the API's, or was a
// server's failure.
func (e *Error) Ambiguous() bool {
	switch e.Kind {
	case Unreachable, NotAPI:
		return e.Sent
	case Unavailable:
		return e.Status >= 500
	}
	return false
}

// Own reports whether it was the API that answered, in its own shape, though not as
// was hoped.
func (e *Error) Own() bool { return e.Kind == Incomparable || e.Status >= 400 && e.hasWords() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) quote() string {
	if words := e.Words(); words != "" {
		return ": " + words
	}
	return ""
}

// Words returns what the server said, in one line of at most 500 characters.
func (e *Error) Words() string {
	var words []string
	if e.Detail != "" {
		words = append(words, e.Detail)
	}
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		words = append(words, field+": "+strings.Join(e.Fields[field], " "))
	}
	return Sanitize(strings.Join(words, "; "))
}

// maxWords bounds what is kept of a server's words, in characters.
const maxWords = 500

// Sanitize makes foreign words fit for a terminal and a journal: one line, bounded,
// without control characters.
func Sanitize(words string) string {
	words = strings.Join(strings.FieldsFunc(words,
		func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(words); len(runes) > maxWords {
		return string(runes[:maxWords]) + "…"
	}
	return words
}

func (e *Error) hasWords() bool { return e.Words() != "" }

// readBody takes over an error body: {"detail": text} or {"field": [text, ...]};
// non_field_errors count as detail. Anything else leaves e without words.
func (e *Error) readBody(body []byte) {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return
	}
	for field, raw := range object {
		var texts []string
		var one string
		if json.Unmarshal(raw, &one) == nil {
			texts = []string{one}
		} else if json.Unmarshal(raw, &texts) != nil {
			continue
		}
		switch {
		case len(texts) == 0:
		case field == "detail" || field == "non_field_errors":
			e.Detail = strings.Join(texts, " ")
		default:
			if e.Fields == nil {
				e.Fields = map[string][]string{}
			}
			e.Fields[field] = texts
		}
	}
}

// longestAsked bounds what a server may ask for: a proxy's maintenance page must
// not keep bookings back for a day.
const longestAsked = time.Hour

// retryAfter reads the header in both forms of RFC 9110, section 10.2.3.
func retryAfter(h string) time.Duration {
	if seconds, err := strconv.Atoi(h); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, 1<<20))*time.Second, longestAsked)
	}
	if at, err := http.ParseTime(h); err == nil {
		return min(max(0, time.Until(at)), longestAsked)
	}
	return 0
}
