package device

import (
	"context"
	"sync"
)

// Pulse tells from outside whether a loop still comes round: the loop receives from
// C in its select, and Beat returns once it did. Its zero value is ready to use.
type Pulse struct {
	once sync.Once
	c    chan struct{}
}

// C is what the loop receives from, and otherwise ignores.
func (p *Pulse) C() <-chan struct{} { return p.channel() }

// Beat waits until the loop comes round. It returns the context's error if that
// ends before.
func (p *Pulse) Beat(ctx context.Context) error {
	select {
	case p.channel() <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Pulse) channel() chan struct{} {
	p.once.Do(func() { p.c = make(chan struct{}) })
	return p.c
}
