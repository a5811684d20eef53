package mfrc522test

// Registers by the names of the data sheet (MFRC522, Rev. 3.9, table 20).
const (
	regCommand    = 0x01
	regComIEn     = 0x02
	regDivIEn     = 0x03
	regComIrq     = 0x04
	regDivIrq     = 0x05
	regError      = 0x06
	regStatus1    = 0x07
	regStatus2    = 0x08
	regFIFOData   = 0x09
	regFIFOLevel  = 0x0A
	regWaterLevel = 0x0B
	regControl    = 0x0C
	regBitFraming = 0x0D
	regColl       = 0x0E
	regMode       = 0x11
	regTxMode     = 0x12
	regRxMode     = 0x13
	regTxControl  = 0x14
	regTxASK      = 0x15
	regMfRx       = 0x1D
	regCRCResultH = 0x21
	regCRCResultL = 0x22
	regTMode      = 0x2A
	regTPrescaler = 0x2B
	regTReloadH   = 0x2C
	regTReloadL   = 0x2D
	regTCounterH  = 0x2E
	regTCounterL  = 0x2F
	regAutoTest   = 0x36
	regVersion    = 0x37
	cmdIdle       = 0x00
	cmdMem        = 0x01
	cmdCalcCRC    = 0x03
	cmdTransmit   = 0x04
	cmdNoChange   = 0x07
	cmdReceive    = 0x08
	cmdTransceive = 0x0C
	cmdSoftReset  = 0x0F
	irqTx         = 0x40
	irqRx         = 0x20
	irqIdle       = 0x10
	irqHiAlert    = 0x08
	irqLoAlert    = 0x04
	irqErr        = 0x02
	irqTimer      = 0x01
	errWr         = 0x80
	errBufferOvfl = 0x10
	errColl       = 0x08
	errCRC        = 0x04
	errParity     = 0x02
	errProtocol   = 0x01
	fifoSize      = 64
	powerDown     = 0x10
	startSend     = 0x80
	autoTest      = 0x09 // AutoTestReg: the self-test
	reservedRegs  = uint64(1<<0x00 | 1<<0x0F | 1<<0x10 | 1<<0x1A | 1<<0x1B | 1<<0x1E |
		1<<0x20 | 1<<0x23 | 1<<0x25 | 1<<0x30 | 1<<0x3C | 1<<0x3D | 1<<0x3E | 1<<0x3F)
)

// resetValues are the registers after a reset (data sheet, chapter 9.3; those
// not named here are 0).
var resetValues = map[byte]byte{
	regCommand: 0x20, regComIEn: 0x80, regComIrq: 0x14, regStatus1: 0x21,
	regWaterLevel: 0x08, regControl: 0x10, regColl: 0xA0, regMode: 0x3F,
	regTxControl: 0x80, 0x16: 0x10, 0x17: 0x84, 0x18: 0x84, 0x19: 0x4D,
	0x1C: 0x62, 0x1F: 0xEB, regCRCResultH: 0xFF, regCRCResultL: 0xFF,
	0x24: 0x26, 0x26: 0x48, 0x27: 0x88, 0x28: 0x20, 0x29: 0x20, regAutoTest: 0x40,
}

// writable masks the bits of a register that a write can set; registers that
// are not listed take all eight.
var writable = map[byte]byte{
	regError: 0, regStatus1: 0, regFIFOLevel: 0x80, regVersion: 0,
	regCRCResultH: 0, regCRCResultL: 0, regTCounterH: 0, regTCounterL: 0,
	regColl: 0x80, regStatus2: 0xC8, regControl: 0xC0,
}
