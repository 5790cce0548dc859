package program

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxLine = 120 // bytes of a program's own words in ours

// Printable returns s on one line, with single spaces and nothing that a terminal would act on, cut
// to limit bytes at most.
func Printable(s string, limit int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(s) <= limit {
		return s
	}
	return strings.TrimSpace(s[:cut(s, limit-len("…"))]) + "…"
}

// cut returns the greatest index, at most limit, at which s can be cut without cutting a rune.
func cut(s string, limit int) int {
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return limit
}

// firstLine returns the first line that is not blank.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = Printable(line, maxLine); line != "" {
			return line
		}
	}
	return ""
}
