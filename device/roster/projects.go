package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/device/durable"
)

var _ device.Projects = (*Projects)(nil)

// ProjectDirectory lists the company's projects, archived ones included. An error ends the list.
type ProjectDirectory interface {
	Projects(context.Context) iter.Seq2[device.Project, error]
}

// mostProjects bounds what is kept of a list.
const mostProjects = 5000

// Projects are the company's projects as Zeitstrom listed them last. They live in memory and in a file,
// which is only a copy: one that is damaged is as good as none. Its methods may be called from any
// goroutine.
type Projects struct {
	path      string
	directory ProjectDirectory

	mu     sync.Mutex
	all    []device.Project
	at     time.Time // when they were listed; zero: never
	failed error     // why they could not be the last time
	tried  time.Time
	asking sync.Mutex // one at a time
}

// OpenProjects reads the projects from the file at path, if it is there.
func OpenProjects(path string, d ProjectDirectory) *Projects {
	p := &Projects{path: path, directory: d}
	if info, err := os.Stat(path); err == nil {
		content, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(content, &p.all) == nil {
			p.at = info.ModTime()
		}
	}
	return p
}

// known reports whether Zeitstrom has ever listed a project: else no code can be checked.
func (p *Projects) known() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all) > 0
}

// List returns those that can be chosen: they have a code, and are not archived.
func (p *Projects) List() []device.Project {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(p.all), func(x device.Project) bool { return x.Archived || x.Code == "" })
	slices.SortFunc(list, func(a, b device.Project) int { return strings.Compare(a.Code, b.Code) })
	return list
}

func (p *Projects) find(is func(device.Project) bool) (x device.Project) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.all {
		if is(x) {
			return x
		}
	}
	return x
}

func (p *Projects) byCode(code string) device.Project {
	return p.find(func(x device.Project) bool { return code != "" && x.Code == code })
}

// Name implements device.Projects.
func (p *Projects) Name(code string) string {
	if x := p.byCode(code); x.Name != "" {
		return x.Name
	}
	return code
}

// Code implements device.Projects.
func (p *Projects) Code(id string) string {
	return p.find(func(x device.Project) bool { return strings.EqualFold(x.ID, id) }).Code
}

// ID is that of the project with a code, empty if there is none; listed says whether any project is known.
func (p *Projects) ID(code string) (id string, listed bool) { return p.byCode(code).ID, p.known() }

// Check refuses a code that no project has, if that is known.
func (p *Projects) Check(code string) error {
	switch x := p.byCode(code); {
	case !p.known(), x.ID != "" && !x.Archived:
		return nil
	case x.Archived:
		return fmt.Errorf("project %s (%s) is archived at Zeitstrom", code, x.Name)
	}
	var codes []string
	for _, x := range p.List() {
		codes = append(codes, x.Code)
	}
	const most = 20
	if n := len(codes); n > most {
		codes = append(codes[:most], fmt.Sprintf("%d more", n-most))
	}
	return fmt.Errorf("no project at Zeitstrom has the code %s: there are %s", code, strings.Join(codes, ", "))
}

// Fresh asks for them unless they were asked for within the hour. An error says why they could not be;
// those that there are count all the same.
func (p *Projects) Fresh(ctx context.Context) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	p.mu.Lock()
	age, failed, tried := time.Since(p.at), p.failed, p.tried
	p.mu.Unlock()
	switch {
	case age >= 0 && age < freshTime:
		return nil
	case failed != nil && time.Since(tried) < patience:
		return failed
	}
	all, err := p.ask(ctx)
	p.mu.Lock()
	p.failed, p.tried = err, time.Now()
	if err == nil {
		p.all, p.at = all, time.Now()
	}
	p.mu.Unlock() // taps do not wait for the disk
	if err != nil {
		return err
	}
	content, err := json.Marshal(all)
	if err == nil {
		err = durable.WriteFile(p.path, content)
	}
	return err // they count until the next start
}

var errManyProjects = errors.New("there are more projects at Zeitstrom than a clock takes")

func (p *Projects) ask(ctx context.Context) (all []device.Project, err error) {
	for x, err := range p.directory.Projects(ctx) {
		switch {
		case err != nil:
			return nil, err
		case len(all) == mostProjects:
			return nil, errManyProjects
		}
		all = append(all, x)
	}
	return all, nil
}
