package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// sample is a company that does not exist: its people, and when they have worked.
type sample struct {
	people  []zeitstromtest.Employee
	badges  []device.Badge // of the first of them: the others have none yet
	past    []device.Punch // in order
	refused device.EmployeeID
}

var (
	sampleFirst = []string{
		"Anna", "Jörg", "Zoë", "Łukasz", "Mehmet", "Sabine", "Émile", "Katharina", "Jürgen", "Aylin", "Paul", "Ingrid",
		"Hans-Jürgen", "Nadja", "Tomáš", "Birgit", "Ahmed", "Claudia", "Sören", "Olena", "Uwe", "Lea", "Dragan",
		"Marie-Luise", "Giulia", "Stefan", "Fatma", "Björn", "Petra", "Noah",
	}
	sampleLast = []string{
		"Müller", "Weiß", "Öztürk", "Kowalski", "Yılmaz", "Schröder", "Éclair", "Freifrau von Wolkenstein", "Schäfer",
		"Şahin", "Becker", "Özdemir", "Groß", "Nowak", "Dvořák", "König", "Ben Salah", "Lange", "Petersen", "Koval",
		"Hoffmann", "Jansen", "Petrović", "Möller", "Rossi", "Vogel", "Arslan", "Lindqvist", "Zimmermann", "Fischer",
	}
)

// Where the company is, and what it is called.
const (
	sampleZone    = "Europe/Berlin"
	sampleCompany = "Beispiel & Söhne GmbH"
	sampleDoor    = "Haupteingang"
)

// newSample makes a company of n people, of whom so many have badges, with two weeks of work until
// now. Somebody has forgotten to check out, and Zeitstrom does not know the last one with a badge.
func newSample(n, withBadges int, now time.Time) *sample {
	c := &sample{}
	for i := range n {
		id := fmt.Sprintf("5a3b1e70-c0de-4a11-8bad-%012d", i+1)
		first, last := sampleFirst[i%len(sampleFirst)], sampleLast[(i+i/len(sampleFirst)*7)%len(sampleLast)]
		p := zeitstromtest.Employee{
			ID: id, FirstName: first, LastName: last, Number: fmt.Sprintf("%04d", 1001+i),
			External: fmt.Sprintf("HR-%d", 7000+i),
		}
		c.people = append(c.people, p)
		if i < withBadges {
			c.badges = append(c.badges, device.Badge{UID: sampleBadge(i), Employee: sampleEmployee(p)})
		}
	}
	c.refused = c.badges[withBadges-1].Employee.ID
	c.work(now)
	return c
}

// sampleEmployee is somebody as the clock knows them.
func sampleEmployee(p zeitstromtest.Employee) device.Employee {
	return device.Employee{
		ID: device.EmployeeID(p.ID), Name: p.FirstName + " " + p.LastName, LastName: p.LastName, Number: p.Number,
	}
}

// sampleBadge is the badge of somebody: most have seven bytes, some four.
func sampleBadge(i int) device.UID {
	bytes := []byte{0x04, 0xA1, byte(i >> 8), byte(i), 0x5D, 0x6E, 0x80}
	if i%5 == 4 {
		bytes = []byte{0x5A, 0x1F, byte(i >> 8), byte(i)}
	}
	uid, _ := device.NewUID(bytes) // of a length that there is
	return uid
}

// forgetful is who has not checked out three working days ago.
const forgetful = 2

// atTheDoor is how many of the company's people have not come yet today: theirs are the badges that
// the demo shows.
const atTheDoor = 7

// work fills two weeks, from Monday to Friday, and today; some days somebody is ill, or away.
func (c *sample) work(now time.Time) {
	zone, err := time.LoadLocation(sampleZone)
	if err != nil {
		zone = time.UTC
	}
	now = now.In(zone)
	luck := rand.New(rand.NewPCG(1, 2)) // the same company every time
	days := 0
	for back := range 15 { // from now on
		year, month, day := now.AddDate(0, 0, -back).Date()
		midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
		if w := midnight.Weekday(); back > 0 && (w == time.Saturday || w == time.Sunday) {
			continue
		}
		days++
		for i, b := range c.badges[:len(c.badges)-1] {
			if luck.IntN(12) == 0 && i != forgetful || back == 0 && i < atTheDoor {
				continue
			}
			book := func(intent device.Intent, from, spread int) {
				minute, second := time.Duration(from+luck.IntN(spread)), time.Duration(luck.IntN(60))
				at := midnight.Add(minute*time.Minute + second*time.Second)
				if at.Before(now.Add(-time.Minute)) {
					c.past = append(c.past, device.Punch{Employee: b.Employee.ID, Intent: intent, Time: at})
				}
			}
			book(device.CheckIn, 6*60+40, 130)
			if i%3 == 0 { // who goes out for lunch
				book(device.CheckOut, 12*60, 25)
				book(device.CheckIn, 12*60+35, 30)
			}
			if i != forgetful || days != 4 {
				book(device.CheckOut, 15*60+50, 140)
			}
		}
	}
	c.past = append(c.past, device.Punch{
		Employee: c.refused, Intent: device.CheckIn, Time: now.Add(-95 * time.Minute).Truncate(time.Second),
	})
	slices.SortStableFunc(c.past, func(a, b device.Punch) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Employee, b.Employee))
	})
	last := map[device.EmployeeID]device.Punch{}
	for i := range c.past {
		p := &c.past[i]
		if before, known := last[p.Employee]; known {
			p.Basis = device.Basis{Source: device.ThisClock, Intent: before.Intent, Time: before.Time}
		}
		last[p.Employee] = *p
	}
}
