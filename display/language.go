package display

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

//go:embed languages
var languageFiles embed.FS

// Language is every text that a clock shows. Each language is one file in
// languages; the keys are explained in en.toml.
type Language struct {
	Booked struct {
		CheckIn    string `toml:"checkin"`
		CheckOut   string `toml:"checkout"`
		Saved      string `toml:"saved"`
		Unsure     string `toml:"unsure"`
		Open       string `toml:"open"`
		OpenAdvice string `toml:"open_advice"`
		TurnIn     string `toml:"turn_in"`
		TurnOut    string `toml:"turn_out"`
		Break      string `toml:"break"`
		Since      string `toml:"since"`
		Back       string `toml:"back"`
		Paused     string `toml:"paused"`
		Switched   string `toml:"switched"`
		Today      string `toml:"today"`
		TodayRough string `toml:"today_rough"`
		TakenBack  string `toml:"taken_back"`
	} `toml:"booked"`
	Function struct {
		Break   string `toml:"break"`
		Hours   string `toml:"hours"`
		In      string `toml:"in"`
		Out     string `toml:"out"`
		Project string `toml:"project"`
		Badge   string `toml:"badge"`
		Chosen  string `toml:"chosen"`
	} `toml:"function"`
	Hours struct {
		Month   string `toml:"month"`
		Hidden  string `toml:"hidden"`
		Unknown string `toml:"unknown"`
	} `toml:"hours"`
	Hints struct {
		Break30   Hint `toml:"break_30"`
		Break45   Hint `toml:"break_45"`
		SixAtOnce Hint `toml:"six_at_once"`
		TenHours  Hint `toml:"ten_hours"`
		ShortRest Hint `toml:"short_rest"`
	} `toml:"hints"`
	Sentence struct {
		Saved  string `toml:"saved"`
		Unsure string `toml:"unsure"`
		Open   string `toml:"open"`
	} `toml:"sentence"`
	Other struct {
		Repeated      string `toml:"repeated"`
		RepeatedIn    string `toml:"repeated_in"`
		RepeatedOut   string `toml:"repeated_out"`
		StandsIn      string `toml:"stands_in"`
		StandsOut     string `toml:"stands_out"`
		Unknown       string `toml:"unknown"`
		Claim         string `toml:"claim"`
		Blocked       string `toml:"blocked"`
		Office        string `toml:"office"`
		Tried         string `toml:"tried"`
		NotBooked     string `toml:"not_booked"`
		Several       string `toml:"several"`
		SeveralAdvice string `toml:"several_advice"`
		Failed        string `toml:"failed"`
		FailedAdvice  string `toml:"failed_advice"`
	} `toml:"other"`
	Enroll struct {
		Waiting string `toml:"waiting"`
		Hold    string `toml:"hold"`
		Done    string `toml:"done"`
		Refused string `toml:"refused"`
		Reason  string `toml:"why"`
	} `toml:"enroll"`
	Idle struct {
		Broken   string    `toml:"broken"`
		Reader   [2]string `toml:"reader"`
		Disk     [2]string `toml:"disk"`
		NoTime   string    `toml:"no_time"`
		AsUsual  string    `toml:"as_usual"`
		Offline  string    `toml:"offline"`
		Pending  string    `toml:"pending"`
		Token    string    `toml:"token"`
		Badges   string    `toml:"badges"`
		Settings string    `toml:"settings"`
		Pair     string    `toml:"pair"`
		Well     string    `toml:"well"`
		Faults   string    `toml:"faults"`
	} `toml:"idle"`
	Date struct {
		Long      string     `toml:"long"`
		Short     string     `toml:"short"`
		Yesterday string     `toml:"yesterday"`
		Weekdays  [7]string  `toml:"weekdays"` // from Sunday on
		Months    [12]string `toml:"months"`
	} `toml:"date"`
}

// Hint is what the law on working hours says of a day: short for the picture, and as a sentence.
type Hint struct {
	Short string `toml:"short"`
	Long  string `toml:"long"`
}

// Languages returns the names of the languages that there are, such as "en".
func Languages() []string {
	files, err := languageFiles.ReadDir("languages")
	if err != nil {
		panic(err) // they are built in
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".toml"))
	}
	return names
}

// NewLanguage returns the language of that name.
func NewLanguage(name string) (*Language, error) {
	if !slices.Contains(Languages(), name) {
		return nil, fmt.Errorf("there is no language %q: use one of %s", name, strings.Join(Languages(), ", "))
	}
	text, err := languageFiles.ReadFile(path.Join("languages", name+".toml"))
	if err != nil {
		return nil, err
	}
	l := &Language{}
	in := toml.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(l); err != nil {
		return nil, fmt.Errorf("language %s: %w", name, err)
	}
	return l, nil
}

func (l *Language) date(t time.Time, pattern string) string {
	return strings.NewReplacer(
		"{weekday}", l.Date.Weekdays[t.Weekday()],
		"{day}", strconv.Itoa(t.Day()),
		"{month}", l.Date.Months[t.Month()-1],
		"{year}", strconv.Itoa(t.Year()),
	).Replace(pattern)
}

// day names a day that is past, seen from now.
func (l *Language) day(past, now time.Time) string {
	if y, m, d := now.AddDate(0, 0, -1).Date(); past.Year() == y && past.Month() == m && past.Day() == d {
		return l.Date.Yesterday
	}
	return l.date(past, l.Date.Short)
}
