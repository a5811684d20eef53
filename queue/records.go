package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

var (
	metaBucket      = []byte("meta")
	tailBucket      = []byte("tail")
	historyBucket   = []byte("history")
	stateBucket     = []byte("state")
	marksBucket     = []byte("marks")
	eventsBucket    = []byte("exceptions")
	asideBucket     = []byte("aside")
	unclaimedBucket = []byte("unclaimed")
	timesBucket     = []byte("times")

	formatKey    = []byte("format")
	settledKey   = []byte("settled")
	attemptedKey = []byte("attempted")
	lostKey      = []byte("lost")
	headKey      = []byte("head")
	baseKey      = []byte("base")
)

// buckets are all there are.
var buckets = [][]byte{
	metaBucket, tailBucket, historyBucket, stateBucket, marksBucket, unclaimedBucket, eventsBucket, asideBucket,
	timesBucket,
}

// tailSize is how many punches stay in the tail. bbolt stores a bucket inside
// its parent's page while it is smaller than a quarter page: 16 bytes of header
// and 16 + key + value per punch.
const tailSize = 11

// mark is what became of a punch that was not simply delivered.
type mark struct {
	State  device.State `json:"state"`
	Reason string       `json:"reason"`
	Since  time.Time    `json:"since"`
}

func key(id device.PunchID) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(id))
}

func idOf(key []byte) device.PunchID { return device.PunchID(binary.BigEndian.Uint64(key)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// sum puts the CRC before a value.
func sum(key, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, checksum(key, value)), value...)
}

// check takes the CRC off a stored value.
func check(key, stored []byte) ([]byte, error) {
	if len(stored) < 4 || binary.BigEndian.Uint32(stored) != checksum(key, stored[4:]) {
		return nil, fmt.Errorf("%w: checksum of record %x is wrong", ErrDamaged, key)
	}
	return stored[4:], nil
}

func get(b *bolt.Bucket, key []byte) ([]byte, error) {
	stored := b.Get(key)
	if stored == nil {
		return nil, fmt.Errorf("%w: record %q is missing", ErrDamaged, key)
	}
	return check(key, stored)
}

// A punch is stored as its kind, its intent, flags, the employee's UUID, what the
// wall clock showed in nanoseconds since 1970, the boot id, the uptime in
// nanoseconds, and the seconds since 1970 of what was known of the employee.
const (
	kindPunch  = 1
	punchBytes = 3 + 16 + 8 + 16 + 8 + 8
)

// Flags of a punch: two of one bit, and two numbers of two bits.
const (
	flagUncertain = 1 << 0
	flagSilent    = 1 << 1
	sourceShift   = 2
	knownShift    = 4
	flagClaimed   = 1 << 6
	flagBelieved  = 1 << 7
)

var (
	intents = []device.Intent{0: "", 1: device.CheckIn, 2: device.CheckOut}
	sources = []device.Source{0: device.Nobody, 1: device.ThisClock, 2: device.Zeitstrom}
)

func encodePunch(p device.Punch) ([]byte, error) {
	employee, err := hex.DecodeString(strings.ReplaceAll(string(p.Employee), "-", ""))
	if err != nil || len(employee) != 16 {
		return nil, fmt.Errorf("employee id %q is not a UUID", p.Employee)
	}
	intent, known := slices.Index(intents, p.Intent), slices.Index(intents, p.Basis.Intent)
	source := slices.Index(sources, p.Basis.Source)
	if intent <= 0 || known < 0 || source < 0 {
		return nil, fmt.Errorf("unknown intent %q, %q or source %q", p.Intent, p.Basis.Intent, p.Basis.Source)
	}
	flags := source<<sourceShift | known<<knownShift
	for flag, set := range map[int]bool{
		flagUncertain: p.Stamp.Uncertain || !p.Raw.IsZero(), flagSilent: p.Basis.Silent,
		flagClaimed: p.Claimed, flagBelieved: p.Stamp.Believed,
	} {
		if set {
			flags |= flag
		}
	}
	shown := p.Time // what the clock showed; the true time stands in the times bucket
	if !p.Raw.IsZero() {
		shown = p.Raw
	}
	var then int64
	if known > 0 {
		then = p.Basis.Time.Unix()
	}
	v := append([]byte{kindPunch, byte(intent), byte(flags)}, employee...)
	v = binary.BigEndian.AppendUint64(v, uint64(shown.UnixNano()))
	v = append(v, p.Stamp.Boot[:]...)
	v = binary.BigEndian.AppendUint64(v, uint64(p.Stamp.Uptime))
	return binary.BigEndian.AppendUint64(v, uint64(then)), nil
}

func decodePunch(k, stored []byte) (device.Punch, error) {
	v, err := check(k, stored)
	if err != nil {
		return device.Punch{}, err
	}
	if len(k) != 8 || len(v) != punchBytes || v[0] != kindPunch || v[1] == 0 || int(v[1]) >= len(intents) {
		return device.Punch{}, fmt.Errorf("%w: record %x is no punch", ErrDamaged, k)
	}
	flags := v[2]
	known, source := int(flags>>knownShift&3), int(flags>>sourceShift&3)
	if known >= len(intents) || source >= len(sources) {
		return device.Punch{}, fmt.Errorf("%w: record %x has the flags %x", ErrDamaged, k, flags)
	}
	e := hex.EncodeToString(v[3:19])
	p := device.Punch{
		ID:       idOf(k),
		Employee: device.EmployeeID(e[:8] + "-" + e[8:12] + "-" + e[12:16] + "-" + e[16:20] + "-" + e[20:]),
		Intent:   intents[v[1]],
		Time:     time.Unix(0, int64(binary.BigEndian.Uint64(v[19:]))),
		Stamp: device.Stamp{
			Boot:      device.BootID(v[27:43]),
			Uptime:    time.Duration(binary.BigEndian.Uint64(v[43:])),
			Uncertain: flags&flagUncertain != 0,
			Believed:  flags&flagBelieved != 0,
		},
		Claimed: flags&flagClaimed != 0,
		Basis:   device.Basis{Source: sources[source], Intent: intents[known], Silent: flags&flagSilent != 0},
	}
	if known > 0 {
		p.Basis.Time = time.Unix(int64(binary.BigEndian.Uint64(v[51:])), 0)
	}
	return p, nil
}

// repair is the true time of a punch whose time was not certain.
type repair struct {
	Time time.Time `json:"time"`
	Hand bool      `json:"hand"` // a person said so
}

func (st *stage) putRepair(p device.Punch) error {
	v, err := json.Marshal(repair{p.Time, p.Stamp.Believed})
	if err != nil {
		return err
	}
	return st.put(timesBucket, key(p.ID), v)
}

// punchAt decodes a punch, gives it its true time, if that is known by now, and what was chosen for it.
func punchAt(tx *bolt.Tx, k, stored []byte) (device.Punch, error) {
	p, err := timedAt(tx, k, stored)
	if err == nil {
		if c, found := getChosen(tx, k, stored); found {
			p.Detail = c.detail()
		}
	}
	return p, err
}

// timedAt decodes a punch and gives it its true time, if that is known by now.
func timedAt(tx *bolt.Tx, k, stored []byte) (device.Punch, error) {
	p, err := decodePunch(k, stored)
	if err != nil || !p.Stamp.Uncertain {
		return p, err
	}
	repaired := tx.Bucket(timesBucket).Get(k)
	if repaired == nil {
		return p, nil
	}
	v, err := check(k, repaired)
	if err != nil {
		return p, err
	}
	var r repair
	if err := json.Unmarshal(v, &r); err != nil {
		return p, fmt.Errorf("%w: repaired time %x cannot be read", ErrDamaged, k)
	}
	p.Stamp.Believed = p.Stamp.Believed || r.Hand
	return p.WithTime(r.Time), nil
}

// moveTail moves the tail into the history.
func (st *stage) moveTail() error {
	history := st.Bucket(historyBucket)
	history.FillPercent = 1 // ids only grow: no page needs room for more
	err := st.Bucket(tailBucket).ForEach(func(k, stored []byte) error {
		st.keep(tailBucket, k)
		return st.set(historyBucket, k, stored)
	})
	if err != nil {
		return err
	}
	if err := st.DeleteBucket(tailBucket); err != nil {
		return err
	}
	st.inTail = 0
	_, err = st.CreateBucket(tailBucket)
	return err
}

// punchBuckets are where punches are, newest first.
var punchBuckets = [][]byte{tailBucket, historyBucket, asideBucket}

// withoutHash takes the journal's hash off a punch that was moved aside.
func withoutHash(bucket, stored []byte) []byte {
	if n := 4 + punchBytes; bytes.Equal(bucket, asideBucket) && len(stored) > n {
		return stored[:n]
	}
	return stored
}

func getPunch(tx *bolt.Tx, id device.PunchID) (device.Punch, error) {
	k := key(id)
	for _, bucket := range punchBuckets {
		if v := tx.Bucket(bucket).Get(k); v != nil {
			return punchAt(tx, k, withoutHash(bucket, v))
		}
	}
	return device.Punch{}, fmt.Errorf("punch %d is no longer kept", id)
}

// newestFirst calls f for each punch until f returns false.
func newestFirst(tx *bolt.Tx, f func(device.Punch) bool) error { return backward(tx, 0, punchAt, f) }

// backward calls f for each punch before one, or for all with 0, newest first, as it is decoded, until f
// returns false.
func backward(
	tx *bolt.Tx, before device.PunchID, decode func(tx *bolt.Tx, k, stored []byte) (device.Punch, error),
	f func(device.Punch) bool,
) error {
	for _, bucket := range punchBuckets {
		c := tx.Bucket(bucket).Cursor()
		start := c.Prev
		if at, _ := c.Seek(key(before)); before == 0 || at == nil {
			start = c.Last
		}
		for k, v := start(); k != nil; k, v = c.Prev() {
			p, err := decode(tx, k, withoutHash(bucket, v))
			if err != nil {
				return err
			}
			if !f(p) {
				return nil
			}
		}
	}
	return nil
}

func (st *stage) putRanges(key []byte, r ranges) error {
	return st.put(stateBucket, key, r.encode())
}

func getRanges(tx *bolt.Tx, key []byte) (ranges, error) {
	v, err := get(tx.Bucket(stateBucket), key)
	if err != nil {
		return nil, err
	}
	return decodeRanges(v)
}

// putMark stores what became of a punch; without a state it forgets that.
func (st *stage) putMark(id device.PunchID, m mark) error {
	st.then(func(x *index) { x.mark(id, m) })
	if m.State == "" {
		return st.delete(marksBucket, key(id))
	}
	v, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return st.put(marksBucket, key(id), v)
}

func getMarks(tx *bolt.Tx) (map[device.PunchID]mark, error) {
	marks := map[device.PunchID]mark{}
	err := tx.Bucket(marksBucket).ForEach(func(k, stored []byte) error {
		v, err := check(k, stored)
		if err != nil {
			return err
		}
		var m mark
		if err := json.Unmarshal(v, &m); err != nil || len(k) != 8 {
			return fmt.Errorf("%w: mark %x cannot be read", ErrDamaged, k)
		}
		marks[idOf(k)] = m
		return nil
	})
	return marks, err
}
