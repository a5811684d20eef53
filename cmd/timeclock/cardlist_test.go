package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"timeclock/cmd/internal/sheet"
)

// A list of devices is read however somebody has saved it.
func TestReadCards(t *testing.T) {
	var book bytes.Buffer
	table, err := sheet.NewXLSX(&book)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"Name", "wifi", "timezone"}, {"door-1", "Büro.toml", ""}, {"door-2", "", "UTC"}} {
		if err := table.Line(line...); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"comma.csv": "name,wifi,timezone\ndoor-1,Büro.toml,\ndoor-2,,UTC\n",
		"excel.csv": "\xEF\xBB\xBFName;WiFi;Timezone\r\ndoor-1;Büro.toml;\r\n;;\r\ndoor-2;;UTC\r\n",
		"old.csv":   "name;wifi;timezone\r\ndoor-1;B\xFCro.toml;\r\ndoor-2;;UTC\r\n",
		"book.xlsx": book.String(),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readCards(path, card{"name": "", "wifi": "all.toml", "timezone": "Europe/Berlin"})
		want := []card{
			{"name": "door-1", "wifi": filepath.Join(dir, "Büro.toml"), "timezone": "Europe/Berlin"},
			{"name": "door-2", "wifi": "all.toml", "timezone": "UTC"},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
