package mfrc522

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Commands of ISO/IEC 14443-3 (tables 3 and 7, clause 6.4.3).
const (
	reqA       = 0x26
	wupA       = 0x52
	hltA       = 0x50
	selectCL1  = 0x93 // then 95 and 97
	nvbWhole   = 0x70 // the whole level and its checksum follow
	cascadeTag = 0x88
	sakCascade = 0x04 // SAK: the UID goes on in the next level

	haltTime = time.Millisecond // a badge that took HLTA is silent that long
	maxCards = 4                // more do not get power from such an antenna
	attempts = 3                // at reading one badge before giving up for this poll
)

// Newcomers calls found for each badge that came into the field since it was switched
// on, each once: a badge that was read is sent to sleep (HLTA) and stays silent until it
// leaves or Present asks for it. The field stays on.
//
// A badge is found only if it was read whole, and its check bytes agree; else the error
// says why it was not.
func (d *Dev) Newcomers(found func(uid []byte)) error {
	again := d.heard // it may have kept its power since
	d.heard = false
	var failed error
	for n, tries := 0, 0; n < maxCards && tries < attempts; {
		d.chain(tries == 0) // what fails in a chain is tried again without
		if someone, err := d.anybody(again); err != nil || !someone {
			return cmp.Or(err, failed)
		}
		var uid []byte
		if uid, failed = d.readUID(); failed != nil {
			if Fatal(failed) {
				return failed
			}
			tries, again = tries+1, true
			continue
		}
		found(uid)
		if err := d.halt(); err != nil {
			return err
		}
		n, tries, again = n+1, 0, false
	}
	return failed
}

// chain says whether frames may follow each other without starting Transceive anew. With
// an interrupt line they may not: its signal would stay from the first to the last.
func (d *Dev) chain(yes bool) {
	d.chains = yes && d.irq == nil
	d.chained = d.chained && d.chains
}

// anybody reports whether a badge that does not sleep answers. Again asks twice: one that
// was woken before, or disturbed, falls silent once before it answers (clause 6.3.2, READY
// to IDLE).
func (d *Dev) anybody(again bool) (bool, error) {
	err := d.wake(reqA)
	if again && errors.Is(err, ErrTimeout) {
		err = d.wake(reqA)
	}
	if errors.Is(err, ErrTimeout) {
		return false, nil
	}
	return err == nil, err
}

// Present reports whether a badge that was a newcomer is still there, without disturbing
// the others.
func (d *Dev) Present(uid []byte) (bool, error) {
	d.chain(false)
	err := d.wake(wupA)
	for level := 0; err == nil; level++ {
		frame, last := uidLevel(uid, level)
		var more bool
		if more, err = d.selectLevel(level, frame); err == nil && (last || !more) {
			if last == more {
				return false, nil // another badge that shares the first bytes
			}
			return true, d.halt()
		}
	}
	if Fatal(err) {
		return false, err
	}
	return false, nil
}

// wake sends REQA or WUPA. Nil means that at least one badge answered: several
// at once overlay each other, and so might their disturbed bits.
func (d *Dev) wake(cmd byte) error {
	_, _, err := d.exchange(request{op: "REQA", data: []byte{cmd}, lastBits: 7, answer: 2})
	if err != nil && !Fatal(err) && !errors.Is(err, ErrTimeout) {
		return nil
	}
	return err
}

// halt sends the selected badge to sleep. The badge takes it without a word.
func (d *Dev) halt() error {
	err := d.send(request{op: "HLTA", data: appendCRC([]byte{hltA, 0})})
	time.Sleep(haltTime)
	return err
}

// readUID singles out one of the badges that were woken and reads its UID.
func (d *Dev) readUID() ([]byte, error) {
	var uid []byte
	for level := range 3 {
		frame, err := d.anticollision(level)
		if err != nil {
			return nil, err
		}
		more, err := d.selectLevel(level, frame)
		if err != nil {
			return nil, err
		}
		if !more {
			return append(uid, frame[:4]...), nil
		}
		if frame[0] != cascadeTag {
			return nil, &Error{
				Op: "SELECT", Err: ErrProtocol,
				Cause: fmt.Errorf("the UID goes on, but level %d does not begin with %02X", level+1, cascadeTag),
			}
		}
		uid = append(uid, frame[1:4]...)
	}
	return nil, &Error{Op: "SELECT", Err: ErrProtocol, Cause: errors.New("the UID does not end after its third level")}
}

// uidLevel returns the four UID bytes and the check byte of a cascade level,
// and whether it is the last one.
func uidLevel(uid []byte, level int) (frame []byte, last bool) {
	rest := uid[level*3:]
	if len(rest) == 4 {
		return append(bytes.Clone(rest), bcc(rest)), true
	}
	frame = append([]byte{cascadeTag}, rest[:3]...)
	return append(frame, bcc(frame)), false
}

func bcc(b []byte) byte { return b[0] ^ b[1] ^ b[2] ^ b[3] }

// selectLevel selects the badge with this part of the UID and reports whether
// its UID goes on.
func (d *Dev) selectLevel(level int, frame []byte) (more bool, err error) {
	const op = "SELECT"
	data := appendCRC(append([]byte{selectCL1 + 2*byte(level), nvbWhole}, frame...))
	sak, _, err := d.exchange(request{op: op, data: data, answer: 3})
	if err != nil {
		return false, err
	}
	if crc := crcA(sak[:1]); sak[1] != byte(crc) || sak[2] != byte(crc>>8) {
		return false, &Error{Op: op, Err: ErrCRC}
	}
	return sak[0]&sakCascade != 0, nil
}

// anticollision finds one badge's UID bytes of a cascade level, check byte
// included, by the loop of clause 6.5.3: where badges differ, those with a 1
// are followed.
//
// The data sheet does not say whether CollPos counts from the first bit of the
// answer or of the byte that it begins in. The driver assumes one until nobody
// follows it, then the other; the badges are woken again for that.
func (d *Dev) anticollision(level int) ([]byte, error) {
	const op, uidBits = "ANTICOLLISION", 32
	known, n := make([]byte, 5), 0 // the first n bits are settled
	doubtful := false              // the last of them may be at the wrong place
	for n < uidBits {
		part, coll, err := d.exchange(anticollisionRequest(op, level, known, n))
		switch {
		case err == nil:
			merge(known, part, n)
			if known[4] != bcc(known) {
				return nil, &Error{Op: op, Err: ErrProtocol, Cause: errors.New("check byte is wrong")}
			}
			return known, nil
		case errors.Is(err, ErrTimeout) && doubtful:
			d.collAligned = !d.collAligned
			return nil, err
		case !errors.Is(err, ErrCollision) || coll == 0:
			return nil, err
		}
		merge(known, part, n)
		doubtful = n%8 != 0
		if d.collAligned {
			coll -= n % 8
		}
		if n += coll; coll <= 0 || n > uidBits {
			d.collAligned = !d.collAligned
			return nil, err
		}
		known[(n-1)/8] |= 1 << ((n - 1) % 8)
	}
	return nil, &Error{Op: op, Err: ErrCollision}
}

// anticollisionRequest asks for the rest of a level of which n bits are known.
// What is known of a partial byte is sent, and the answer's first bit is stored
// right behind it.
func anticollisionRequest(op string, level int, known []byte, n int) request {
	whole, rest := n/8, n%8
	data := append([]byte{selectCL1 + 2*byte(level), byte(2+whole)<<4 | byte(rest)}, known[:whole]...)
	if rest != 0 {
		data = append(data, known[whole]&(1<<rest-1))
	}
	return request{op: op, data: data, lastBits: rest, align: rest, answer: 5 - whole}
}

// merge puts an answer behind the first n bits of known.
func merge(known, part []byte, n int) {
	whole, rest := n/8, n%8
	keep := known[whole] & (1<<rest - 1)
	copy(known[whole:], part)
	known[whole] = known[whole]&^(1<<rest-1) | keep
}
