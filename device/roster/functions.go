package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/device/durable"
)

// Function badges are in a file of their own: a version that does not know them refuses a whole badge map
// for a line without an employee. A line that is not readable is left out, and its badge is one that
// nobody knows until it is made a function badge again.
func functionsPath(roster string) string { return filepath.Join(filepath.Dir(roster), "functions.csv") }

// functionColumns are those of the file, the last one with the line's CRC-32C.
var functionColumns = []string{"uid", "function", checksumName}

// FunctionBadge is a badge that chooses what the next tap means. It belongs to nobody and never books.
type FunctionBadge struct {
	UID      device.UID
	Function device.Function
}

// readFunctions reads the file; lost is how many of its lines are not what was written. An error says that it is
// there, and cannot be read.
func readFunctions(path string) (functions map[device.UID]device.Function, lost int, err error) {
	functions = map[device.UID]device.Function{}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return functions, 0, nil
	case err != nil:
		return functions, 0, err
	}
	rows, noTable := readTable(content)
	if noTable != nil || len(rows) == 0 || !slices.Equal(rows[0].fields, functionColumns) {
		return functions, 1, nil //nolint:nilerr // it is said
	}
	for _, row := range rows[1:] {
		if !matches(row.fields, len(functionColumns)-1) {
			lost++
			continue
		}
		uid, err := device.ParseUID(row.fields[0])
		f, unknown := device.ParseFunction(row.fields[1])
		if err != nil || unknown != nil {
			lost++
			continue
		}
		functions[uid] = f
	}
	return functions, lost, nil
}

func encodeFunctions(functions map[device.UID]device.Function) []byte {
	var buf bytes.Buffer
	out := csv.NewWriter(&buf)
	out.Write(functionColumns)
	for _, b := range listFunctions(functions) {
		fields := []string{b.UID.Hex(), string(b.Function)}
		out.Write(append(fields, checksum(slices.Clone(fields))))
	}
	out.Flush()
	return buf.Bytes()
}

func listFunctions(functions map[device.UID]device.Function) []FunctionBadge {
	list := make([]FunctionBadge, 0, len(functions))
	for uid, f := range functions {
		list = append(list, FunctionBadge{uid, f})
	}
	slices.SortFunc(list, func(a, b FunctionBadge) int { return a.UID.Compare(b.UID) })
	return list
}

// Functions lists the function badges.
func (r *Roster) Functions() []FunctionBadge { return listFunctions(*r.functions.Load()) }

// Function returns what a function badge chooses.
func (r *Roster) Function(uid device.UID) (device.Function, bool) {
	f, is := (*r.functions.Load())[uid]
	return f, is
}

// SetFunction makes a badge a function badge, or takes that back if the function is empty. Somebody's badge
// is refused.
func (r *Roster) SetFunction(uid device.UID, f device.Function) error {
	if err := uid.Check(); err != nil {
		return err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if b, known := r.all()[uid]; known && f != "" {
		return &device.Refusal{
			Cause: fmt.Sprintf("badge %s belongs to %s (%s): a function badge is nobody's", uid.Hex(),
				b.Employee.Name, b.Employee.ID),
			Remedy: device.RemoveFirst,
		}
	}
	next, err := r.functionsOnDisk()
	if err != nil {
		return fmt.Errorf("function badge not changed: %w", err)
	}
	if _, is := next[uid]; !is && f == "" {
		return &device.Refusal{
			Cause: fmt.Sprintf("badge %s is no function badge", uid.Hex()), Remedy: device.SeeFunctions,
		}
	}
	if next[uid] = f; f == "" {
		delete(next, uid)
	}
	if err := durable.WriteFile(functionsPath(r.path), encodeFunctions(next)); err != nil {
		return fmt.Errorf("function badge not changed: %w", err)
	}
	r.functions.Store(&next)
	return nil
}

// functionsOnDisk reads the file anew before it is replaced: it may not have been readable at the start. One that is
// damaged is set aside.
func (r *Roster) functionsOnDisk() (map[device.UID]device.Function, error) {
	path := functionsPath(r.path)
	functions, lost, err := readFunctions(path)
	if err == nil && lost > 0 {
		err = os.Rename(path, path+damagedSuffix+time.Now().UTC().Format("20060102T150405.000000Z"))
	}
	return functions, err
}

// NotFunction refuses a function badge where one that belongs to somebody is wanted; nil: it is none.
func (r *Roster) NotFunction(uid device.UID) error {
	f, is := r.Function(uid)
	if !is {
		return nil
	}
	return &device.Refusal{
		Cause:  fmt.Sprintf("badge %s is a function badge (%s) and belongs to nobody", uid.Hex(), f),
		Remedy: device.NoFunctionFirst,
	}
}
