package keepalived

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/config/imported"
)

// Files is how the importer reads: what to read belongs to its caller.
type Files struct {
	Read func(path string) ([]byte, error)
	Glob func(pattern string) ([]string, error) // as [filepath.Glob]
	Abs  func(path string) (string, error)      // as [filepath.Abs], for ${_PWD}
}

// The words of a report are those of all importers.
type (
	Place = imported.Place
	Note  = imported.Note
	Fate  = imported.Fate
	notes = imported.Notes
)

// The fates.
const (
	Carried = imported.Carried
	Differs = imported.Differs
	Dropped = imported.Dropped
)

// line is a line as it counts: without comments, on this host, with macros put in.
type line struct {
	Place
	text string
}

// Bounds of what a small file can become by includes, macros and sequences.
const (
	maxLines   = 2_000_000
	maxText    = 1 << 16 // of one line
	maxNesting = 32
	maxFiles   = 10_000
	maxSize    = 64 << 20  // of all files together, each time that one is read
	maxSteps   = 5_000_000 // of macros and sequences, longer texts counting for more
)

// liner reads the lines of a file and of all that it includes.
type liner struct {
	files Files
	node  string
	notes *notes

	macros  map[string]string
	defined []definition // of macros, in the order in which they are read
	nodes   []string     // those that lines are for
	out     []line
	read    int // files
	size    int // of them
	steps   int
	full    bool // a bound was reached and told
}

// file reads a file at a depth of includes.
func (l *liner) file(path string, depth int) error {
	src, err := l.files.Read(path)
	if err != nil {
		return err
	}
	l.read++
	if l.size += len(src); l.size > maxSize {
		l.stop(Place{File: path, Line: 1}, "the files have more than %d MiB", maxSize>>20)
		return nil
	}
	l.here(path)
	all := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	for i := 0; i < len(all) && !l.full; i++ {
		at := Place{File: path, Line: i + 1}
		text := l.bare(all[i], at)
		if pattern, keyword, ok := included(text); ok {
			l.include(path, pattern, keyword, at, depth)
			l.here(path)
			continue
		}
		if rest, ok := l.onThisHost(text); ok && defines(rest) {
			for strings.HasSuffix(text, `\`) && i+1 < len(all) {
				i++
				text = strings.TrimSuffix(text, `\`) + "\n" + l.bare(all[i], at)
			}
		}
		l.line(text, at, 0)
	}
	return nil
}

// here sets the macro of the directory that a file is in.
func (l *liner) here(path string) {
	dir := filepath.Dir(path)
	if abs, err := l.files.Abs(dir); err == nil {
		dir = abs
	}
	l.macros["_PWD"] = dir
}

// bare returns a line without its comment and the space around it.
func (l *liner) bare(text string, at Place) string {
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' || c == '!':
			return strings.TrimSpace(text[:i])
		}
	}
	if quote != 0 {
		l.notes.Dropped(at, "quotes", "a quotation that has no end in its line; it is taken to end there")
	}
	return strings.TrimSpace(text)
}

// included reports whether a line is an include, and of what.
func included(text string) (pattern, keyword string, ok bool) {
	keyword, rest, _ := strings.Cut(text, " ")
	if tab := strings.IndexByte(keyword, '\t'); tab >= 0 {
		keyword, rest = text[:tab], text[tab+1:]
	}
	kind, ok := strings.CutPrefix(keyword, "include")
	if !ok || kind != "" && !strings.Contains(" r m w b a ", " "+kind+" ") {
		return "", "", false
	}
	return strings.Trim(strings.TrimSpace(rest), `"'`), keyword, true
}

// include reads the files that a pattern names, relative to the file that includes them.
func (l *liner) include(from, pattern, keyword string, at Place, depth int) {
	if depth >= maxNesting {
		l.notes.Dropped(at, keyword, "files include one another deeper than %d", maxNesting)
		return
	}
	found, lost := 0, 0
	for _, one := range braces(pattern, 0) {
		if !filepath.IsAbs(one) {
			one = filepath.Join(filepath.Dir(from), one)
		}
		paths, err := l.files.Glob(one)
		if err != nil {
			l.notes.Dropped(at, keyword, "%s is no pattern of file names", one)
			lost++
			continue
		}
		for _, path := range paths {
			if l.read >= maxFiles {
				l.stop(at, "more than %d files", maxFiles)
				return
			}
			if err := l.file(path, depth+1); err != nil {
				l.notes.Dropped(at, keyword, "nothing of it is in the cluster file: %v", err)
				lost++
				continue
			}
			found++
		}
	}
	switch {
	case found+lost == 0:
		l.notes.Dropped(at, keyword, "there is no file %s; keepalived goes on without it too", pattern)
	case found == 0:
	case lost > 0:
		l.notes.Differs(at, keyword, "what could be read is in the one cluster file")
	default:
		l.notes.Carried(at, keyword, "what is included is in the one cluster file")
	}
}

// braces expands {a,b} in a pattern, as a shell does.
func braces(pattern string, depth int) []string {
	open := strings.IndexByte(pattern, '{')
	if open < 0 || depth > 4 {
		return []string{pattern}
	}
	end := strings.IndexByte(pattern[open:], '}')
	if end < 0 {
		return []string{pattern}
	}
	var all []string
	for word := range strings.SplitSeq(pattern[open+1:open+end], ",") {
		all = append(all, braces(pattern[:open]+word+pattern[open+end+1:], depth+1)...)
	}
	return all
}

// onThisHost returns what a line says on this host: @ID is for the host of that name, @^ID for all others.
func (l *liner) onThisHost(text string) (string, bool) {
	for strings.HasPrefix(text, "@") {
		word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
		id, not := strings.CutPrefix(word[1:], "^")
		if id == "" {
			return text, true
		}
		l.seen(id)
		if (id == l.node) == not {
			return "", false
		}
		text = strings.TrimSpace(rest)
	}
	return text, true
}

// seen keeps the names of hosts in the order in which lines are for them.
func (l *liner) seen(id string) {
	if slices.Contains(l.nodes, id) {
		return
	}
	if len(l.nodes) < 64 {
		l.nodes = append(l.nodes, id)
	}
}

// stop tells that a bound was reached, once.
func (l *liner) stop(at Place, format string, args ...any) {
	if !l.full {
		l.notes.Dropped(at, "file", "what follows was not read: "+format, args...)
	}
	l.full = true
}
