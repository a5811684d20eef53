package update

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Names in the folder on the web server. latest.txt has a bare version, for clocks up to
// version 0.9, and for folders that have nothing else.
const (
	indexName     = "latest.toml"
	bareIndexName = "latest.txt"
	signed        = ".minisig"
)

// Index is what latest.toml says: which version is the newest, and that somebody who has
// the key still says so.
type Index struct {
	Date    time.Time `toml:"date"` // when it was signed: an instant, or a day
	Version string    `toml:"version"`
	// Withdrawn are versions that nobody shall run.
	Withdrawn []string `toml:"withdrawn"`
}

// Bounds of what the web server sends.
const (
	maxIndex     = 16 << 10 // bytes
	maxBareIndex = 100      // as version 0.9 has it
	maxSignature = 4096
	maxPackage   = 64 << 20 // a package has 5 MB
	maxWithdrawn = 1000
)

// frozenAfter is when an index that does not change is odd: who makes it signs it anew
// every month, or somebody in between holds back what is newer.
const frozenAfter = 60 * 24 * time.Hour

var versionText = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~-]*$`)

func parseIndex(text []byte) (x Index, err error) {
	in := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := in.Decode(&x); err != nil {
		return x, fmt.Errorf("%s cannot be read: %w", indexName, err)
	}
	switch {
	case x.Date.Year() < 2000:
		return x, errors.New(indexName + " has no date")
	case !versionText.MatchString(x.Version) || len(x.Version) > maxBareIndex:
		return x, errors.New(indexName + " names no version")
	case len(x.Withdrawn) > maxWithdrawn:
		return x, fmt.Errorf("%s has more than %d withdrawn versions", indexName, maxWithdrawn)
	case slices.Contains(x.Withdrawn, x.Version):
		return x, fmt.Errorf("%s offers version %s, which is withdrawn", indexName, x.Version)
	}
	return x, nil
}

// Channel is what is known of where updates come from. The zero one is one of which nothing
// was seen.
type Channel struct {
	Date      time.Time `json:"date,omitzero"` // of the newest index
	Version   string    `json:"version,omitempty"`
	Withdrawn []string  `json:"withdrawn,omitempty"`
	Problem   string    `json:"problem,omitempty"` // why nothing of it was taken, the last time
}

// Warning says what is odd about a channel for a clock that runs a version; empty if nothing
// is. The zero time is one that is not trusted: it judges no date.
func (c Channel) Warning(version string, now time.Time) string {
	switch {
	case slices.Contains(c.Withdrawn, version):
		return fmt.Sprintf("version %s, which runs here, was withdrawn by who makes it", version)
	case c.Problem != "":
		return c.Problem
	case !c.Date.IsZero() && !now.IsZero() && now.Sub(c.Date) > frozenAfter:
		return fmt.Sprintf(
			"nothing new was said of updates since %s: somebody may hold them back, or %s is not signed anew",
			c.Date.Format(time.DateOnly),
			indexName,
		)
	}
	return ""
}
