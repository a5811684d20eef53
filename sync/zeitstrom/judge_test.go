package zeitstrom

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// FuzzJudge feeds any answer: it is either a success without an error or an
// *Error, and never a refusal without the server's words.
func FuzzJudge(f *testing.F) {
	f.Add(200, "application/json", "", []byte("{}"))
	f.Add(400, "application/json", "", []byte(`{"time": ["x"], "a": {"b": [1]}, "non_field_errors": ["y"]}`))
	f.Add(429, "", "Fri, 31 Dec 1999 23:59:59 GMT", []byte(""))
	f.Fuzz(func(t *testing.T, status int, contentType, retry string, body []byte) {
		resp := &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}, "Retry-After": {retry}},
		}
		_, err := judge(resp, body)
		if err == nil {
			if status < 200 || status > 299 {
				t.Errorf("status %d is a success", status)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || err.Error() == "" {
			t.Fatalf("%v is no *Error", err)
		}
		if e.Kind == Refused && e.Words() == "" {
			t.Error("refused without words")
		}
		if e.RetryAfter < 0 || e.RetryAfter > time.Hour {
			t.Errorf("RetryAfter = %v", e.RetryAfter)
		}
	})
}
