package cluster

import (
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// repeatAfter is how long a warning of a library is not said again.
const repeatAfter = 10 * time.Second

// quiet is a logger for Raft and memberlist: what they tell of their daily life shows only when
// debugging, and what they warn of again and again is said once in a while.
type quiet struct {
	hclog.Logger
	said *said
}

type said struct {
	mu sync.Mutex
	at map[string]time.Time
}

// maxSaid bounds what is remembered; beyond it all is forgotten, and said once more.
const maxSaid = 256

func quieten(l hclog.Logger) hclog.Logger {
	return quiet{l, &said{at: map[string]time.Time{}}}
}

// news reports whether a message was not said lately.
func (s *said) news(msg string, args []any) bool {
	key := msg + fmt.Sprint(args[:min(2, len(args))]...)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.at[key]; ok && now.Sub(at) < repeatAfter {
		return false
	}
	if len(s.at) >= maxSaid {
		clear(s.at)
	}
	s.at[key] = now
	return true
}

func (q quiet) Trace(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Trace(msg, args...)
	}
}

func (q quiet) Debug(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Debug(msg, args...)
	}
}

func (q quiet) Info(msg string, args ...any) {
	if q.IsDebug() {
		q.Logger.Info(msg, args...)
	}
}

func (q quiet) Warn(msg string, args ...any) {
	if q.IsDebug() || q.said.news(msg, args) {
		q.Logger.Warn(msg, args...)
	}
}

func (q quiet) Error(msg string, args ...any) {
	if q.IsDebug() || q.said.news(msg, args) {
		q.Logger.Error(msg, args...)
	}
}

func (q quiet) With(args ...any) hclog.Logger { return quiet{q.Logger.With(args...), q.said} }

func (q quiet) Named(name string) hclog.Logger { return quiet{q.Logger.Named(name), q.said} }

// lines makes a standard logger of a quiet one, for memberlist: its lines begin with their level.
func lines(l hclog.Logger, s *strangers) *log.Logger { return log.New(lineWriter{l, s}, "", 0) }

// address is one that is only known as text.
type address string

// Network implements [net.Addr].
func (address) Network() string { return "" }

// String implements [net.Addr].
func (a address) String() string { return string(a) }

type lineWriter struct {
	log       hclog.Logger
	strangers *strangers
}

func (w lineWriter) Write(b []byte) (int, error) {
	text := strings.TrimSpace(string(b))
	level, rest, _ := strings.Cut(text, " ")
	switch level {
	case "[ERR]", "[ERROR]", "[WARN]": // what gossip cannot do is never an error of ours
		// It says so of what has come in, too, with where it came from: whoever sends nonsense could fill the log.
		if _, from, ok := strings.Cut(rest, " from="); ok && !w.strangers.garbled(address(from)) {
			break
		}
		w.log.Warn(rest)
	default:
		w.log.Debug(text)
	}
	return len(b), nil
}
