package roster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
)

// somebody is an employee at Zeitstrom; the last word of the name is the last name unless a bar
// says otherwise.
func somebody(n int, name, number string) device.Person {
	first, last, found := strings.Cut(name, "|")
	if !found {
		space := strings.LastIndex(name, " ")
		first, last = name[:max(0, space)], name[space+1:]
	}
	return device.Person{Employee: device.Employee{
		ID:   device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d", n)),
		Name: strings.TrimSpace(first + " " + last), LastName: last, Number: number,
	}, External: fmt.Sprint("EXT-", n)}
}

func external(p device.Person, id string) device.Person {
	p.External = id
	return p
}

// staff is a company that has everything that goes wrong with names and numbers.
var staff = []device.Person{
	somebody(1, "Anna Müller", "1042"),
	somebody(2, "Jörg Weiß", "0042"),
	somebody(3, "Hans-Jürgen Öztürk", "7"),
	somebody(4, "Anna Schmidt", "2001"),
	somebody(5, "Anna Schmidt", "2002"),
	gone(somebody(6, "Ben Alt", "3001")),
	somebody(7, "Łukasz Şahin", "X-9"),
	somebody(8, "Juan Carlos|García Márquez", "4001"),
	somebody(9, "Siobhán O'Brien", "4002"),
	somebody(10, "Thomas Martin", "5001"),
	somebody(11, "Martin Thomas", "5002"),
	somebody(12, "Eva Baur", "6001"),
	somebody(13, "Ida Null", "007"),
	somebody(14, "Ina Null", "0007"),
	gone(somebody(15, "Ute Ott", "8")),
	external(somebody(16, "Ute Otto", "008"), ""),
	gone(somebody(17, "Ida Gross", "7001")),
	external(somebody(18, "Ida Groß", "7002"), ""),
	external(somebody(20, "?", "7003"), ""),
}

func staffed() (iter.Seq2[device.Person, error], error) { return everybody(staff), nil }

// Whoever types a name does it as names are typed: without accents, hyphens and shift keys.
func TestFind(t *testing.T) {
	for question, want := range map[string]string{
		"muller": "Müller, Anna", "Mueller": "Müller, Anna", "MÜLLER": "Müller, Anna", "anna mül": "Müller, Anna",
		"Müller, Anna": "Müller, Anna", "hans jurgen": "Öztürk, Hans-Jürgen", "hans-juergen": "Öztürk, Hans-Jürgen",
		"hansjurgen": "", "lukasz": "Şahin, Łukasz", "sahin": "Şahin, Łukasz", "weiss": "Weiß, Jörg",
		"joerg": "Weiß, Jörg", "1042": "Müller, Anna", "104": "Müller, Anna", "x9": "",
		"ext-3": "Öztürk, Hans-Jürgen; Null, Ida", "x-9": "Şahin, Łukasz; O'Brien, Siobhán",
		"schmidt": "Schmidt, Anna 2001; Schmidt, Anna 2002", "anna schmidt 2002": "Schmidt, Anna 2002",
		"obrien": "O'Brien, Siobhán", "o'brien": "O'Brien, Siobhán", "siobhan": "O'Brien, Siobhán",
		"marquez": "García Márquez, Juan Carlos", "alt": "", "ben": "", "": "", " , ": "", "xyz": "",
		"anna":  "Müller, Anna; Schmidt, Anna 2001; Schmidt, Anna 2002",
		"bauer": "", "baur": "Baur, Eva",
	} {
		found, err := Ask(question).Find(everybody(staff), 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range found.People {
			text := p.Listed()
			if strings.HasPrefix(text, "Schmidt") {
				text += " " + p.Number
			}
			got = append(got, text)
		}
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("%q finds %q, want %q", question, text, want)
		}
	}
	// Who is meant must be certain: not a part of a number or of a word, and nobody who has left.
	for question, want := range map[string]string{
		"muller": "Müller, Anna", "Müller, Anna": "Müller, Anna", "1042": "Müller, Anna", "104": "", "2": "", "mül": "",
		"anna": "", "anna schmidt": "", "2001": "Schmidt, Anna", "ute ott": "", "ott": "", "Ute Otto": "Otto, Ute",
		"8": "", "008": "Otto, Ute", "'": "", "-": "", "thomas martin": "", "ida": "",
		"garcia marquez": "García Márquez, Juan Carlos",
	} {
		found, err := Ask(question).Find(everybody(staff), 10)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p, certain := found.One(); certain {
			got = p.Listed()
		}
		if got != want {
			t.Errorf("%q means %q, want %q", question, got, want)
		}
	}
	// The whole name is better than a part of another.
	found, err := Ask("x-9").Find(everybody(staff), 1)
	if err != nil || found.Fit != WholeFit || found.More != 1 || found.People[0].Number != "X-9" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A phone book: last names first, accents beside their letters.
func TestOrder(t *testing.T) {
	var list []device.Employee
	want := []string{
		"Zoe Ebert", "Émile Éclair", "Bo Eder", "Ute Müller", "Änne Müller-Wirth", "Jan Muzik", "Öner Oz", "Ada Ozan",
		"Al Zorn",
	}
	for _, name := range want {
		list = append(list, device.Employee{Name: name})
	}
	slices.Reverse(list)
	Order(list, func(e device.Employee) device.Employee { return e })
	var got []string
	for _, e := range list {
		got = append(got, e.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A list names people as it has them. What is not certain is refused.
func TestImportByWhatAListHas(t *testing.T) {
	const number, names, both = "Kartennummer;Personal-Nr.\n", "Kartennummer;Nachname;Vorname\n",
		"Kartennummer;Personalnummer;Vorname;Nachname\n"
	for _, tc := range []struct{ file, want string }{
		{number + "04A1B2C3;1042", "1 number"},
		{number + "04A1B2C3;0042", "2 number"},
		{number + "04A1B2C3;42", "2 number"}, // Excel has dropped the zeros
		{number + "04A1B2C3;01042", "1 number"},
		{number + "04A1B2C3;7", "7 may be the number of Hans-Jürgen Öztürk (7), Ida Null (007), Ina Null (0007): " +
			"write it with its leading zeros, or the names beside it"},
		{number + "04A1B2C3;007", "13 number"},
		{number + "04A1B2C3;3001", "the personnel number 3001 is that of Ben Alt, who has left"},
		{number + "04A1B2C3;9999", "nobody has the personnel number 9999 at Zeitstrom"},
		{number + "04A1B2C3;EXT-1", "nobody has the personnel number EXT-1 at Zeitstrom"},
		{number + "04A1B2C3;", "nobody is named: an employee id, a personnel number or a name is missing"},
		{"Kartennummer;Externe ID\n04A1B2C3;EXT-3", "3 external"},
		{"Kartennummer;External ID\n04A1B2C3;1042", "nobody has the external id 1042 at Zeitstrom"},
		{"uid,personnel number,external id\n04A1B2C3,1042,EXT-1", "1 number"},
		{
			"uid,personnel number,external id\n04A1B2C3,1042,EXT-2",
			"personnel number 1042 and external id EXT-2 are of different employees",
		},
		{names + "04A1B2C3;Müller;Anna", "1 names"},
		{names + "04A1B2C3;Mueller;Anna", "1 names"},
		{names + "04A1B2C3;MULLER;ANNA", "1 names"},
		{names + "04A1B2C3;Oeztuerk;Hans Juergen", "3 names"},
		{names + "04A1B2C3;Martin;Thomas", "10 names"},
		{names + "04A1B2C3;Anna;Müller", "nobody at Zeitstrom is called Müller Anna"}, // two columns are not turned
		{names + "04A1B2C3;-;-", "nobody at Zeitstrom is called - -"},
		{names + "04A1B2C3;Ott;Ute", "Ute Ott has left"},     // and Ute Otto is somebody else
		{names + "04A1B2C3;Gross;Ida", "Ida Gross has left"}, // and Ida Groß is somebody else
		{number + "04A1B2C3;8", "the personnel number 8 is that of Ute Ott, who has left"},
		{"uid;employee_id;Name\n04A1B2C3;" + string(gone(somebody(6, "", "")).ID) + ";", "Ben Alt has left"},
		{
			"uid;employee_id;Personalnummer;Name\n04A1B2C3;" + string(staff[0].ID) + ";99;Carl Else",
			`personnel number 99 is not that of Anna Müller, whose id this is: it is "1042" at Zeitstrom`,
		},
		{names + "04A1B2C3;Bauer;Eva", "nobody at Zeitstrom is called Eva Bauer"},
		{names + "04A1B2C3;Alt;Ben", "Ben Alt has left"},
		{names + "04A1B2C3;Schmidt;Anna", "2 employees are called so: Anna Schmidt (2001), Anna Schmidt (2002): " +
			"add the personnel number"},
		{names + "04A1B2C3;Müller;", "nobody at Zeitstrom is called Müller"},
		{"Name;Ausweis\nMüller, Anna;04A1B2C3", "1 names"},
		{"Mitarbeiter;Ausweis\nAnna Müller;04A1B2C3", "1 names"},
		{"Mitarbeiter;Ausweis\n" + string(staff[0].ID) + ";04A1B2C3", "1 id"},
		{both + "04A1B2C3;2002;Anna;Schmidt", "5 number"},
		{both + "04A1B2C3;7;Ina;Null", "14 number"},
		{both + "04A1B2C3;4001;Juan;García Márquez", "8 number"},
		{
			both + "04A1B2C3;1042;Jörg;Weiß",
			"1042 is the number of Anna Müller (1042) at Zeitstrom, and not of Jörg Weiß",
		},
		{"uid;employee_id\n04A1B2C3;" + string(staff[0].ID), "1 id"},
		{
			"uid;employee_id;Personalnummer\n04A1B2C3;" + string(staff[0].ID) + ";7",
			`personnel number 7 is not that of Anna Müller, whose id this is: it is "1042" at Zeitstrom`,
		},
	} {
		r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
		report, _ := r.Import(strings.NewReader(tc.file), Options{Staff: staffed, Numbers: device.Hex})
		got := "no line"
		if len(report.Lines) == 1 {
			l := report.Lines[0]
			e := l.Badge.Employee
			if got = l.Reason; got == "" {
				id := strings.TrimLeft(strings.TrimPrefix(string(e.ID), "a1b2c3d4-e5f6-7890-abcd-"), "0")
				got = id + " " + string(l.By)
			}
			known := slices.ContainsFunc(staff, func(p device.Person) bool { return p.Employee == e })
			if l.Reason == "" && !known {
				t.Errorf("%q: %+v is not as Zeitstrom has them", tc.file, e)
			}
		}
		if got != tc.want {
			t.Errorf("%q:\n%s, want\n%s", tc.file, got, tc.want)
		}
	}
}

// Where nobody can be looked up that is said once, and lists with ids can do without.
func TestImportWithoutStaff(t *testing.T) {
	refused := func() (iter.Seq2[device.Person, error], error) { return nil, errors.New("the token may not") }
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	report, err := r.Import(strings.NewReader("uid;Personalnummer\n04A1B2C3;1\n04A1B2C4;2\n"), Options{Staff: refused})
	if err == nil || len(report.Lines) > 0 || strings.Count(err.Error(), "the token may not") != 1 {
		t.Errorf("%v, %+v", err, report)
	}
	_, err = r.Import(strings.NewReader("uid;employee_id\n04A1B2C3;"+anna+"\n"), Options{Staff: refused})
	if err != nil || r.Len() != 1 {
		t.Errorf("with ids: %v, %d badges", err, r.Len())
	}
}

// The employees are asked for once an hour, by one at a time, and those of last time stay until all
// have come.
func TestPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "employees.csv")
		d := &directory{people: staff}
		p := NewPeople(path, d)
		count := func() (n int) {
			for person, err := range p.All() {
				if err != nil {
					t.Fatal(err)
				}
				if i := slices.Index(staff, person); i != n {
					t.Errorf("%d comes as %d: %+v", i, n, person)
				}
				n++
			}
			return n
		}
		if count() != 0 || !p.At().IsZero() {
			t.Error("somebody is known already")
		}
		if err := p.Fresh(t.Context()); err != nil || count() != len(staff) {
			t.Fatalf("%v, %d people", err, count())
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read it: %v, %v", info.Mode(), err)
		}
		set := func(age time.Duration) { // files have the real time
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		set(59 * time.Minute)
		if err := p.Fresh(t.Context()); err != nil || d.asked != 1 {
			t.Errorf("within the hour: %v, asked %d times", err, d.asked)
		}
		set(61 * time.Minute)
		if err := p.Fresh(t.Context()); err != nil || d.asked != 2 {
			t.Errorf("after the hour: %v, asked %d times", err, d.asked)
		}
		set(2 * time.Hour)
		d.mu.Lock()
		d.people, d.err = staff[:3], errors.New("no route")
		d.mu.Unlock()
		for range 3 {
			err := p.Fresh(t.Context())
			if err == nil || err.Error() != "no route" || d.asked != 3 || count() != len(staff) {
				t.Errorf("half a list: %v, asked %d times, %d people", err, d.asked, count())
			}
		}
		time.Sleep(patience)
		if p.Fresh(t.Context()); d.asked != 4 {
			t.Errorf("a minute later: asked %d times", d.asked)
		}
	})
}

// A large company takes longer than whoever asks: the asking goes on, until the clock stops.
func TestPeopleTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPeople(filepath.Join(t.TempDir(), "employees.csv"), slowly{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.Run(ctx) }()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Ask(impatient); !errors.Is(err, ErrAsking) {
			t.Errorf("%v", err)
		}
		if err := p.Ask(t.Context()); err != nil || p.At().IsZero() {
			t.Errorf("%v", err)
		}
		if err := p.Ask(impatient); !errors.Is(err, ErrAsking) {
			t.Errorf("%v", err)
		}
		stop()
		<-ended
		if err := p.Ask(t.Context()); !errors.Is(err, ErrAsking) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// slowly lists its people one after another.
type slowly struct{}

func (slowly) Employees(ctx context.Context) iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		for n := range 10 {
			select {
			case <-ctx.Done():
				yield(device.Person{}, ctx.Err())
				return
			case <-time.After(time.Minute):
			}
			if !yield(somebody(n, "Anna Nr", ""), nil) {
				return
			}
		}
	}
}

func TestPeopleDamaged(t *testing.T) {
	const head = "id,first_name,last_name,number,external_id,badge,archived\n"
	for _, content := range []string{"id,name\n", "\x00", head + "a,b\n"} {
		path := filepath.Join(t.TempDir(), "employees.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := NewPeople(path, nil)
		problem := error(nil)
		for _, err := range p.All() {
			problem = err
		}
		if problem == nil || !strings.Contains(problem.Error(), "was damaged") || !p.At().IsZero() {
			t.Errorf("%q: %v", content, problem)
		}
	}
}

// What this version writes an older one reads: what is new stands behind the checksum, where that one
// does not look.
func TestOlderVersionsReadTheMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	e := device.Employee{ID: anna, Name: "Anna Müller", LastName: "Müller", Number: "0042"}
	if _, err := open(t, path).Add(device.Badge{UID: uid(t, "04A1B2C3D4E5F6"), Employee: e}, false); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	if !strings.HasPrefix(lines[0], "uid,employee_id,name,blocked,from,until,origin,checksum of 1,") ||
		!strings.Contains(lines[1], ",Müller,0042,") {
		t.Errorf("%s", content)
	}
	if b := badges(open(t, path)); len(b) != 1 || b[0].Employee != e {
		t.Errorf("%+v", b)
	}
}
