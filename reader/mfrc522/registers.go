package mfrc522

// Registers and commands by the names of the data sheet (MFRC522, Rev. 3.9,
// tables 20 and 149).
const (
	commandReg    = 0x01
	comIEnReg     = 0x02
	divIEnReg     = 0x03
	comIrqReg     = 0x04
	errorReg      = 0x06
	fifoDataReg   = 0x09
	fifoLevelReg  = 0x0A
	controlReg    = 0x0C
	bitFramingReg = 0x0D
	collReg       = 0x0E
	status2Reg    = 0x08
	modeReg       = 0x11
	txModeReg     = 0x12
	rxModeReg     = 0x13
	txControlReg  = 0x14
	txASKReg      = 0x15
	modWidthReg   = 0x24
	rfCfgReg      = 0x26
	tModeReg      = 0x2A
	tPrescalerReg = 0x2B
	tReloadRegHi  = 0x2C
	tReloadRegLo  = 0x2D
	autoTestReg   = 0x36
	versionReg    = 0x37

	cmdIdle       = 0x00
	cmdMem        = 0x01
	cmdCalcCRC    = 0x03
	cmdTransceive = 0x0C
	cmdSoftReset  = 0x0F

	powerDown = 0x10 // CommandReg: still starting up
	flushFIFO = 0x80 // FIFOLevelReg
	startSend = 0x80 // BitFramingReg
	selfTest  = 0x09 // AutoTestReg
	noTest    = 0x40 // AutoTestReg: its reset value

	irqTx    = 0x40 // ComIrqReg: the end of a frame to the badges
	irqRx    = 0x20 // ComIrqReg: the end of an answer
	irqTimer = 0x01 // ComIrqReg: nobody began to answer in time
	irqAll   = 0x7F

	errBufferOvfl = 0x10 // ErrorReg
	errColl       = 0x08
	errCRC        = 0x04
	errParity     = 0x02
	errProtocol   = 0x01

	collPosNotValid = 0x20 // CollReg

	antennaOn  = 0x83 // TxControlReg: its reset value with Tx1RFEn and Tx2RFEn
	antennaOff = 0x80

	prescaler = 169  // TPrescalerReg: 25 µs ticks
	fullASK   = 0x40 // TxASKReg: 100 % modulation, as type A wants
)

// config is what the registers hold while the driver works. It also names
// registers whose reset value is right: some clones ignore SoftReset, and
// another program may have left them as it liked.
var config = [][2]byte{
	{txModeReg, 0x00},   // 106 kbit/s, checksums are the driver's
	{rxModeReg, 0x00},   // the same
	{status2Reg, 0x00},  // no MIFARE encryption
	{modWidthReg, 0x26}, // Miller modulation of type A
	{tModeReg, 0x80},    // TAuto: the timer starts when a frame is out
	{tPrescalerReg, prescaler},
	{tReloadRegHi, 0},  //
	{tReloadRegLo, 12}, // 325 µs of silence: cards answer after 91 µs
	{txASKReg, fullASK},
	{modeReg, 0x3D}, // send only with the field on; CRC preset 6363
	{collReg, 0x00}, // bits after a collision read as 0
	{txControlReg, antennaOff},
}

// rxGain is RFCfgReg by the receiver's gain in dB (table 98); bit 3 keeps its
// reset value.
var rxGain = map[int]byte{18: 0x08, 23: 0x18, 33: 0x48, 38: 0x58, 43: 0x68, 48: 0x78}

// names of the chips that answer to this driver, by VersionReg. The table of
// NXP's own is in chapter 9.3.4.8; the clones were reported by users.
var names = map[byte]string{
	0x90: "MFRC522 v0.0",
	0x91: "MFRC522 v1.0",
	0x92: "MFRC522 v2.0",
	0x88: "FM17522 (clone)",
	0xB2: "FM17522 1 (clone)",
	0x89: "FM17522E (clone)",
	0x12: "counterfeit MFRC522 (clone)",
	0x15: "MFRC522 (clone, version 15)",
}
