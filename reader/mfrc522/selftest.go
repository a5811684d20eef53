package mfrc522

import (
	"encoding/hex"
	"time"
)

// answers are what the self-test of NXP's chips leaves in the FIFO, by VersionReg
// (chapter 16.1.1).
var answers = map[byte]string{
	0x91: "00c637d532b7575cc2d87c4dd970c77310e6d2aa5ea13e5a14af3061c970db2e" +
		"642272b5bd65f4ec22bcd37235cdaa411fa7f35314de7e02d90fb55e251d2979",
	0x92: "00eb66ba57bf2395d0e30d3d27895cde9d3ba700215b8982513aeb020ca50049" +
		"7c844db3ccd21b815d4876d5716121a986968338cf9d5b6ddc15ba3e7d953b2f",
}

// testResult is what became of the chip's self-test. Clones have none, or another one, and
// read badges all the same.
type testResult uint8

const (
	noAnswer testResult = iota
	otherAnswer
	passed
)

// String is what a name is followed by, of a chip that claims to be NXP's.
func (r testResult) String() string {
	return [...]string{" (without a self-test)", " (a clone, by its self-test)", ""}[r]
}

// The self-test: 25 bytes clear the chip's buffer, and 64 bytes are the answer. The data
// sheet does not say how long it takes.
const (
	bufferSize      = 25
	answerSize      = 64
	selfTestTimeout = 25 * time.Millisecond
)

// testItself has the chip test its digital part (chapter 16.1.1). It leaves a chip that
// must be reset. An error is one of the bus.
func (d *Dev) testItself() error {
	var b batch
	b.write(fifoLevelReg, flushFIFO)
	b.write(fifoDataReg, make([]byte, bufferSize)...)
	b.write(commandReg, cmdMem)
	b.write(autoTestReg, selfTest)
	b.write(fifoDataReg, 0)
	b.write(commandReg, cmdCalcCRC)
	if err := d.run(b); err != nil {
		return err
	}
	level, version, err := d.awaitSelfTest()
	if err != nil {
		return err
	}
	b = batch{}
	answer := b.read(repeat(fifoDataReg, answerSize)...)
	b.write(commandReg, cmdIdle) // one that ignores SoftReset goes on from here
	b.write(autoTestReg, noTest)
	b.write(fifoLevelReg, flushFIFO)
	if err := d.run(b); err != nil {
		return err
	}
	switch {
	case level < answerSize:
		d.tested = noAnswer
	case hex.EncodeToString(answer) == answers[version]:
		d.tested = passed
	default:
		d.tested = otherAnswer
	}
	return nil
}

// awaitSelfTest waits until the answer is in the FIFO, or there will be none.
func (d *Dev) awaitSelfTest() (level int, version byte, err error) {
	for end := time.Now().Add(selfTestTimeout); ; {
		time.Sleep(time.Millisecond)
		late := time.Now().After(end)
		var b batch
		got := b.read(fifoLevelReg, versionReg)
		if err := d.run(b); err != nil {
			return 0, 0, err
		}
		if level = int(got[0] & 0x7F); level >= answerSize || late {
			return level, got[1], nil
		}
	}
}
