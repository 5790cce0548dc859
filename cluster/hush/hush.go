// Package hush keeps a log from being filled by what is said again and again.
//
// It promises that of one message about one thing no more than one is let through in [Again], and that what is remembered
// for that is bounded. It keeps no message back that is another, unless it is told how many may come in that time.
package hush

import (
	"fmt"
	"log"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Again is how long a message is not said once more.
const Again = 10 * time.Second

// maxSaid bounds what is remembered; beyond it all is forgotten, and said once more.
const maxSaid = 256

// Said is what was said lately. The zero value has said nothing.
type Said struct {
	// Most is how many messages are let through in [Again], whatever they are about: for what strangers can make up,
	// as the addresses that packets come from. 0 is any number.
	Most int

	mu sync.Mutex
	at map[string]time.Time
}

// News reports whether a message about something was not said lately.
func (s *Said) News(msg string, about ...any) bool {
	key := msg + fmt.Sprint(about...)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.at[key]; ok && now.Sub(at) < Again {
		return false
	}
	if s.Most > 0 && len(s.at) >= s.Most {
		maps.DeleteFunc(s.at, func(_ string, at time.Time) bool { return now.Sub(at) >= Again })
		if len(s.at) >= s.Most {
			return false
		}
	}
	if s.at == nil || len(s.at) >= maxSaid {
		s.at = map[string]time.Time{}
	}
	s.at[key] = now
	return true
}

// quiet is a logger for libraries.
type quiet struct {
	hclog.Logger
	said *Said
}

// Logger returns a logger for a library: what it tells of its daily life shows only when debugging, and what it warns of
// again and again is said once in a while. What a message is about is its first value.
func Logger(l hclog.Logger) hclog.Logger { return quiet{l, &Said{}} }

func (q quiet) news(msg string, args []any) bool {
	return q.IsDebug() || q.said.News(msg, args[:min(2, len(args))]...)
}

// Trace implements [hclog.Logger].
func (q quiet) Trace(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Trace(msg, args...)
	}
}

// Debug implements [hclog.Logger].
func (q quiet) Debug(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Debug(msg, args...)
	}
}

// Info implements [hclog.Logger].
func (q quiet) Info(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Info(msg, args...)
	}
}

// Warn implements [hclog.Logger].
func (q quiet) Warn(msg string, args ...any) {
	if q.news(msg, args) {
		q.Logger.Warn(msg, args...)
	}
}

// Error implements [hclog.Logger].
func (q quiet) Error(msg string, args ...any) {
	if q.news(msg, args) {
		q.Logger.Error(msg, args...)
	}
}

// With implements [hclog.Logger].
func (q quiet) With(args ...any) hclog.Logger { return quiet{q.Logger.With(args...), q.said} }

// Named implements [hclog.Logger].
func (q quiet) Named(name string) hclog.Logger { return quiet{q.Logger.Named(name), q.said} }

// Lines returns a standard logger for a library whose lines begin with their level, as memberlist's do. It says so of
// what has come in, too, with where it came from: whoever sends nonsense could fill the log. So news is asked whether
// a line is to be said that is about an address.
func Lines(l hclog.Logger, news func(from string) bool) *log.Logger {
	return log.New(lineWriter{l, news}, "", 0)
}

type lineWriter struct {
	log  hclog.Logger
	news func(from string) bool
}

// Write implements [io.Writer].
func (w lineWriter) Write(b []byte) (int, error) {
	text := strings.TrimSpace(string(b))
	level, rest, _ := strings.Cut(text, " ")
	switch level {
	case "[ERR]", "[ERROR]", "[WARN]": // what a library cannot do is never an error of ours
		if _, from, ok := strings.Cut(rest, " from="); ok && !w.news(from) {
			break
		}
		w.log.Warn(rest)
	default:
		w.log.Debug(text)
	}
	return len(b), nil
}
