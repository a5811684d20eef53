package mfrc522test

import (
	"encoding/hex"
	"time"
)

// selfTestTime is how long the self-test takes; the data sheet does not say.
const selfTestTime = 2 * time.Millisecond

// answers are what the self-test leaves in the FIFO of NXP's chips, by their version
// (chapter 16.1.1).
var answers = map[byte]string{
	0x91: "00C637D532B7575CC2D87C4DD970C77310E6D2AA5EA13E5A14AF3061C970DB2E" +
		"642272B5BD65F4EC22BCD37235CDAA411FA7F35314DE7E02D90FB55E251D2979",
	0x92: "00EB66BA57BF2395D0E30D3D27895CDE9D3BA700215B8982513AEB020CA50049" +
		"7C844DB3CCD21B815D4876D5716121A986968338CF9D5B6DDC15BA3E7D953B2F",
}

func (c *Chip) selfTest() []byte {
	if c.SelfTest != nil {
		return c.SelfTest
	}
	answer, err := hex.DecodeString(answers[c.version()])
	if err != nil {
		panic(err)
	}
	return answer
}
