package roster

import "strings"

// Mend yields the lines of a badge list that an import has refused, behind its header: each with why
// it was, in a column of its own, which an import takes no notice of.
func Mend(file []byte, r Report, why string, say func(reason string) string, f func(fields []string) error) error {
	reasons := map[int]string{}
	for _, l := range r.Lines {
		if l.Reason != "" {
			reasons[l.Number] = say(l.Reason)
		}
	}
	header, width := true, 0
	return eachRow(file, func(r row) error {
		if header {
			header, width = false, len(r.fields)
			return f(append(r.fields, why))
		}
		reason, refused := reasons[r.number]
		if !refused {
			return nil
		}
		fields := make([]string, width, width+1)
		copy(fields, r.fields)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		return f(append(fields, reason))
	})
}
