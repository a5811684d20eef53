package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"timeclock/device"
)

// damaged makes a queue of 300 punches, 200 of them delivered and one
// quarantined, with a snapshot after the first 150, and returns both files.
func damaged(t *testing.T) (path, snapshot string, made []device.Punch) {
	t.Helper()
	dir := t.TempDir()
	path, snapshot = filepath.Join(dir, "queue.db"), filepath.Join(dir, "queue.db.snapshot")
	s := open(t, path)
	for i := range 300 {
		p, err := s.Append(punch(i%7, []device.Intent{device.CheckIn, device.CheckOut}[i/7%2],
			time.Unix(int64(i)*60, 0)), false)
		if err == nil && i == 4 {
			err = s.Quarantine(p, "refused: “no”")
		} else if err == nil && i < 200 {
			err = s.Deliver(p)
		}
		if err == nil && i == 150 {
			err = s.Snapshot(snapshot)
		}
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, p)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, snapshot, made
}

func TestSalvageOfAGoodFileLosesNothing(t *testing.T) {
	path, _, made := damaged(t)
	if err := Verify(path); err != nil {
		t.Errorf("Verify of a good file: %v", err)
	}
	fresh := path + ".salvaged"
	got, err := Salvage(fresh, func() {}, path, path+".missing")
	if err != nil || got != (Salvaged{Punches: 300, Open: 100}) {
		t.Fatalf("%+v, %v", got, err)
	}
	s := open(t, fresh)
	st := s.Stats()
	if st.Pending != 100 || st.Ambiguous != 100 || st.Delivered != 199 || st.Quarantined != 1 {
		t.Errorf("Stats = %+v", st)
	}
	if e, err := s.Find(5); err != nil || e.State != device.Quarantined || e.Reason != "refused: “no”" {
		t.Errorf("the quarantined one: %+v, %v", e, err)
	}
	if p, err := s.Append(punch(1, device.CheckIn, time.Now()), false); err != nil || p.ID != made[299].ID+1 {
		t.Errorf("the next punch is %d, %v", p.ID, err)
	}
}

// Whatever happens to the file: what the snapshot has is not lost, nothing is
// invented, and Verify notices that something is wrong or all is there.
func TestSalvageOfADamagedFile(t *testing.T) {
	path, snapshot, made := damaged(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	total := 0
	for n := range 60 {
		bad := slices.Clone(good)
		switch n % 4 {
		case 0:
			bad = bad[:random.IntN(len(bad))]
		case 1:
			at := random.IntN(len(bad) / pageSize)
			clear(bad[at*pageSize : (at+1)*pageSize])
		case 2:
			for range 50 {
				bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
			}
		case 3:
			at := random.IntN(len(bad) - 1000)
			for i := range 1000 {
				bad[at+i] = byte(random.Uint32())
			}
		}
		file, fresh := path+".bad", path+".fresh"
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(fresh)
		found, err := Salvage(fresh, func() {}, file, snapshot)
		if err != nil {
			t.Fatalf("damage %d: %v", n, err)
		}
		total += found.Punches
		s := open(t, fresh)
		entries, err := recent(s, 1000)
		if err != nil || len(entries) != found.Punches {
			t.Fatalf("damage %d: %d of %d, %v", n, len(entries), found.Punches, err)
		}
		for _, e := range entries {
			if want := made[e.ID-1]; e.Employee != want.Employee || e.Intent != want.Intent ||
				!e.Time.Equal(want.Time) {
				t.Fatalf("damage %d: invented %+v", n, e)
			}
		}
		for _, p := range made[:150] {
			if _, err := s.Find(p.ID); err != nil {
				t.Fatalf("damage %d: punch %d is in the snapshot, yet lost: %v", n, p.ID, err)
			}
		}
		s.Close()
	}
	t.Logf("of 60 damaged files with 300 punches %.0f on average were salvaged", float64(total)/60)
}

func TestSnapshotIsAQueue(t *testing.T) {
	_, snapshot, _ := damaged(t)
	s := open(t, snapshot)
	if n := s.Stats(); n.Pending+n.Delivered+n.Quarantined != 151 {
		t.Errorf("Stats = %+v", n)
	}
	if err := Verify(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify of no file: %v", err)
	}
}

func FuzzSalvage(f *testing.F) {
	f.Add([]byte("settled0000"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "wreck")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Salvage(file+".fresh", func() {}, file); err != nil {
			t.Error(err)
		}
		if s, err := Open(file+".fresh", nil); err != nil {
			t.Error(err)
		} else {
			s.Close()
		}
	})
}

// wrote puts a punch's record at the end of a file, as a page does that is not in use.
func wrote(t *testing.T, path string, p device.Punch) {
	t.Helper()
	v, err := encodePunch(p)
	must(t, err)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(append(key(p.ID), sum(key(p.ID), v)...))
	must(t, err, f.Close())
}

// Of two records with one number the later one counts; where nothing tells, a person does.
func TestSalvageOfTwoRecordsWithOneNumber(t *testing.T) {
	first := punch(1, device.CheckIn, eight)
	first.Stamp = device.Stamp{Boot: bootA, Uptime: time.Hour}
	for name, tc := range map[string]struct {
		stamp       device.Stamp
		counts      bool // the other one does
		quarantined bool
	}{
		"later, by uptime":   {device.Stamp{Boot: bootA, Uptime: 2 * time.Hour}, true, false},
		"earlier, by uptime": {device.Stamp{Boot: bootA, Uptime: time.Minute}, false, false},
		"of another boot":    {device.Stamp{Boot: bootB, Uptime: 2 * time.Hour}, true, true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "queue.db")
		s := open(t, path)
		p, err := s.Append(first, false)
		must(t, err)
		_, err = s.Append(punch(2, device.CheckIn, eight), false) // it is not the newest
		must(t, err, s.Close())
		other := p
		other.Employee, other.Stamp = employee(3), tc.stamp
		wrote(t, path, other)
		found, err := Salvage(path+".fresh", func() {}, path)
		must(t, err)
		s = open(t, path+".fresh")
		e, err := s.Find(p.ID)
		must(t, err)
		if tc.quarantined {
			if found.Quarantined != 1 || e.State != device.Quarantined || e.Reason == "" {
				t.Errorf("%s: %+v, %+v", name, found, e)
			}
		} else if (e.Employee == employee(3)) != tc.counts || e.State != device.Ambiguous {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// A punch that was written and never confirmed is no booking of its own.
func TestSalvageOfAnUnconfirmedPunch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	in, out := pair(t, s)
	must(t, s.Close())
	unsure := punch(1, device.CheckIn, eight.Add(9*time.Hour))
	unsure.ID = out.ID + 1
	wrote(t, path, unsure)
	found, err := Salvage(path+".fresh", func() {}, path)
	if err != nil || found != (Salvaged{Punches: 3, Open: 2, Quarantined: 1}) {
		t.Fatalf("%+v, %v", found, err)
	}
	s = open(t, path+".fresh")
	if stateOf(s, in) != device.Ambiguous || stateOf(s, unsure) != device.Quarantined {
		t.Errorf("%s, %s", stateOf(s, in), stateOf(s, unsure))
	}
}

// A flipped bit in the newest meta page takes the last booking back, says bbolt; it is
// noticed, and the booking is there.
func TestFlippedBitInAMetaPage(t *testing.T) {
	for bit := range 8 * metaSize {
		path := filepath.Join(t.TempDir(), "queue.db")
		s := open(t, path)
		s.db.NoSync = true
		_, out := pair(t, s)
		if err := s.db.Sync(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		must(t, err, s.Close())
		newest := 0
		if readMeta(content[pageSize:]).tx > readMeta(content).tx {
			newest = 1
		}
		content[newest*pageSize+metaAt+bit/8] ^= 1 << (bit % 8)
		must(t, os.WriteFile(path, content, 0o600))
		if err := Verify(path); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if _, err := Salvage(path+".fresh", func() {}, path); err != nil {
			t.Fatal(err)
		}
		s = open(t, path+".fresh")
		if e, err := s.Find(out.ID); err != nil || e.State != device.Ambiguous {
			t.Fatalf("bit %d: %+v, %v", bit, e, err)
		}
		s.Close()
	}
}

// The snapshot beside a damaged file says nothing about what was booked after it.
func TestSalvageBesideASnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	in, _ := pair(t, s)
	must(t, s.Snapshot(path+".snapshot"))
	newest, err := s.Append(punch(2, device.CheckIn, eight), false)
	must(t, err, s.Deliver(in), s.Close())
	must(t, altered(path, func(b []byte) { b[metaAt+40] ^= 1; b[pageSize+metaAt+40] ^= 1 }))
	found, err := Salvage(path+".fresh", func() {}, path, path+".snapshot")
	must(t, err)
	s = open(t, path+".fresh")
	if found.Quarantined > 0 || stateOf(s, newest) != device.Ambiguous {
		t.Errorf("%+v, the newest is %s", found, stateOf(s, newest))
	}
}

func altered(path string, how func([]byte)) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	how(content)
	return os.WriteFile(path, content, 0o600)
}

// A punch that is open again is not taken for settled because an older page says so.
func TestSalvageOfAReopenedPunch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	var made []device.Punch
	for n := range 5 {
		p, err := s.Append(punch(n, device.CheckIn, eight), false)
		must(t, err, s.Deliver(p))
		made = append(made, p)
	}
	must(t, s.save(nil), s.Snapshot(path+".snapshot"), s.MarkAmbiguous(made[2]))
	_, err := s.Append(punch(9, device.CheckIn, eight), false)
	must(t, err, s.Close())
	_, err = Salvage(path+".fresh", func() {}, path, path+".snapshot")
	must(t, err)
	s = open(t, path+".fresh")
	if stateOf(s, made[2]) != device.Ambiguous || stateOf(s, made[1]) != device.Delivered {
		t.Errorf("%s, %s", stateOf(s, made[2]), stateOf(s, made[1]))
	}
}

// Two files number their unclaimed taps alike; none of them is lost.
func TestSalvageOfTheTapsOfTwoFiles(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for n, hex := range []string{"A1B2C3D4", "B1B2C3D4"} {
		files = append(files, filepath.Join(dir, fmt.Sprint(n, ".db")))
		s := open(t, files[n])
		_, err := s.Keep(device.Tap{
			UID: badge(t, hex), Time: eight, Stamp: device.Stamp{Boot: bootA, Uptime: time.Hour},
		}, 0, true)
		must(t, err, s.Close())
	}
	_, err := Salvage(filepath.Join(dir, "fresh"), func() {}, files...)
	must(t, err)
	if taps, _ := open(t, filepath.Join(dir, "fresh")).Unclaimed(); len(taps) != 2 || !taps[0].Orphan {
		t.Errorf("%+v", taps)
	}
}
