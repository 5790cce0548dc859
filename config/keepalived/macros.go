package keepalived

import (
	"strconv"
	"strings"
)

// line takes a line whose comment is gone: a condition, a definition, a sequence, or text with macros.
func (l *liner) line(text string, at Place, depth int) {
	text, ok := l.onThisHost(strings.TrimSpace(text))
	if !ok || text == "" || l.full {
		return
	}
	if depth > maxNesting {
		l.stop(at, "macros stand in one another deeper than %d", maxNesting)
		return
	}
	switch {
	case defines(text):
		name, value, _ := strings.Cut(text[1:], "=")
		l.macros[name] = strings.TrimPrefix(strings.TrimSpace(value), "\n")
		l.defined = append(l.defined, definition{at: at, name: name})
	case strings.HasPrefix(text, "~SEQ") || strings.HasPrefix(text, "~LST"):
		l.sequence(text, at, depth)
	default:
		l.expand(text, at, depth)
	}
}

// defines reports whether a line is $NAME=VALUE.
func defines(text string) bool {
	if !strings.HasPrefix(text, "$") {
		return false
	}
	name, _, ok := strings.Cut(text[1:], "=")
	return ok && isMacro(name)
}

func isMacro(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// expand puts the values of macros in, from the left, each time from the start of what was put in. A value
// of several lines makes several lines, which may have conditions and definitions of their own.
func (l *liner) expand(text string, at Place, depth int) {
	for from := 0; ; {
		start, end, name := macro(text, from)
		if name == "" {
			break
		}
		if l.steps += 1 + len(text)/64; l.steps > maxSteps || len(text) > maxText {
			l.stop(at, "macros come to too much text")
			return
		}
		value, ok := l.value(name, at)
		if !ok {
			from = end // as keepalived leaves it
			continue
		}
		text, from = text[:start]+value+text[end:], start
		if strings.Contains(value, "\n") {
			for one := range strings.SplitSeq(text, "\n") {
				l.line(one, at, depth+1)
			}
			return
		}
	}
	if rest, ok := l.onThisHost(strings.TrimSpace(text)); !ok || rest == "" {
		return
	} else if rest != text && (defines(rest) || strings.HasPrefix(rest, "~")) {
		l.line(rest, at, depth+1)
		return
	} else {
		text = rest
	}
	if len(l.out) >= maxLines {
		l.stop(at, "more than %d lines", maxLines)
		return
	}
	l.out = append(l.out, line{at, text})
}

// macro finds the next $NAME with space behind it, or ${NAME}.
func macro(text string, from int) (start, end int, name string) {
	for i := from; i < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		rest := text[i+1:]
		if inner, ok := strings.CutPrefix(rest, "{"); ok {
			n := strings.IndexByte(inner, '}')
			if n < 0 {
				continue
			}
			first, _, _ := strings.Cut(inner[:n], " ")
			if isMacro(first) {
				return i, i + n + 3, inner[:n]
			}
			continue
		}
		n := strings.IndexAny(rest, " \t\n")
		if n < 0 {
			n = len(rest)
		}
		if isMacro(rest[:n]) {
			return i, i + 1 + n, rest[:n]
		}
	}
	return 0, 0, ""
}

// value returns what stands for a macro.
func (l *liner) value(name string, at Place) (string, bool) {
	first, rest, _ := strings.Cut(name, " ")
	switch first {
	case "_INSTANCE":
		if l.node == "" {
			l.notes.Dropped(at, "${_INSTANCE}", "keepalived puts the host's name there, which no `--node` says")
			return "", false
		}
		return l.node, true
	case "_HASH":
		return "#", true
	case "_BANG":
		return "!", true
	case "_RANDOM":
		low, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if low == "" {
			low = "0"
		}
		l.notes.Differs(at, "${_RANDOM}", "one file for all directors has one number: %s stands there, the least", low)
		return low, true
	case "_ENV":
		l.notes.Dropped(at, "${_ENV}", "no environment is read; put the value of %s in", strings.TrimSpace(rest))
		return "", false
	}
	v, ok := l.macros[first]
	if ok {
		l.used(first)
	}
	return v, ok
}

// definition is a line that defines a macro.
type definition struct {
	at   Place
	name string
	used bool
}

// used notes that a macro is used, as it was defined last.
func (l *liner) used(name string) {
	for i := len(l.defined) - 1; i >= 0; i-- {
		if d := &l.defined[i]; d.name == name {
			d.used = true
			return
		}
	}
}

// tellMacros tells what became of each definition, once all is read. What one host does not use another may.
func (l *liner) tellMacros() {
	for _, d := range l.defined {
		switch keyword := "$" + d.name; {
		case d.used:
			l.notes.Instead(Carried, d.at, keyword, "its value stands where it is used")
		case !l.notes.Told(d.at, keyword):
			l.notes.Carried(d.at, keyword, "nothing: no line uses it, which is $%s with a space behind it, or ${%[1]s}", d.name)
		}
	}
}

// sequence takes ~SEQ(VARIABLE, ...) LINE and ~LST(VARIABLE, ...) LINE: the line again for each value.
func (l *liner) sequence(text string, at Place, depth int) {
	open, end := strings.IndexByte(text, '('), strings.IndexByte(text, ')')
	if open < 0 || end < open {
		l.notes.Dropped(at, text[:4], "it has no list in parentheses")
		return
	}
	kind, list, rest := text[:open], l.inline(text[open+1:end]), strings.TrimSpace(text[end+1:])
	var names []string
	var values [][]string
	ok := false
	switch kind {
	case "~SEQ", "~SEQx":
		names, values, ok = counted(list, kind == "~SEQx")
	case "~LST":
		names, values, ok = tuples(list)
	}
	if !ok {
		l.notes.Dropped(at, kind, "(%s) is not a list that can be gone through", list)
		return
	}
	l.notes.Carried(at, kind, "each of what it makes is there by itself")
	for _, tuple := range values {
		if l.steps++; l.steps > maxSteps {
			l.stop(at, "sequences come to too many lines")
			return
		}
		for i, name := range names {
			l.macros[name] = tuple[i]
		}
		l.line(rest, at, depth+1)
	}
}

// inline puts values of one line in.
func (l *liner) inline(text string) string {
	for range maxNesting {
		start, end, name := macro(text, 0)
		value, ok := l.macros[name]
		if name == "" || !ok || len(text) > maxText {
			return text
		}
		l.used(name)
		text = text[:start] + value + text[end:]
	}
	return text
}

// counted reads the list of ~SEQ: a variable, then END, or START and END, or START, STEP and END.
func counted(list string, hex bool) (names []string, values [][]string, ok bool) {
	parts := strings.Split(list, ",")
	var n []int
	for _, p := range parts[1:] {
		i, err := strconv.ParseInt(strings.TrimSpace(p), 0, 32)
		if err != nil {
			return nil, nil, false
		}
		n = append(n, int(i))
	}
	name := strings.TrimSpace(parts[0])
	if len(n) < 1 || len(n) > 3 || !isMacro(name) {
		return nil, nil, false
	}
	end := n[len(n)-1]
	start, step := 1, 1
	if len(n) == 1 && end < 0 {
		start = -1
	}
	if len(n) > 1 {
		start = n[0]
	}
	if end < start {
		step = -1
	}
	if len(n) == 3 {
		step = n[1]
	}
	if step == 0 || (end-start)/step > maxLines {
		return nil, nil, false
	}
	for i := start; step > 0 && i <= end || step < 0 && i >= end; i += step {
		base := 10
		if hex {
			base = 16
		}
		values = append(values, []string{strconv.FormatInt(int64(i), base)})
	}
	return []string{name}, values, true
}

// tuples reads the list of ~LST: a variable and values, or {VARIABLE,VARIABLE} and as many values each.
func tuples(list string) (names []string, values [][]string, ok bool) {
	var all [][]string
	for list = strings.TrimSpace(list); list != ""; {
		var part string
		if inner, braced := strings.CutPrefix(list, "{"); braced {
			word, rest, closed := strings.Cut(inner, "}")
			if !closed {
				return nil, nil, false
			}
			part, list = word, strings.TrimPrefix(strings.TrimSpace(rest), ",")
		} else {
			part, list, _ = strings.Cut(list, ",")
			part = strings.ReplaceAll(part, ",", "")
		}
		var words []string
		for word := range strings.SplitSeq(part, ",") {
			words = append(words, strings.TrimSpace(word))
		}
		all = append(all, words)
		list = strings.TrimSpace(list)
	}
	if len(all) < 2 {
		return nil, nil, false
	}
	for _, tuple := range all {
		if len(tuple) != len(all[0]) {
			return nil, nil, false
		}
	}
	for _, name := range all[0] {
		if !isMacro(name) {
			return nil, nil, false
		}
	}
	return all[0], all[1:], true
}
