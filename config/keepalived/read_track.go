package keepalived

import (
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/fsm"
)

// track is a script, file, process or interface that is watched, with the weight that it has where no other
// is said.
type track struct {
	Place
	fsm.Track

	weight  int
	reverse bool
	script  []string // as it is written
	word    string   // of the block
	at      Place    // of what says which process
	full    bool     // full_command: a process is known by the first word of its command line
	exact   bool     // a process is known by all of its command line
	absent  bool     // quorum_max 0: it is well if no process runs
}

// defaultWeights are those of kinds that have one.
var defaultWeights = map[fsm.TrackKind]int{fsm.TrackFile: 1}

func readTrack(kind fsm.TrackKind) func(*host, *host, *Statement) {
	return func(h *host, _ *host, s *Statement) {
		t := &track{Place: s.Place, word: s.Word, Track: fsm.Track{Name: s.Arg(0), Kind: kind}, weight: defaultWeights[kind]}
		table := map[fsm.TrackKind]map[string]*keyword[track]{
			fsm.TrackScript: h.tables.script, fsm.TrackFile: h.tables.file, fsm.TrackProcess: h.tables.process,
		}[kind]
		walk(h, s, table, t)
		switch {
		case t.Name == "":
			h.wrong("", s, "it has no name")
		case h.track(kind, t.Name) != nil:
			h.wrong("", s, "there is one called %s already", t.Name)
		case !t.complete():
			h.wrong("", s, "%s says nothing that could be watched", t.Name)
		default:
			h.tracks = append(h.tracks, t)
			h.tracked[trackKey{kind, t.Name}] = t
		}
	}
}

func (t *track) complete() bool {
	return len(t.script) > 0 || t.Path != "" || t.Process != "" || len(t.CommandLine) > 0
}

// track returns a track by the name that the file gives it.
func (h *host) track(kind fsm.TrackKind, name string) *track {
	return h.tracked[trackKey{kind, name}]
}

// weigh reads a weight, with reverse behind it or not.
func (h *host) weigh(block string, s *Statement, args []string, most int) (weight int, reverse, ok bool) {
	if len(args) == 0 {
		h.wrong(block, s, "it has no number")
		return 0, false, false
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < -254 || n > 254 {
		h.wrong(block, s, "%q is not a weight", args[0])
		return 0, false, false
	}
	if n < -253 || n > 253 {
		n = max(-253, min(253, n))
		if most > 253 {
			h.tell(Differs, block, s, "`score` %d: it goes to 253", n)
		}
	}
	return n, slices.Contains(args[1:], "reverse"), true
}

func trackWeight(block string) func(h *host, t *track, s *Statement) {
	return func(h *host, t *track, s *Statement) {
		if n, reverse, ok := h.weigh(block, s, s.Args, 253); ok {
			t.weight, t.reverse = n, reverse
		}
	}
}

const weightText = "`score` of `prefer` where it is used without a weight of its own; 0 is `require`"

func scriptKeywords() []keyword[track] {
	const block = "vrrp_script"
	return []keyword[track]{
		{"script", Carried, "`command`", func(_ *host, t *track, s *Statement) { t.script = s.Args }},
		{"interval", Carried, "`interval`", func(h *host, t *track, s *Statement) { t.Interval = h.lasting(block, s) }},
		{"timeout", Carried, "`timeout`", func(h *host, t *track, s *Statement) { t.Timeout = h.lasting(block, s) }},
		{"weight", Carried, weightText, trackWeight(block)},
		{"rise", Carried, "`rise`", func(h *host, t *track, s *Statement) { t.Rise, _ = h.number(block, s, 1, 100) }},
		{"fall", Carried, "`fall`", func(h *host, t *track, s *Statement) { t.Fall, _ = h.number(block, s, 1, 100) }},
		{"user", Carried, "`user`", func(h *host, t *track, s *Statement) {
			t.User = s.Arg(0)
			if len(s.Args) > 1 {
				h.tell(Differs, block, s, noGroup, s.Arg(1))
			}
		}},
		{"init_fail", Differs, "a director that has no result yet is not ready, and gains nothing", nil},
	}
}

// noGroup is said of the group that a program is to have.
const noGroup = "`user`; the group %s is not said, it is the user's own"

// lasting reads a time that cannot be zero.
func (h *host) lasting(block string, s *Statement) time.Duration {
	d, ok := h.seconds(block, s)
	if ok && (d < 10*time.Millisecond || d > 24*time.Hour) {
		h.wrong(block, s, "%s seconds: it must be 10 ms to 24 h", s.Arg(0))
		return 0
	}
	return d
}

func fileKeywords() []keyword[track] {
	const block = "track_file"
	return []keyword[track]{
		{"file", Carried, "`path`", func(_ *host, t *track, s *Statement) { t.Path = s.Arg(0) }},
		{"weight", Carried, weightText, trackWeight(block)},
		{"init_file", Differs, "`missing`: the number while there is no file; the file is not made", func(h *host, t *track, s *Statement) {
			if n, err := strconv.Atoi(s.Arg(0)); err == nil && n >= -1_000_000 && n <= 1_000_000 {
				t.Missing = n
			}
		}},
	}
}

func processKeywords() []keyword[track] {
	const block = "vrrp_track_process"
	return []keyword[track]{
		{"process", Carried, "`process`, or with parameters `command_line`", func(h *host, t *track, s *Statement) {
			if len(t.CommandLine) > 0 {
				h.wrong(block, s, "keepalived takes the first")
				return
			}
			t.CommandLine, t.at = s.Args, s.Place
			t.exact = t.exact || len(s.Args) > 1
		}},
		{"full_command", Carried, "nothing more than what is said of `process`", func(_ *host, t *track, _ *Statement) { t.full = true }},
		{"param_match", Dropped, "a whole command line is compared, or the program's name alone", func(h *host, t *track, s *Statement) {
			t.exact = true
			if len(s.Args) == 0 {
				h.tell(Carried, block, s, "`command_line`")
			}
		}},
		{"weight", Carried, weightText, trackWeight(block)},
		{"quorum", Carried, "`at_least`", func(h *host, t *track, s *Statement) { t.AtLeast, _ = h.number(block, s, 1, 1_000_000) }},
		{"quorum_max", Carried, "`at_most`", func(h *host, t *track, s *Statement) {
			t.AtMost, _ = h.number(block, s, 0, 1_000_000)
			if t.absent = s.Arg(0) == "0"; t.absent {
				h.tell(Carried, block, s, "`reverse` where it is used: it is well if none runs")
			}
		}},
		{"delay", Carried, "`up_delay` and `down_delay`", func(h *host, t *track, s *Statement) {
			t.UpDelay, _ = h.seconds(block, s)
			t.DownDelay = t.UpDelay
		}},
		{"fork_delay", Carried, "`up_delay`", func(h *host, t *track, s *Statement) { t.UpDelay, _ = h.seconds(block, s) }},
		{"terminate_delay", Carried, "`down_delay`", func(h *host, t *track, s *Statement) { t.DownDelay, _ = h.seconds(block, s) }},
	}
}

// use is a track that an instance or a group goes by.
type use struct {
	Place
	kind    fsm.TrackKind
	name    string
	weight  *int
	reverse *bool
}

// readUses reads a track_script block and the like. As keepalived does, it looks for what is tracked among what is above.
func readUses(h *host, uses *[]use, kind fsm.TrackKind, block string, s *Statement) {
	for _, l := range lines(s) {
		u := use{Place: l.Place, kind: kind, name: l.Word}
		if kind != fsm.TrackInterface && h.track(kind, u.name) == nil {
			h.notes.Dropped(l.Place, in(block, s.Word), "no %s %s is defined before it, and keepalived ignores it", kind, u.name)
			continue
		}
		if _, twice := tracks(*uses, u); twice {
			h.notes.Dropped(l.Place, in(block, s.Word), "%s is tracked already, and keepalived takes the first", u.name)
			continue
		}
		for i := 0; i < len(l.Args); i++ {
			switch l.Args[i] {
			case "weight":
				i++
				most := 253
				if kind == fsm.TrackFile || kind == fsm.TrackProcess {
					most = 254
				}
				if n, _, ok := h.weigh(in(block, s.Word), l, l.Args[min(i, len(l.Args)):], most); ok {
					u.weight = &n
				}
			case "reverse", "noreverse":
				reverse := l.Args[i] == "reverse"
				u.reverse = &reverse
			default:
				h.notes.Dropped(l.Place, in(block, s.Word), "%s: %q is not known there", l.Word, l.Args[i])
			}
		}
		*uses = append(*uses, u)
	}
}

// hook is a program that is told of a state.
type hook struct {
	Place
	word   string // keepalived's
	on     string // quorate's word; "" for all, with keepalived's four words behind
	script []string
	user   string
}

// readHook reads notify_master and the like.
func readHook(h *host, hooks *[]hook, on, block string, s *Statement) {
	if s.Arg(0) == "" {
		h.wrong(block, s, "it names no program")
		return
	}
	if slices.ContainsFunc(*hooks, func(o hook) bool { return o.on == on }) {
		h.wrong(block, s, "keepalived takes the first")
		return
	}
	if group := s.Arg(2); group != "" {
		h.notes.Differs(s.Place, in(block, s.Word), noGroup, group)
	}
	one := hook{Place: s.Place, word: s.Word, on: on, script: s.Args[:1], user: s.Arg(1)}
	*hooks = append(*hooks, one)
}
