package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
	"timeclock/device/roster"
	"timeclock/queue"
)

// disk is the state directory and the queue in it. A clock whose disk is not well runs
// all the same: it says that nothing is saved, and saves again as soon as it can.
type disk struct {
	cfg      config.Config
	log      *slog.Logger
	state    *stateDir // nil: it could not be taken
	queue    *queue.Store
	recovery *recovery // nil: there is none to be made

	mu    sync.Mutex
	said  string // what happened to the queue file; usually nothing
	stuck bool   // it could not be recovered by itself
}

// lookForDisk is how soon a disk that is well again is noticed.
const lookForDisk = 2 * time.Second

// openDisk opens the queue, or makes one that says why there is none. An error means
// that another clock is at work there, or that ctx has ended.
func openDisk(ctx context.Context, cfg config.Config, log *slog.Logger) (*disk, error) {
	d := &disk{cfg: cfg, log: log}
	q, err := d.open(ctx)
	switch {
	case err == nil:
		d.queue = q
		if d.recovery != nil {
			d.said = d.recovery.notice()
		}
	case errors.Is(err, errHeld), errors.Is(err, queue.ErrInUse), ctx.Err() != nil:
		return d, err
	default:
		log.Error("nothing can be saved, trying again", "error", err)
		d.queue = queue.Absent(err)
	}
	return d, nil
}

// open takes the state directory and opens the queue.
func (d *disk) open(ctx context.Context) (q *queue.Store, err error) {
	if d.state == nil {
		if d.state, err = holdState(d.cfg); err != nil {
			return nil, err
		}
	}
	q, d.recovery, err = openQueue(ctx, d.cfg, d.log)
	if err != nil {
		if problem := d.state.writable(); problem != nil { // that is why, in better words
			err = problem
		}
		return nil, err
	}
	if u, err := admin.ReadUnsent(d.cfg.StateDir); err == nil && d.recovery == nil {
		q.Remember(u.Punches)
	}
	return q, nil
}

// Notice implements admin.Storage.
func (d *disk) Notice() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said
}

// Stuck implements admin.Storage.
func (d *disk) Stuck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stuck
}

func (d *disk) say(notice string, stuck bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said, d.stuck = notice, stuck
}

// diskTask sees that there is a queue, and recovers what was damaged.
type diskTask struct {
	*disk
	roster *roster.Roster
	admin  *admin.Admin
}

func (d diskTask) String() string { return "disk" }

// Run tries until there is a queue, and until everything that was damaged is recovered.
func (d diskTask) Run(ctx context.Context) error {
	for d.queue.Stats().Absent {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookForDisk):
		}
		opened, err := d.open(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errHeld), errors.Is(err, queue.ErrInUse):
			return err
		case err != nil:
			d.queue.Adopt(nil, err)
			continue
		}
		d.queue.Adopt(opened, nil)
		d.roster.Reload()
		d.admin.BookOrphans()
		d.log.Info("bookings are saved again")
	}
	if d.recovery == nil {
		return nil
	}
	return d.recovery.run(ctx, d.queue, d.say, d.admin.BookOrphans, d.log)
}

// Salvage implements admin.Storage.
func (d *disk) Salvage(by string, giveUp bool) error {
	if !d.queue.Stats().Awaiting {
		return errors.New("there is nothing to be salvaged: the queue file is whole")
	}
	if giveUp {
		if err := d.recovery.giveUp(d.queue, by); err != nil {
			return err
		}
	}
	select {
	case d.recovery.kick <- struct{}{}:
	default:
	}
	return nil
}

// Close gives everything back.
func (d *disk) Close() error {
	var errs []error
	if d.queue != nil {
		if err := d.queue.Close(); err != nil {
			errs = append(errs, fmt.Errorf("queue not closed: %w", err))
		}
	}
	if d.state != nil {
		errs = append(errs, d.state.Close())
	}
	return errors.Join(errs...)
}
