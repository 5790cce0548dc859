package sim

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// kept is how many lines of a trace are kept for who looks at a failure.
const kept = 400

// trace is what happened in a world. All of it is in the hash, so that two runs of one seed can be compared;
// the last lines are kept to be read.
type trace struct {
	hash  uint64
	lines []line // a ring
	count int
	out   io.Writer // of all lines; nil for none
}

type line struct {
	at        time.Duration
	who, what string
	subject   string
	why       string
}

func (l line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%10.4f  %-8s %s", l.at.Seconds(), l.who, l.what)
	for _, s := range []string{l.subject, l.why} {
		if s != "" {
			fmt.Fprintf(&b, " %s", s)
		}
	}
	return b.String()
}

const prime = 1099511628211 // FNV-1a's

func (t *trace) mix(v uint64) { t.hash = (t.hash ^ v) * prime }

func (t *trace) mixText(s string) {
	for i := range len(s) {
		t.mix(uint64(s[i]))
	}
	t.mix(0xff)
}

// add takes a line.
func (t *trace) add(l line) {
	t.mix(uint64(l.at))
	t.mixText(l.who)
	t.mixText(l.what)
	t.mixText(l.subject)
	t.mixText(l.why)
	if t.lines == nil {
		t.lines = make([]line, kept)
	}
	t.lines[t.count%kept] = l
	t.count++
	if t.out != nil {
		fmt.Fprintln(t.out, l)
	}
}

// tail returns the last lines.
func (t *trace) tail() string {
	var b strings.Builder
	for i := max(0, t.count-kept); i < t.count; i++ {
		fmt.Fprintln(&b, t.lines[i%kept])
	}
	return b.String()
}

// say adds a line to the world's trace.
func (w *world) say(who, what, subject, why string) {
	w.trace.add(line{at: w.now, who: who, what: what, subject: subject, why: why})
}
