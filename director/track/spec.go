package track

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"time"
)

// Kind says what a track watches.
type Kind string

// The kinds of tracks.
const (
	Interface Kind = "interface" // passes while it is up and has carrier
	Script    Kind = "script"    // passes when it exits with 0
	File      Kind = "file"      // has the integer that the file begins with as its value; passes while that is 0
	Process   Kind = "process"   // passes while as many processes run as are wanted; their number is its value
)

// Spec says what is watched, and how. The zero value of an optional field stands for its default.
type Spec struct {
	Name string // unique among the tracks
	Kind Kind

	Interface string // Interface: its name in the kernel

	Command []string      // Script: the program by its absolute path, and its arguments; no shell
	User    string        // Script: who runs it; default: quorate-check, or nobody
	Timeout time.Duration // Script: for one run, then it is killed; default: the interval

	Path         string // File: absolute
	Missing      int    // File: its value while it is missing, empty or no number
	MissingFails bool   // File: then it has no value, but is a fault in every use

	Process     string // Process: the name of the program, or its command line with single spaces between the arguments
	CommandLine bool   // Process: it is the command line
	AtLeast     int    // Process: how many are wanted; default: 1
	AtMost      int    // Process: default: no limit

	// Interval is the time from look to look; default: 1s, of a file 200ms. Interfaces and processes
	// are looked at as soon as the kernel tells of a change too.
	Interval time.Duration

	// Rise and Fall are results in a row that make a failing track pass and a passing one fail;
	// default: 1. The first result of all decides at once.
	Rise, Fall int

	// UpDelay and DownDelay are how long it must then stay so; default: 0.
	UpDelay, DownDelay time.Duration
}

const (
	minInterval = 10 * time.Millisecond
	maxInterval = 24 * time.Hour
)

// Validate says all that is wrong with the track.
func (s Spec) Validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(s.Name == "", "name: empty")
	switch s.Kind {
	case Interface:
		wrong(s.Interface == "" || len(s.Interface) > 15, "interface: %q is not the name of one", s.Interface)
	case Script:
		wrong(len(s.Command) == 0, "command: empty")
		wrong(len(s.Command) > 0 && !path.IsAbs(s.Command[0]), "command: path is not absolute")
	case File:
		wrong(!path.IsAbs(s.Path), "path: %q is not absolute", s.Path)
	case Process:
		wrong(s.Process == "", "process: empty")
		wrong(len(s.Process) >= maxLine, "process: %d bytes, at most %d can be told apart", len(s.Process), maxLine-1)
		wrong(s.AtLeast < 0 || s.AtMost < 0, "processes: a negative number is wanted")
		wrong(s.AtMost > 0 && s.AtMost < s.AtLeast, "processes: at least %d and at most %d are wanted", s.AtLeast, s.AtMost)
	default:
		wrong(true, "kind: %q is unknown", s.Kind)
	}
	for _, d := range []struct {
		name string
		is   time.Duration
		min  time.Duration
	}{
		{"interval", s.Interval, minInterval}, {"timeout", s.Timeout, minInterval},
		{"up_delay", s.UpDelay, 0}, {"down_delay", s.DownDelay, 0},
	} {
		wrong(d.is != 0 && (d.is < d.min || d.is > maxInterval), "%s: %v is not between %v and %v", d.name, d.is, d.min, maxInterval)
	}
	wrong(s.Rise < 0 || s.Fall < 0, "rise, fall: negative")
	return errors.Join(errs...)
}

// withDefaults fills what the spec leaves open.
func (s Spec) withDefaults() Spec {
	if s.Interval == 0 {
		s.Interval = time.Second
		if s.Kind == File {
			s.Interval = 200 * time.Millisecond
		}
	}
	if s.Timeout == 0 {
		s.Timeout = s.Interval
	}
	if s.AtLeast == 0 && s.AtMost == 0 {
		s.AtLeast = 1
	}
	s.Rise, s.Fall = max(s.Rise, 1), max(s.Fall, 1)
	return s
}

// watches reports whether two tracks watch the same, so that what is known by one holds for the other.
func (s Spec) watches(other Spec) bool {
	for _, p := range []*Spec{&s, &other} {
		p.Interval, p.Timeout, p.Rise, p.Fall, p.UpDelay, p.DownDelay = 0, 0, 0, 0, 0, 0
	}
	return reflect.DeepEqual(s, other)
}

func same(a, b Spec) bool { return reflect.DeepEqual(a, b) }
