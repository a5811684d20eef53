package queue

// Absent is a queue that has no file, because of what why says: nothing can be stored in
// it until it is given one.
func Absent(why error) *Store {
	s := newStore(nil)
	s.Lack(why)
	return s
}

// Lack says why there is still no file.
func (s *Store) Lack(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent, s.problem = why, why
}

// Absent reports whether there is no file.
func (s *Store) Absent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db == nil
}

// Adopt takes over a queue that was opened, which is not to be used any more.
func (s *Store) Adopt(opened *Store) {
	opened.mu.Lock()
	opened.flush.Stop()
	contents := opened.contents
	opened.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contents = contents
	s.notify()
}
