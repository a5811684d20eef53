package zeitstrom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// judge tells the API's own answers from everybody else's.
func judge(resp *http.Response, body []byte) (answer, error) {
	body = bytes.TrimSpace(body)
	contentType := resp.Header.Get("Content-Type")
	isJSON := len(body) > 0 && json.Valid(body) && (contentType == "" || strings.Contains(contentType, "json"))
	e := &Error{Status: resp.StatusCode, Sent: true}
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300 && (len(body) == 0 || isJSON):
		return answer{status, contentType, body}, nil
	case status < 400:
		e.Kind = NotAPI
		e.Cause = fmt.Errorf("%s with %s: is there a captive portal or a proxy in between?", resp.Status,
			what(resp, contentType))
		return answer{}, e
	}
	if isJSON {
		e.readBody(body)
	}
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		e.Kind = Unauthorized
	case status == http.StatusForbidden:
		e.Kind = Forbidden
	case status == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = Throttled, retryAfter(resp.Header.Get("Retry-After"))
	case (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) && e.hasWords():
		e.Kind = Refused
	default:
		e.Kind, e.RetryAfter = Unavailable, retryAfter(resp.Header.Get("Retry-After"))
	}
	return answer{}, e
}

func what(resp *http.Response, contentType string) string {
	if to := resp.Header.Get("Location"); to != "" {
		return "a redirect"
	}
	if contentType == "" {
		contentType = "unknown content"
	}
	return fmt.Sprintf("a body of %s", contentType)
}
