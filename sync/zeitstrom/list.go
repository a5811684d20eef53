package zeitstrom

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize and maxPages bound a list: more than that is none that this package can
// judge.
const (
	pageSize = 100
	maxPages = 1000
)

// list reads a paginated list to its end, or not at all.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var all []T
	for x, err := range pages[T](ctx, c, path, query) {
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// pages reads a paginated list, a page at a time, by offset: "next" may be absent.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen, count := 0, 0
		for range maxPages {
			q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(seen)}}
			for k, v := range query {
				q[k] = v
			}
			var page struct {
				Count   *int `json:"count"`
				Results []T  `json:"results"`
			}
			err := c.ask(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page)
			switch {
			case err != nil:
			case page.Count == nil:
				err = &Error{
					Kind: NotAPI, Status: http.StatusOK, Sent: true,
					Cause: fmt.Errorf("a list without count and results at %s", path),
				}
			case seen > 0 && *page.Count != count: // what was added or deleted meanwhile shifts the pages
				err = &Error{
					Kind: NotAPI, Status: http.StatusOK, Sent: true,
					Cause: fmt.Errorf("the list at %s changed while it was read: try again", path),
				}
			case len(page.Results) == 0 && seen < *page.Count:
				err = &Error{
					Kind: NotAPI, Status: http.StatusOK, Sent: true,
					Cause: fmt.Errorf("the list at %s ends after %d of %d", path, seen, *page.Count),
				}
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, x := range page.Results {
				if !yield(x, nil) {
					return
				}
			}
			count = *page.Count
			if seen += len(page.Results); seen >= *page.Count {
				return
			}
		}
		yield(none, &Error{
			Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("the list at %s does not end", path),
		})
	}
}
