package mfrc522test

import (
	"errors"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

// IRQPin is the chip's interrupt output.
func (c *Chip) IRQPin() gpio.PinIn { return &irqPin{pin: pin{"IRQ"}, chip: c} }

type irqPin struct {
	pin
	chip *Chip
}

// In implements gpio.PinIn. The chip drives the line, so nothing is set up.
func (p *irqPin) In(gpio.Pull, gpio.Edge) error { return nil }

// Pull implements gpio.PinIn.
func (p *irqPin) Pull() gpio.Pull { return gpio.PullNoChange }

// DefaultPull implements gpio.PinIn.
func (p *irqPin) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Read implements gpio.PinIn. IRqInv inverts the line (table 24).
func (p *irqPin) Read() gpio.Level {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	p.chip.advance(time.Now())
	return gpio.Level(p.chip.irq() != (p.chip.regs[regComIEn]&0x80 != 0))
}

// WaitForEdge implements gpio.PinIn: true once the chip signals an interrupt.
func (p *irqPin) WaitForEdge(timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for {
		p.chip.mu.Lock()
		p.chip.advance(time.Now())
		fired := p.chip.irq()
		at, happen := p.chip.next()
		p.chip.mu.Unlock()
		now := time.Now()
		switch {
		case fired:
			return true
		case timeout >= 0 && !now.Before(deadline):
			return false
		case happen == nil: // until somebody starts something
			at = now.Add(time.Millisecond)
		}
		if timeout >= 0 && at.After(deadline) {
			at = deadline
		}
		time.Sleep(at.Sub(now))
	}
}

// ResetPin is the chip's NRSTPD input: low holds it in reset.
func (c *Chip) ResetPin() gpio.PinOut { return &resetPin{pin: pin{"NRSTPD"}, chip: c} }

type resetPin struct {
	pin
	chip *Chip
}

// Out implements gpio.PinOut: the chip starts on the rising edge.
func (p *resetPin) Out(l gpio.Level) error {
	c := p.chip
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inReset && l == gpio.High {
		c.reset(time.Now(), hardStart)
	}
	c.inReset = l == gpio.Low
	return nil
}

// PWM implements gpio.PinOut. It is refused.
func (p *resetPin) PWM(gpio.Duty, physic.Frequency) error {
	return errors.New("mfrc522test: NRSTPD takes no PWM")
}

// pin is what both pins have in common.
type pin struct{ name string }

func (p pin) String() string   { return p.name }
func (p pin) Name() string     { return p.name }
func (p pin) Number() int      { return -1 }
func (p pin) Function() string { return "" }
func (p pin) Halt() error      { return nil }
