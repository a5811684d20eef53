package roster

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/device/durable"
)

// Directory lists the employees of the company, archived ones included. An error ends the list:
// what came before is not all of them.
type Directory interface {
	Employees(context.Context) iter.Seq2[device.Person, error]
}

// People are the employees of the company as Zeitstrom listed them last. They live in a file that
// only its owner may read: a company may have more of them than the memory of a small computer
// takes. Its methods may be called from any goroutine.
type People struct {
	path      string
	directory Directory

	mu     sync.Mutex
	asking chan struct{} // closed when they were asked for; nil: they are not being asked for
	cancel context.CancelFunc
	ended  bool
	failed error     // why they could not be asked for the last time
	tried  time.Time // when that was
}

// NewPeople keeps the directory's employees in the file at path.
func NewPeople(path string, d Directory) *People { return &People{path: path, directory: d} }

func (p *People) String() string { return "employees" }

// Run ends the asking when ctx ends.
func (p *People) Run(ctx context.Context) error {
	<-ctx.Done()
	p.mu.Lock()
	p.ended = true
	asking, cancel := p.asking, p.cancel
	p.mu.Unlock()
	if asking != nil {
		cancel()
		<-asking
	}
	return nil
}

// peopleColumns are those of the file.
var peopleColumns = []string{"id", "first_name", "last_name", "number", "external_id", "badge", "archived"}

// At is when they were asked for; zero: never.
func (p *People) At() time.Time {
	info, err := os.Stat(p.path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Ask asks for all of them, and replaces the file once all have come. In a large company that takes
// minutes: it goes on when ctx ends, and then the error is ErrAsking.
func (p *People) Ask(ctx context.Context) error {
	p.mu.Lock()
	asking := p.asking
	if asking == nil && p.ended {
		p.mu.Unlock()
		return ErrAsking
	}
	if asking == nil {
		asking = make(chan struct{})
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestAsk)
		p.asking, p.cancel = asking, cancel
		go p.ask(whole, cancel)
	}
	p.mu.Unlock()
	select {
	case <-asking:
	case <-ctx.Done():
		return ErrAsking
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// ErrAsking says that Zeitstrom is still listing them.
var ErrAsking = errors.New("the employees are still being listed by Zeitstrom: try again in a moment")

func (p *People) ask(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	err := durable.Write(p.path, func(w io.Writer) error {
		return writePeople(w, p.directory.Employees(ctx))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed, p.tried = err, time.Now()
	close(p.asking)
	p.asking = nil
}

// writePeople writes the file.
func writePeople(w io.Writer, people iter.Seq2[device.Person, error]) error {
	buffered := bufio.NewWriter(w)
	out := csv.NewWriter(buffered)
	out.Write(peopleColumns)
	for person, err := range people {
		if err != nil {
			return err
		}
		first, last := person.Names()
		archived := ""
		if person.Archived {
			archived = "yes"
		}
		out.Write([]string{string(person.ID), first, last, person.Number, person.External, person.Badge, archived})
	}
	out.Flush()
	return errors.Join(out.Error(), buffered.Flush())
}

const (
	freshTime = time.Hour   // how old what Zeitstrom said may be
	patience  = time.Minute // how long it is not asked again after it could not be

	longestAsk = 15 * time.Minute
)

// Fresh asks for them unless they were asked for within the hour. An error says why they could not
// be; those that there are may be used all the same.
func (p *People) Fresh(ctx context.Context) error {
	if age := time.Since(p.At()); age >= 0 && age < freshTime {
		return nil
	}
	p.mu.Lock()
	failed := p.failed
	if time.Since(p.tried) >= patience {
		failed = nil
	}
	p.mu.Unlock()
	if failed != nil {
		return failed
	}
	return p.Ask(ctx)
}

// All yields everybody, archived people included; nobody if nobody was asked for yet. An error ends
// the list.
func (p *People) All() iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		f, err := os.Open(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(device.Person{}, err)
			return
		}
		defer f.Close()
		in := csv.NewReader(bufio.NewReader(f))
		in.FieldsPerRecord, in.ReuseRecord = len(peopleColumns), true
		head, err := in.Read()
		if err != nil || !slices.Equal(head, peopleColumns) {
			yield(device.Person{}, p.damaged())
			return
		}
		for {
			fields, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = p.damaged()
				fields = make([]string, len(peopleColumns))
			}
			if !yield(personOf(fields), err) || err != nil {
				return
			}
		}
	}
}

// Forget takes somebody out, until they are asked for anew.
func (p *People) Forget(id device.EmployeeID) error {
	p.mu.Lock() // nobody begins to ask for them meanwhile
	defer p.mu.Unlock()
	at := p.At()
	switch {
	case p.asking != nil:
		return ErrAsking
	case at.IsZero():
		return nil
	}
	err := durable.Write(p.path, func(w io.Writer) error {
		return writePeople(w, func(yield func(device.Person, error) bool) {
			for person, err := range p.All() {
				if person.ID != id && !yield(person, err) {
					return
				}
			}
		})
	})
	return errors.Join(err, os.Chtimes(p.path, at, at))
}

func personOf(fields []string) device.Person {
	return device.Person{
		Employee: device.Employee{
			ID: device.EmployeeID(fields[0]), Name: strings.TrimSpace(fields[1] + " " + fields[2]), LastName: fields[2],
			Number: fields[3],
		},
		External: fields[4], Badge: fields[5], Archived: fields[6] != "",
	}
}

// damaged throws the file away: Zeitstrom has what was in it.
func (p *People) damaged() error {
	err := fmt.Errorf("the list of employees %s was damaged", p.path)
	return errors.Join(err, os.Remove(p.path))
}
