package config

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// trackKinds are the kinds of track, as a person writes them.
var trackKinds = []string{"interface", "script", "file", "process"}

// trackKeys names, for each kind of track, the keys that mean something to it.
var trackKeys = map[fsm.TrackKind][]string{
	fsm.TrackInterface: {"interface", "up_delay", "down_delay"},
	fsm.TrackScript:    {"command", "user", "interval", "timeout", "rise", "fall"},
	fsm.TrackFile:      {"path", "missing", "missing_fails", "interval", "rise", "fall"},
	fsm.TrackProcess:   {"process", "command_line", "at_least", "at_most", "interval", "up_delay", "down_delay"},
}

// allTrackKeys are the keys of all kinds, in the order in which they are printed.
var allTrackKeys = []string{
	"interface", "command", "user", "path", "missing", "missing_fails", "process", "command_line", "at_least", "at_most",
	"interval", "timeout", "rise", "fall", "up_delay", "down_delay",
}

var (
	missingSpan   = span{-1_000_000, 1_000_000}
	processesSpan = span{1, 1_000_000}

	trackPeriod = period{10 * time.Millisecond, 24 * time.Hour, time.Millisecond}
	delayPeriod = period{0, 24 * time.Hour, time.Millisecond}
)

// The defaults of a track, which are stored as zero.
const (
	defaultTrackInterval = time.Second
	defaultFileInterval  = 200 * time.Millisecond
	defaultTrackCount    = 1 // of results in a row, and of processes
)

// trackInterval is a kind's default.
func trackInterval(kind fsm.TrackKind) time.Duration {
	if kind == fsm.TrackFile {
		return defaultFileInterval
	}
	return defaultTrackInterval
}

// track reads a track block.
func (n *node) track(name string, b *hcl.Block) fsm.Track {
	kind := fsm.TrackKind(b.Labels[0])
	if keys, ok := trackKeys[kind]; ok {
		n.only(keys)
	} else {
		n.report(n.child("kind"), b.LabelRanges[0].Start, hintValue(b.Labels[0], trackKinds), "%s: unknown kind of track %q", n.what, kind)
	}
	switch kind {
	case fsm.TrackInterface:
		n.require("interface", `"wan"`)
	case fsm.TrackScript:
		n.require("command", `["/usr/local/bin/check", "ARGUMENT"]`)
	case fsm.TrackFile:
		n.require("path", `"/run/quorate/weight"`)
	case fsm.TrackProcess:
		if !n.has("command_line") {
			n.require("process", `"haproxy"`)
		}
	}
	t := fsm.Track{
		Name: name, Kind: kind,
		Interface:    n.text("interface", ""),
		Command:      n.texts("command"),
		User:         n.text("user", ""),
		Timeout:      n.lasting("timeout"),
		Path:         n.text("path", ""),
		Missing:      int(n.integer("missing", 0, missingSpan)),
		MissingFails: n.boolean("missing_fails", false),
		Process:      n.text("process", ""),
		CommandLine:  n.texts("command_line"),
		AtLeast:      int(n.integer("at_least", 0, processesSpan)),
		AtMost:       int(n.integer("at_most", 0, processesSpan)),
		Interval:     n.lasting("interval"),
		Rise:         int(n.integer("rise", 0, countSpan)),
		Fall:         int(n.integer("fall", 0, countSpan)),
		UpDelay:      n.duration("up_delay", 0),
		DownDelay:    n.duration("down_delay", 0),
	}
	n.filled("command_line", fmt.Sprintf("write it as in /proc/PID/cmdline, as in command_line = [%q, %q]", "/usr/sbin/haproxy", "-Ws"))
	return canonicalTrack(t)
}
