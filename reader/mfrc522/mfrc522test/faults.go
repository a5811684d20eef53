package mfrc522test

import "time"

// SetBus breaks or mends the wires. Mending after Low or NoNode is a new power-up.
func (c *Chip) SetBus(b Bus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bus != BusOK && b == BusOK {
		c.reset(time.Now(), hardStart)
	}
	c.bus = b
}

// BrownOut resets the chip's registers behind the driver's back, as a short
// dip of the supply does.
func (c *Chip) BrownOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset(time.Now(), hardStart)
}

// Hang makes the chip stop in whatever command it is given next: its registers
// answer, but nothing is sent. A reset ends that.
func (c *Chip) Hang() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hung = true
}

// StopTimer makes the chip's timer never fire. A reset does not end that.
func (c *Chip) StopTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeless = true
}

// EndChipSelectsEarly makes all that EndsEarly is asked about end early, or none.
func (c *Chip) EndChipSelectsEarly(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.EndsEarly = func() bool { return yes }
}

// IgnoreReset makes a chip that hangs stay so, whatever resets it.
func (c *Chip) IgnoreReset(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stubborn = yes
}
