package display

import (
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"timeclock/device"

	"golang.org/x/text/unicode/norm"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var update = flag.Bool("update", false, "write the goldens anew")

// halfBlocks shows a picture as text, two rows of pixels per line.
func halfBlocks(p *image1bit.VerticalLSB) string {
	var b strings.Builder
	for y := 0; y < Height; y += 2 {
		line := ""
		for x := range Width {
			line += []string{" ", "▀", "▄", "█"}[bit(p, x, y)+2*bit(p, x, y+1)]
		}
		b.WriteString("|" + line + "|\n")
	}
	return b.String()
}

func bit(p *image1bit.VerticalLSB, x, y int) int {
	if p.BitAt(x, y) {
		return 1
	}
	return 0
}

func language(t testing.TB, name string) *Language {
	t.Helper()
	l, err := NewLanguage(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func english(t testing.TB) Style { return Style{language(t, "en"), device.FullName, time.UTC} }

// sunday is when the pictures are taken.
var sunday = time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC)

// answers are all that a tap can be answered with.
func answers(name string) map[string]device.Outcome {
	e := device.Employee{ID: "x", Name: name}
	in := device.Punch{ID: 1, Intent: device.CheckIn, Time: sunday}
	out, unsure, open, older := in, in, in, in
	out.Intent = device.CheckOut
	unsure.Stamp.Uncertain = true
	open.Basis = device.Basis{Intent: device.CheckIn, Time: sunday.Add(-24 * time.Hour)}
	older.Basis = device.Basis{Intent: device.CheckIn, Time: sunday.AddDate(0, 0, -4)}
	onBreak := out
	onBreak.Detail = device.Detail{Function: device.TakeBreak, Project: "P-101"}
	hinted := out
	hinted.Hints = device.TenHours | device.Break45
	rested := in
	rested.Hints = device.ShortRest
	today := device.Worked{Known: true, Today: 8*time.Hour + 12*time.Minute}
	rough, month := today, today
	rough.Rough = true
	month.Month = device.Month{Known: true, Worked: 92*time.Hour + 10*time.Minute, Target: 160 * time.Hour}
	const project = "Umbau Verwaltungsgebäude Nord, 2. Obergeschoss"
	used := device.TakeBreak
	return map[string]device.Outcome{
		"break":         {Kind: device.CheckedOut, Employee: e, Punch: onBreak, Function: used, Worked: today},
		"break-offline": {Kind: device.CheckedOut, Employee: e, Punch: onBreak, Function: used, Offline: true},
		"back":          {Kind: device.CheckedIn, Employee: e, Punch: in, Returned: true, Paused: 32 * time.Minute},
		"back-project": {
			Kind: device.CheckedIn, Employee: e, Punch: in, Returned: true, Paused: 92 * time.Minute, Project: "Umbau Nord",
		},
		"back-never":       {Kind: device.CheckedIn, Employee: e, Punch: missed(in), Missed: true},
		"project":          {Kind: device.CheckedIn, Employee: e, Punch: in, Project: project, Function: "project=P-101"},
		"project-switched": {Kind: device.CheckedIn, Employee: e, Punch: in, Project: "Umbau Nord", Switched: true, Function: "project=P-101"},
		"today":            {Kind: device.CheckedOut, Employee: e, Punch: out, Worked: today},
		"today-offline":    {Kind: device.CheckedOut, Employee: e, Punch: out, Worked: rough, Offline: true},
		"hints":            {Kind: device.CheckedOut, Employee: e, Punch: hinted, Worked: today},
		"hints-rest":       {Kind: device.CheckedIn, Employee: e, Punch: rested},
		"hours":            {Kind: device.HoursShown, Employee: e, Worked: today, Awaits: true},
		"hours-month":      {Kind: device.HoursShown, Employee: e, Worked: month},
		"hours-off":        {Kind: device.HoursShown, Employee: e, Worked: device.Worked{Off: true}},
		"hours-unknown":    {Kind: device.HoursShown, Employee: e},
		"stands-in":        {Kind: device.Repeated, Employee: e, Punch: in, Stands: true},
		"stands-out":       {Kind: device.Repeated, Employee: e, Punch: out, Stands: true},
		"stands-break":     {Kind: device.Repeated, Employee: e, Punch: onBreak, Stands: true},
		"chosen":           {Kind: device.Chosen, Next: device.Choice{Function: used}},
		"not-chosen":       {Kind: device.Chosen},
		"taken-back":       {Kind: device.CheckedOut, Employee: e, Punch: out, TakenBack: true},

		"checkin":          {Kind: device.CheckedIn, Employee: e, Punch: in},
		"checkin-offline":  {Kind: device.CheckedIn, Employee: e, Punch: in, Offline: true},
		"checkin-unsure":   {Kind: device.CheckedIn, Employee: e, Punch: unsure, Offline: true},
		"checkin-open":     {Kind: device.CheckedIn, Employee: e, Punch: open},
		"checkin-older":    {Kind: device.CheckedIn, Employee: e, Punch: older},
		"checkin-turns":    {Kind: device.CheckedIn, Employee: e, Punch: in, Turns: 3},
		"checkin-no-name":  {Kind: device.CheckedIn, Punch: in},
		"checkout":         {Kind: device.CheckedOut, Employee: e, Punch: out},
		"checkout-offline": {Kind: device.CheckedOut, Employee: e, Punch: out, Offline: true},
		"checkout-turns":   {Kind: device.CheckedOut, Employee: e, Punch: out, Turns: 3},
		"tried":            {Kind: device.Tried},
		"repeated":         {Kind: device.Repeated, Employee: e, Punch: in},
		"repeated-out":     {Kind: device.Repeated, Employee: e, Punch: out},
		"repeated-unsure":  {Kind: device.Repeated, Employee: e, Punch: unsure},
		"unknown":          {Kind: device.Unknown},
		"unknown-claim":    {Kind: device.Unknown, Claim: 17},
		"unknown-long":     {Kind: device.Unknown, Claim: 999},
		"blocked":          {Kind: device.Blocked, Employee: e},
		"several":          {Kind: device.Several},
		"enrolled":         {Kind: device.Enrolled, Employee: e},
		"not-enrolled":     {Kind: device.NotEnrolled, Employee: e},
		"failed":           {Kind: device.Failed, Employee: e},
	}
}

// missed is a check-in after a break that never ended.
func missed(p device.Punch) device.Punch {
	p.Basis = device.Basis{Intent: device.CheckOut, Time: sunday.Add(-20 * time.Hour)}
	return p
}

// choices are what can be chosen for the next tap.
var choices = map[string]device.Choice{
	"choice-break":   {Function: device.TakeBreak, Until: sunday.Add(8 * time.Second)},
	"choice-hours":   {Function: device.ShowHours, Until: sunday.Add(10 * time.Second)},
	"choice-in":      {Function: device.ComeIn, Until: sunday.Add(10 * time.Second)},
	"choice-out":     {Function: device.GoOut, Until: sunday.Add(500 * time.Millisecond)},
	"choice-project": {Function: "project=P-101", Project: "Umbau Verwaltungsgebäude Nord", Until: sunday.Add(8 * time.Second)},
}

// idles are all that the idle screen can say.
var idles = map[string]Facts{
	"idle":            {},
	"idle-offline":    {Offline: true, Pending: 17},
	"idle-many":       {Offline: true, Pending: 9999},
	"idle-alone":      {Offline: true},
	"idle-token":      {Offline: true, Token: true, Pending: 17},
	"idle-badges":     {BadgesLost: true},
	"idle-settings":   {OldSettings: true},
	"idle-checked":    {Checked: true},
	"idle-faults":     {Checked: true, Faults: 2, Offline: true, Pending: 17},
	"idle-reader":     {ReaderBroken: true, Offline: true},
	"idle-disk":       {DiskBroken: true},
	"idle-pair":       {Pair: "4821 0937", Fingerprint: "A1B2 C3D4 E5F6 0718", Offline: true},
	"idle-enrolls":    {Enrolls: true, NewOwner: "Jörg Müßig-Ärmel"},
	"idle-function":   {Enrolls: true, NewFunction: device.TakeBreak},
	"idle-no-time":    {NoTime: true},
	"idle-no-network": {NoTime: true, Offline: true, Pending: 2},
}

func TestPictures(t *testing.T) {
	pictures := map[string]*image1bit.VerticalLSB{
		"checkin-long": english(t).Answer(device.Outcome{
			Kind: device.CheckedIn, Employee: device.Employee{Name: "Maximiliane Freifrau von Wolkenstein-Trostburg"},
			Punch: device.Punch{Time: sunday},
		}),
	}
	for _, l := range Languages() {
		style := Style{language(t, l), device.FullName, time.UTC}
		folder := map[bool]string{true: "", false: l + "/"}[l == "en"]
		for name, o := range answers("Jörg Müßig-Ärmel") {
			pictures[folder+name] = style.Answer(o)
		}
		for name, f := range idles {
			pictures[folder+name] = style.Idle(sunday, f)
		}
		for name, c := range choices {
			pictures[folder+name] = style.Choice(c, sunday)
		}
	}
	for name, picture := range pictures {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".txt")
			got := halfBlocks(picture)
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got == string(want) {
				return
			}
			file := filepath.Join(t.ArtifactDir(), filepath.Base(name)+".png")
			if f, err := os.Create(file); err == nil {
				png.Encode(f, picture)
				f.Close()
			}
			t.Errorf("%s looks otherwise (%s); if that is right: go test ./display -update\n%s", golden, file, got)
		})
	}
}

// Every text of every language fits the screen, whatever the day and the name.
func TestTextsFit(t *testing.T) {
	for _, l := range Languages() {
		style := Style{language(t, l), device.FullName, time.UTC}
		fits := func(what string, p *picture) {
			t.Helper()
			if len(p.cut) > 0 {
				t.Errorf("%s, %s: %q does not fit", l, what, p.cut)
			}
		}
		for name, o := range answers("Maximiliane Freifrau von Wolkenstein-Trostburg") {
			fits(name, style.answer(o))
		}
		for name, f := range idles {
			fits(name, style.idle(sunday, f))
		}
		for name, c := range choices {
			fits(name, style.choice(c, sunday))
		}
		for day := range 366 {
			now := time.Date(2028, 1, 1+day, 23, 58, 0, 0, time.UTC)
			for _, f := range []Facts{{}, {Offline: true}} {
				fits(now.Format(time.DateOnly), style.idle(now, f))
			}
			open := device.Punch{
				Intent: device.CheckIn, Time: now,
				Basis: device.Basis{Intent: device.CheckIn, Time: now.AddDate(0, 0, -2)},
			}
			fits("open since "+now.Format(time.DateOnly),
				style.answer(device.Outcome{Kind: device.CheckedIn, Punch: open}))
		}
	}
}

// Every text is there, and takes the same numbers and names as in English.
func TestLanguagesAreComplete(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]|\{[a-z]+\}`)
	var texts func(string, reflect.Value, map[string]string)
	texts = func(path string, v reflect.Value, out map[string]string) {
		switch v.Kind() {
		case reflect.String:
			out[path] = v.String()
		case reflect.Array:
			for i := range v.Len() {
				texts(fmt.Sprintf("%s[%d]", path, i), v.Index(i), out)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				texts(path+"."+v.Type().Field(i).Name, v.Field(i), out)
			}
		default:
			t.Fatalf("%s is a %s", path, v.Kind())
		}
	}
	model := map[string]string{}
	texts("", reflect.ValueOf(*language(t, "en")), model)
	for _, name := range Languages() {
		got := map[string]string{}
		texts("", reflect.ValueOf(*language(t, name)), got)
		for path, text := range got {
			if text == "" {
				t.Errorf("%s has no text for %s", name, path)
			}
			dates := strings.HasPrefix(path, ".Date")
			if got, want := verbs.FindAllString(text, -1), verbs.FindAllString(model[path], -1); !dates &&
				!slices.Equal(got, want) {
				t.Errorf("%s fills %q into %s, English %q", name, got, path, want)
			}
		}
	}
	if len(Languages()) < 2 {
		t.Errorf("the languages are %v", Languages())
	}
	if _, err := NewLanguage("xx"); err == nil || !strings.Contains(err.Error(), "de, en") {
		t.Errorf("a language that does not exist: %v", err)
	}
}

// Whatever the name, it stays inside the picture and is not cut mid-letter.
func TestNamesFit(t *testing.T) {
	for n := range 60 {
		f, text := fit(strings.Repeat("W", n), 18)
		if w := f.measure(text); w > Width {
			t.Errorf("%d letters take %d pixels", n, w)
		}
	}
	if _, text := fit(strings.Repeat("W", 60), 18); !strings.HasSuffix(text, "…") {
		t.Errorf("a shortened name must show that it is: %q", text)
	}
	// A long name shrinks, then takes two lines, and only then is cut.
	for name, lines := range map[string]int{
		"Anna Müller": 1, "Jörg Müßig-Ärmel": 1, "Maximiliane Freifrau von Wolkenstein": 2,
		"Hans-Jürgen Freiherr von Dannenberg": 2,
	} {
		p := newPicture()
		p.name(0, 24, name)
		if got := len(inkLines(p)); got != lines {
			t.Errorf("%q takes %d lines, want %d:\n%s", name, got, lines, halfBlocks(p.VerticalLSB))
		}
	}
}

// inkLines are the runs of rows that have ink.
func inkLines(p *picture) (lines [][2]int) {
	inside := false
	for y := range Height {
		ink := false
		for x := range Width {
			ink = ink || bool(p.BitAt(x, y))
		}
		if ink && !inside {
			lines = append(lines, [2]int{y, y})
		}
		if inside = ink; ink {
			lines[len(lines)-1][1] = y
		}
	}
	return lines
}

// Every letter of every file is one, in order; the letters of Europe's names are there, and what is
// not is shown without its accent.
func TestLetters(t *testing.T) {
	for _, f := range faces {
		last := int64(-1)
		for line := range strings.Lines(f.letters) {
			code, rows, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			n, err := strconv.ParseInt(code, 16, 32)
			if !ok || err != nil || len(code) != codePoint || n <= last || len(rows) != f.size*2*((f.width+7)/8) ||
				strings.Trim(rows, "0123456789ABCDEF") != "" {
				t.Fatalf("size %d: %q", f.size, line)
			}
			last = n
		}
		ask := f.glyph('?')
		const (
			german = "AZaz09ÄÖÜäöüß…„“’–€"
			others = "ŁłŞşČčĞğİıŘřŐőÉéÑñØøÅåÆæÞþĐđŽžĄąĘęȘșȚțЖжΩω"
		)
		for _, r := range german + others {
			g := f.glyph(r)
			bare := []rune(norm.NFD.String(string(r)))[0]
			if slices.Equal(g.rows, ask.rows) || bare != r && slices.Equal(g.rows, f.glyph(bare).rows) {
				t.Errorf("size %d has no %c", f.size, r)
			}
			if g.right > f.width || g.left < 0 || g.right <= g.left {
				t.Errorf("size %d: %c is from %d to %d", f.size, r, g.left, g.right)
			}
		}
		if !slices.Equal(f.glyph('ǖ').rows, f.glyph('u').rows) {
			t.Errorf("size %d: a letter that is not there is not shown without its accents", f.size)
		}
		if !slices.Equal(f.glyph('漢').rows, ask.rows) {
			t.Errorf("size %d: a letter of another script is no question mark", f.size)
		}
		if f.measure("11:11") != f.measure("08:08") {
			t.Errorf("size %d: the clock jumps", f.size)
		}
	}
}

// No row belongs to two lines, and nothing touches the edge where letters would be cut.
func TestLinesStandApart(t *testing.T) {
	for _, l := range Languages() {
		style := Style{language(t, l), device.FullName, time.UTC}
		for _, name := range []string{"Ağşüğ Çğışğ", "Maximiliane Freifrau von Wolkenstein-Trostburg"} {
			for what, o := range answers(name) {
				p := style.answer(o)
				for i, a := range p.lines {
					if a.Min.X < 0 || a.Max.X > Width || a.Min.Y < 0 || a.Max.Y > Height {
						t.Errorf("%s, %s of %s: a line at %v", l, what, name, a)
					}
					for _, b := range p.lines[:i] {
						if a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y {
							t.Errorf("%s, %s of %s: lines at %v and %v", l, what, name, b, a)
						}
					}
				}
			}
		}
	}
}
