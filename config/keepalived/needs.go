package keepalived

import (
	"slices"
	"strconv"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
	"github.com/quorate/quorate/fsm"
)

// needs makes what an instance or a group goes by, and who follows it. For a group there is no instance.
func (m *model) needs(name string, uses []use, hooks []hook, i *instance) fsm.Needs {
	var n fsm.Needs
	for _, u := range uses {
		if one, ok := m.use(u, name, i); ok {
			m.serves[u.Place] = true
			same := func(o fsm.Use) bool { return o.Track == one.Track && o.Require == one.Require }
			if !slices.ContainsFunc(n.Uses, same) {
				n.Uses = append(n.Uses, one)
			}
		}
	}
	kind, priority := "INSTANCE", 0
	if i == nil {
		kind = "GROUP"
	} else {
		if priority = i.told; priority == 0 {
			priority = i.rank()
		}
	}
	for _, one := range hooks {
		n.Hooks = append(n.Hooks, m.hooks(n.Hooks, one, kind, name, priority)...)
	}
	return n
}

var useWords = map[fsm.TrackKind]string{
	fsm.TrackInterface: "track_interface", fsm.TrackScript: "track_script", fsm.TrackFile: "track_file", fsm.TrackProcess: "track_process",
}

// use makes a requirement or a preference of an instance, or of the group of a name.
func (m *model) use(u use, name string, i *instance) (fsm.Use, bool) {
	h := m.host
	block := inGroup
	if i != nil {
		block = inVRRP
	}
	keyword := in(block, useWords[u.kind])
	weight, reverse := h.effective(u)
	t := h.track(u.kind, u.name)
	if u.kind == fsm.TrackInterface {
		if i != nil && i.rests(u) {
			h.notes.Carried(u.Place, keyword, "an owner always has a link on the interfaces of its routers")
			return fsm.Use{}, false
		}
		t = &track{Place: u.Place, Track: fsm.Track{Name: h.link(u.name), Kind: u.kind, Interface: h.link(u.name)}}
		if d, ok := h.delays[u.name]; ok {
			t.DownDelay, t.UpDelay = d.down, d.up
		}
	}
	if i != nil && !m.within(u, i, keyword, &weight) || !m.weighed(u, name, i, keyword, &weight) {
		return fsm.Use{}, false
	}
	return fsm.Use{Track: m.track(t), Require: weight == 0, Score: weight, Reverse: reverse}, true
}

// track puts a track into the model where it is first used, and returns its name there.
func (m *model) track(t *track) string {
	key := trackKey{t.Kind, t.Name}
	if name, ok := m.tracks[key]; ok {
		return name
	}
	name := imported.Unique(m.config.Tracks, t.Name)
	m.tracks[key] = name
	m.called(t.Place, t.word, t.Name, name)
	one := t.Track
	one.Name = name
	switch t.Kind {
	case fsm.TrackScript:
		var shell bool
		one.Command, shell = command(t.script)
		one.User = m.user(t.User, t.Place, "vrrp_script user")
		if shell {
			m.host.notes.Differs(t.Place, "vrrp_script script", "a shell runs it: it is no absolute path, or has more in it than words")
		}
	case fsm.TrackProcess:
		if !t.exact {
			m.process(t, &one)
		}
	}
	m.config.Tracks[name] = one
	m.put(config.KindTrack, name, t.Place)
	return name
}

// process makes a track know a process by its name. keepalived compares what is written with the name that the kernel has,
// or with the first word of the command line.
func (m *model) process(t *track, one *fsm.Track) {
	path := t.CommandLine[0]
	one.Process, one.CommandLine = base(path), nil
	const keyword = "vrrp_track_process process"
	switch {
	case t.full:
		m.host.notes.Instead(Differs, t.at, keyword, "`process = %q`: keepalived wants %s first on the command line, with whatever behind it", one.Process, path)
	case one.Process != path:
		m.host.notes.Instead(Differs, t.at, keyword, "`process = %q`: keepalived looks for a program that is called all of that, path and all, and finds none", one.Process)
	}
}

// base is the last part of a path.
func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// user is who runs a program.
func (m *model) user(own string, at Place, keyword string) string {
	switch {
	case own != "":
		return own
	case m.host.scriptUser != "":
		return m.host.scriptUser
	}
	m.host.notes.Differs(at, keyword, "`user = \"root\"`: keepalived runs it as keepalived_script where there is such a user, else as root")
	return "root"
}

// stateWords are keepalived's words for quorate's states.
var stateWords = map[string]string{"owner": "MASTER", "standby": "BACKUP", "fault": "FAULT", "stop": "STOP"}

var states = []string{"owner", "standby", "fault", "stop"}

// hooks makes a hook, or of notify one for each state.
func (m *model) hooks(known []fsm.Hook, one hook, kind, name string, priority int) []fsm.Hook {
	argv, shell := command(one.script)
	block := inVRRP
	if kind == "GROUP" {
		block = inGroup
	}
	if len(argv) == 0 {
		m.host.notes.Dropped(one.Place, in(block, one.word), "it names no program")
		return nil
	}
	if shell {
		m.host.notes.Differs(one.Place, in(block, one.word), "a shell runs it: it is no absolute path, or has more in it than words")
	}
	user := m.user(one.user, one.Place, in(block, one.word))
	taken := make(map[string]bool)
	for _, h := range known {
		taken[h.Name] = true
	}
	if one.on != "" {
		return []fsm.Hook{{Name: imported.Unique(taken, "on-"+one.on), On: []string{one.on}, Command: argv, User: user}}
	}
	var all []fsm.Hook
	for _, state := range states {
		words := append(slices.Clone(argv), kind, name, stateWords[state], strconv.Itoa(priority))
		if shell { // the words are not the shell's
			words[2] += ` "$@"`
			words = slices.Insert(words, 3, argv[0])
		}
		all = append(all, fsm.Hook{Name: imported.Unique(taken, "notify-"+state), On: []string{state}, Command: words, User: user})
	}
	return all
}

// unused tells of tracks that nobody uses.
func (m *model) unused() {
	words := map[fsm.TrackKind]string{fsm.TrackScript: "vrrp_script", fsm.TrackFile: "track_file", fsm.TrackProcess: "vrrp_track_process"}
	for _, t := range m.host.tracks {
		if _, ok := m.tracks[trackKey{t.Kind, t.Name}]; !ok {
			why := "nobody tracks %s, and keepalived does not look at it"
			if m.host.uses(t) {
				why = "nothing that tracks %s is carried over"
			}
			m.host.notes.Dropped(t.Place, words[t.Kind], why, t.Name)
		}
	}
	for name, d := range m.host.delays {
		if _, ok := m.tracks[trackKey{fsm.TrackInterface, m.host.link(name)}]; !ok {
			m.host.notes.Dropped(d.Place, "interface_up_down_delays", "nobody tracks %s: the links of a router's own interfaces count at once", name)
		}
	}
}
