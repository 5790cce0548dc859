package config

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/quorate/quorate/fsm"
)

// Validate returns everything that is wrong with a configuration that did not come from a file, but from a program, for
// example. Its problems have paths instead of lines. [ParseCluster] makes the same checks. Defaults are not filled in:
// see [WithDefaults].
func Validate(c fsm.Config) Problems {
	var all Problems
	for _, f := range validate(c) {
		if f.see != "" {
			f.Hint = strings.TrimPrefix(f.Hint+"; the other is "+told(f.see), "; ")
		}
		all = append(all, f.Problem)
	}
	return sortProblems(all, 0)
}

// validator collects what is wrong with a model.
type validator struct {
	findings  []finding
	suggested int // how many names were compared so far to make hints
}

// maxCompared bounds the time that hints take.
const maxCompared = 1_000_000

// suggest returns a hint for a name that is not among names.
func (v *validator) suggest(name string, names []string) string {
	if v.suggested += len(names); v.suggested > maxCompared {
		return ""
	}
	return hintOf("one of", name, names)
}

func validate(c fsm.Config) []finding {
	v := new(validator)
	v.routers(c)
	v.syncGroups(c)
	v.tracks(c)
	v.services(c)
	v.doubts(c)
	return v.findings
}

// object is a part of the model: its path, and what people call it.
type object struct {
	*validator
	path, what string
}

// thing is a router, sync group, track or service of the model, in the field of that name.
func (v *validator) thing(field, kind, name string) object {
	return object{v, fmt.Sprintf("%s[%q]", field, name), fmt.Sprintf("%s %q", kind, name)}
}

// part is an element of a list in an object.
func (o object) part(field string, i int, what string) object {
	return object{o.validator, fmt.Sprintf("%s.%s[%d]", o.path, field, i), o.what + ", " + what}
}

// wrong adds an error about one field.
func (o object) wrong(field, hint, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if o.what != "" {
		text = o.what + ": " + text
	}
	o.findings = append(o.findings, finding{sort: format, Problem: Problem{Path: o.path + field, Text: text, Hint: hint}})
}

// clash adds an error about one field that contradicts another place.
func (o object) clash(field, other, hint, format string, args ...any) {
	o.wrong(field, hint, format, args...)
	o.findings[len(o.findings)-1].see = other
}

// lacks adds a warning that something is missing in the rest of the model.
func (o object) lacks(field, hint, format string, args ...any) {
	o.doubt(field, hint, format, args...)
	o.findings[len(o.findings)-1].elsewhere = true
}

// missing adds an error about a reference to something that is not in the model.
func (o object) missing(field, hint, format string, args ...any) {
	o.wrong(field, hint, format, args...)
	o.findings[len(o.findings)-1].elsewhere = true
}

// doubt adds a warning.
func (o object) doubt(field, hint, format string, args ...any) {
	o.wrong(field, hint, format, args...)
	o.findings[len(o.findings)-1].Warning = true
}

func sorted[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

const nameHint = "letters, digits, dots, dashes and underscores, a letter or digit first, 64 at most"

// named checks the name of a router, sync group or service.
func (o object) named(key, name string) {
	if key != name {
		o.wrong(".name", "", "is called %q inside", name)
	}
	if !validName(key) {
		o.wrong("", nameHint, "the name %q is not usable", key)
	}
}

// validName reports whether a name fits into command lines, metrics and paths as it is.
func validName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// validAccount reports whether a user or a group of the system may be called so.
func validAccount(s string) bool { return validName(strings.TrimPrefix(s, "_")) && len(s) <= 32 }

// only checks that none but the keys of its kind have a value.
func (o object) only(all []attr, keys []string) {
	for _, a := range all {
		if !a.plain && !slices.Contains(keys, a.name) {
			o.wrong("."+a.name, "known here: "+strings.Join(keys, ", "), "%s means nothing to it", a.name)
		}
	}
}

// within checks a number.
func (o object) within(field string, n int64, s span) {
	if n < s.min || n > s.max {
		o.wrong("."+field, "", "%s is %d; it must be %d to %d", field, n, s.min, s.max)
	}
}

// lasts checks a duration.
func (o object) lasts(field string, d time.Duration, p period) {
	switch {
	case d < p.min || d > p.max:
		o.wrong("."+field, "", "%s is %s; it must be %s to %s", field, formatDuration(d), formatDuration(p.min), formatDuration(p.max))
	case d%p.step != 0:
		o.wrong("."+field, fmt.Sprintf("write %q", formatDuration(d.Round(p.step))), "%s is %s; it goes in steps of %s", field, formatDuration(d), formatDuration(p.step))
	}
}

// among checks a word.
func (o object) among(field, word string, known []string) {
	if !slices.Contains(known, word) {
		o.wrong("."+field, hintValue(word, known), "%s %q is not known", field, word)
	}
}

// writable checks that a text comes back unchanged from a cluster file that it is printed in.
func (o object) writable(field, s string) bool {
	switch {
	case !utf8.ValidString(s):
		o.wrong(field, "", "%s is not UTF-8", strings.TrimPrefix(field, "."))
	case strings.ContainsRune(s, 0):
		o.wrong(field, "", "%s has a zero byte in it", strings.TrimPrefix(field, "."))
	case !norm.NFC.IsNormalString(s):
		o.wrong(field, "a cluster file cannot hold the decomposed form", "%s is not in Unicode normal form C", strings.TrimPrefix(field, "."))
	default:
		return true
	}
	return false
}

// iface checks the name of an interface, logical or the kernel's.
func (o object) iface(field, what, name string) {
	if text, hint := checkInterface(name); text != "" {
		o.wrong(field, hint, "%s %s", what, text)
	}
}

// checkInterface says what makes an interface name one that no Linux interface can have.
func checkInterface(name string) (text, hint string) {
	bad := strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/:"%`, r) })
	switch {
	case name == "":
		return "is missing", `a logical name that each agent file maps, or the kernel's name, as in "eth0"`
	case len(name) > 15:
		return fmt.Sprintf("%q is too long", name), "15 characters at most"
	case bad >= 0 || name == "." || name == "..":
		return fmt.Sprintf("%q is not an interface name", name), "no spaces, slashes, colons, quotes or percent signs"
	}
	return "", ""
}
