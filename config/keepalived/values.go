package keepalived

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// wrong tells that a value cannot be used.
func (h *host) wrong(block string, s *Statement, format string, args ...any) {
	h.tell(Dropped, block, s, format, args...)
}

// word reads the first word, which has to be there.
func (h *host) word(block string, s *Statement) string {
	if s.Arg(0) == "" {
		h.wrong(block, s, "it says nothing")
	}
	return s.Arg(0)
}

// number reads the first word as a number in a range.
func (h *host) number(block string, s *Statement, low, high int) (int, bool) {
	n, err := strconv.Atoi(s.Arg(0))
	if err != nil || n < low || n > high {
		h.wrong(block, s, "%q is not a number from %d to %d", s.Arg(0), low, high)
		return 0, false
	}
	return n, true
}

// seconds reads the first word as a time.
func (h *host) seconds(block string, s *Statement) (time.Duration, bool) {
	d, ok := seconds(s.Arg(0))
	if !ok {
		h.wrong(block, s, "%q is not a number of seconds", s.Arg(0))
	}
	return d, ok
}

// seconds reads decimal seconds.
func seconds(s string) (time.Duration, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 366*24*3600 {
		return 0, false
	}
	return time.Duration(math.Round(f*1e3)) * time.Millisecond, true
}

// flag reads a boolean, which is true if nothing is said.
func (h *host) flag(block string, s *Statement) bool {
	switch strings.ToLower(s.Arg(0)) {
	case "", "on", "true", "yes":
		return true
	case "off", "false", "no":
		return false
	}
	h.wrong(block, s, "%q is neither on nor off", s.Arg(0))
	return false
}

// words returns all words of a block or behind a keyword.
func words(s *Statement) []string {
	s.entered = true
	all := append([]string(nil), s.Args...)
	for _, one := range s.Block {
		all = append(append(all, one.Word), one.Args...)
	}
	return all
}

// lines returns the lines of a block as words, with their places.
func lines(s *Statement) []*Statement {
	s.entered = true
	if len(s.Args) > 0 && !s.Open {
		return []*Statement{{Place: s.Place, Word: s.Args[0], Args: s.Args[1:]}}
	}
	return s.Block
}

// prefix reads an address with or without a length.
func prefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, p.Addr().Zone() == ""
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// address reads an address.
func address(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

// shellWords are what makes a text more than words for a shell.
const shellWords = "|&;<>()$`*?[]{}~\n"

// command turns a script as keepalived has it into a program with its arguments. One word is split at
// spaces, with single quotes around what belongs together. Shell reports that it takes one.
func command(script []string) (argv []string, shell bool) {
	if len(script) == 0 || strings.TrimSpace(script[0]) == "" {
		return nil, false
	}
	argv = script
	if len(script) == 1 {
		argv = apart(script[0])
	}
	if strings.HasPrefix(argv[0], "/") && !strings.ContainsAny(argv[0], shellWords) {
		return argv, false
	}
	text := strings.Join(script, " ")
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), "<"); ok && strings.HasPrefix(strings.TrimSpace(rest), "/dev/tcp/") {
		return []string{"/bin/bash", "-c", text}, true // only bash has that
	}
	return []string{"/bin/sh", "-c", text}, true
}

// apart splits a text at spaces; single and double quotes join.
func apart(text string) []string {
	var all []string
	var word strings.Builder
	quote, begun := byte(0), false
	for i := range len(text) {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}
