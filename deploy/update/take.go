package update

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"timeclock/device/durable"
)

// Take stages what a fetcher has left in its directory, if it is newer than a version and
// has not failed before, and returns which version that is; empty if it is none. The
// fetcher may be in foreign hands: what it left is read without following links and with a
// bound, and believed as far as its signature goes. What the channel is like is noted for
// everybody to see.
func (u *Updater) Take(ctx context.Context, downloads, than string, now time.Time) (version string, err error) {
	channel := u.channel()
	version, err = u.take(ctx, downloads, than, now, &channel)
	if channel.Problem = ""; err != nil {
		channel.Problem = err.Error()
	}
	if warning := channel.Warning(than, now); warning != "" && err == nil {
		u.Log.Warn("updates", "problem", warning)
	}
	return version, errors.Join(err, u.note(channel))
}

func (u *Updater) take(ctx context.Context, downloads, than string, now time.Time, c *Channel) (string, error) {
	version, err := u.offered(ctx, downloads, c, now)
	if err != nil || version == "" || version == u.Failed() || !u.Newer(ctx, version, than) {
		return "", err
	}
	arch, err := u.Architecture(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(downloads, packageName(version, arch))
	signature, err := durable.ReadRegular(path+signed, maxSignature)
	if err != nil {
		return "", err
	}
	pkg, err := durable.ReadRegular(path, maxPackage)
	if err != nil {
		return "", err
	}
	return u.Stage(ctx, pkg, signature, version)
}

// offered returns the version that is offered; empty if none is. Who has once seen an index
// with a signature and a date believes only such ones, and no older one.
func (u *Updater) offered(
	ctx context.Context, downloads string, c *Channel, now time.Time,
) (version string, err error) {
	text, err := durable.ReadRegular(filepath.Join(downloads, indexName), maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		if !c.Date.IsZero() {
			return "", nil
		}
		bare, err := durable.ReadRegular(filepath.Join(downloads, bareIndexName), maxBareIndex)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil // nothing was fetched yet
		}
		if version = strings.TrimSpace(string(bare)); err == nil && !versionText.MatchString(version) {
			err = errors.New(bareIndexName + " names no version")
		}
		return version, err
	}
	if err != nil {
		return "", err
	}
	signature, err := durable.ReadRegular(filepath.Join(downloads, indexName+signed), maxSignature)
	if err != nil {
		return "", err
	}
	if err := u.Verify(text, signature); err != nil {
		return "", fmt.Errorf("%s: %w", indexName, err)
	}
	x, err := parseIndex(text)
	if err != nil {
		return "", err
	}
	if x.Date.Sub(now) > 48*time.Hour { // it would make all that follow look old
		return "", fmt.Errorf("%s is of %s, which is not yet: sign it anew", indexName, x.Date.Format(time.RFC3339))
	}
	// Several may be signed on one day, by somebody who writes days.
	older := x.Date.Before(c.Date) || x.Date.Equal(c.Date) && x.Version != c.Version &&
		!u.Newer(ctx, x.Version, c.Version)
	if older {
		return "", fmt.Errorf("%s is of %s with version %s, and one of %s with version %s was seen before: "+
			"somebody offers an old one",
			indexName, x.Date.Format(time.RFC3339), x.Version, c.Date.Format(time.RFC3339), c.Version)
	}
	if x.Date.Equal(c.Date) {
		x.Withdrawn = append(x.Withdrawn, c.Withdrawn...)
	}
	slices.Sort(x.Withdrawn)
	c.Date, c.Version, c.Withdrawn = x.Date, x.Version, slices.Compact(x.Withdrawn)
	if slices.Contains(c.Withdrawn, x.Version) {
		return "", nil
	}
	return x.Version, nil
}

const channelFile = "channel.json"

// channel is what was noted the last time.
func (u *Updater) channel() (c Channel) {
	text, err := os.ReadFile(u.path(channelFile))
	if err != nil || json.Unmarshal(text, &c) != nil {
		return Channel{}
	}
	return c
}

// note keeps what is known of the channel, and shows it.
func (u *Updater) note(c Channel) error {
	text, err := json.Marshal(c)
	if err == nil {
		err = durable.WriteFile(u.path(channelFile), text)
	}
	return errors.Join(err, u.Show())
}

// Show lets everybody read what is known of the channel: after a restart of the device, say,
// before anything was looked for.
func (u *Updater) Show() error {
	text, err := os.ReadFile(u.path(channelFile))
	if errors.Is(err, fs.ErrNotExist) || u.Shown == "" {
		return nil
	}
	if err != nil {
		return err
	}
	shown := filepath.Join(u.Shown, channelFile)
	return errors.Join(durable.WriteFile(shown, text), os.Chmod(shown, 0o644))
}

// ReadChannel reads what an Updater has shown in a directory; nothing there is the zero one.
func ReadChannel(dir string) (c Channel) {
	text, err := durable.ReadRegular(filepath.Join(dir, channelFile), 1<<20)
	if err != nil || json.Unmarshal(text, &c) != nil {
		return Channel{}
	}
	return c
}
