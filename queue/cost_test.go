package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// fill makes a queue that has stored and delivered n punches of 200 employees,
// and then as many pending ones as asked for.
func fill(t testing.TB, n, pending int) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	const chunk = 10_000
	for first := 1; first <= n+pending; first += chunk {
		err := s.db.Update(func(tx *bolt.Tx) error {
			history := tx.Bucket(historyBucket)
			history.FillPercent = 1
			st := &stage{Tx: tx, chain: s.chain}
			for id := first; id < first+chunk && id <= n+pending; id++ {
				p := punch(id%200, []device.Intent{device.CheckIn, device.CheckOut}[id/200%2],
					time.Unix(int64(id)*60, 0))
				p.ID = device.PunchID(id)
				if err := st.punch(historyBucket, p); err != nil {
					return err
				}
			}
			s.chain = st.chain
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n > 0 {
		s.settled = ranges{{1, device.PunchID(n)}}
		s.unsaved = true
	}
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

// TestCost is exact: how many commits, of two fdatasyncs each, and how many
// bytes a punch costs when punches come back to back, their deliveries included.
func TestCost(t *testing.T) {
	for _, tc := range []struct{ stored, maxBytes int }{{1_000, 12_000}, {45_000, 12_000}, {1_000_000, 14_000}} {
		if tc.stored > 100_000 && testing.Short() {
			continue
		}
		t.Run(fmt.Sprint(tc.stored), func(t *testing.T) {
			s := fill(t, tc.stored, 0)
			const n = 512
			firstTx, before := commits(t, s), allocated(s)
			for i := range n {
				p, err := s.Append(punch(i, device.CheckIn, time.Now()), true)
				if err == nil {
					err = errors.Join(s.Attempt(p), s.Deliver(p))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			made := commits(t, s) - firstTx
			const meta = pageSize // a commit writes its meta page besides those it allocates
			bytes := (allocated(s) - before + made*meta) / n
			t.Logf("%d stored: %.2f fdatasyncs and %d bytes a punch", tc.stored, 2*float64(made)/n, bytes)
			if made > n {
				t.Errorf("%d commits for %d punches", made, n)
			}
			if bytes > tc.maxBytes {
				t.Errorf("%d bytes a punch, more than %d", bytes, tc.maxBytes)
			}
		})
	}
}

// allocated returns how many bytes of pages all commits have written.
func allocated(s *Store) int {
	stats := s.db.Stats()
	return int(stats.TxStats.GetPageAlloc())
}

// commits returns the number of write transactions so far.
func commits(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.db.View(func(tx *bolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// BenchmarkOneSyncFloor is what one durable write costs at least: 256 bytes into
// a file whose blocks are there already, and an fdatasync.
func BenchmarkOneSyncFloor(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const blocks = 4096
	if _, err := f.Write(make([]byte, blocks*256)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 256)
	for i := 0; b.Loop(); i++ {
		if _, err := f.WriteAt(record, int64(i%blocks)*256); err != nil {
			b.Fatal(err)
		}
		if err := fdatasync(f); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendDurable is a punch, its delivery included, beside what is
// stored already.
func BenchmarkAppendDurable(b *testing.B) {
	for _, stored := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(stored), func(b *testing.B) {
			s := fill(b, stored, 0)
			for i := 0; b.Loop(); i++ {
				p, err := s.Append(punch(i%200, device.CheckIn, time.Now()), true)
				if err == nil {
					err = s.Deliver(p)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAppendWhileDraining is a punch while a backlog is being delivered.
func BenchmarkAppendWhileDraining(b *testing.B) {
	s := fill(b, 1_000, 100_000)
	heads := s.Heads()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Append(punch(i%200, device.CheckIn, time.Now()), true); err != nil {
			b.Fatal(err)
		}
		for range 20 {
			if len(heads) == 0 {
				heads = s.Heads()
			}
			if err := errors.Join(s.Attempt(heads[0].Punch), s.Deliver(heads[0].Punch)); err != nil {
				b.Fatal(err)
			}
			heads = heads[1:]
		}
	}
}

// TestBacklogMemory: what waits for the network takes no more memory than the smallest Pi has.
func TestBacklogMemory(t *testing.T) {
	live := func() int64 { // bytes; what other tests have left behind is in both readings
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first one found in a pool
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	s := fill(t, 1_000, 100_000)
	grown := live() - before
	info, err := os.Stat(s.db.Path())
	must(t, err)
	t.Logf("100000 pending take %d kB on the heap and %d MB on the disk", grown>>10, info.Size()>>20)
	if n := s.Stats().Pending; n != 100_000 || grown > 16<<20 || info.Size() > 100<<20 {
		t.Errorf("%d pending, %d bytes on the heap, %d on the disk", n, grown, info.Size())
	}
}
