package keepalived

import (
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// thing is a block at the top level of a cluster file.
type thing struct {
	kind config.Kind
	name string
}

// model is what one host says, as a cluster file would, without what speaks for one director.
type model struct {
	host   *host
	all    facts
	config fsm.Config
	order  []thing // of the file
	places map[thing]Place
	ranks  map[string]rank      // by group
	peers  map[string]*instance // whose unicast_peer it is, by router

	shared  map[*instance][]share // its addresses, by interface
	routers map[string][]string   // of an instance
	grouped map[string]string     // the sync group of an instance
	weighs  map[string]bool       // sync groups whose members keep their weights
	tracks  map[trackKey]string
	homes   map[home]bool  // virtual addresses
	serves  map[Place]bool // lines of lists of which something comes
	origins []origin
	why     map[Place]string // what there is to say of something if nothing of it is in the cluster file
	rule    uint32
}

// rank is what a host says of its own place in a group.
type rank struct {
	Place
	priority int
	state    string
	stays    bool // nopreempt
	hold     time.Duration
}

type trackKey struct {
	kind fsm.TrackKind
	name string
}

func (m *model) put(kind config.Kind, name string, at Place) {
	t := thing{kind, name}
	m.order = append(m.order, t)
	m.places[t] = at
}

// called tells that something has another name in the cluster file.
func (m *model) called(at Place, keyword, was, is string) {
	if is != was {
		m.host.notes.Instead(Differs, at, keyword, "it is called %s: a name is of letters, digits, `.`, `-` and `_`, is not too long, and no other's", is)
	}
}

// modelOf turns what a host's files say into a model.
func modelOf(h *host, all facts) *model {
	m := &model{
		host: h, all: all, places: make(map[thing]Place), ranks: make(map[string]rank), peers: make(map[string]*instance),
		shared: make(map[*instance][]share), routers: make(map[string][]string), grouped: make(map[string]string), weighs: make(map[string]bool),
		tracks: make(map[trackKey]string), homes: make(map[home]bool), serves: make(map[Place]bool), why: make(map[Place]string), rule: 16384,
		config: fsm.Config{
			Routers: make(map[string]fsm.Router), SyncGroups: make(map[string]fsm.SyncGroup),
			Tracks: make(map[string]fsm.Track),
		},
	}
	m.members()
	for _, i := range h.instances { // of all, before one asks which others are complete
		m.shared[i] = m.shares(i)
	}
	for _, i := range h.instances {
		m.instance(i)
	}
	for _, g := range h.groups {
		m.group(g)
	}
	m.lonely()
	m.unused()
	m.services()
	return m
}

// members finds out which instance is in which sync group.
func (m *model) members() {
	for _, g := range m.host.groups {
		for _, name := range g.members {
			if other, ok := m.grouped[name]; ok {
				m.host.notes.Dropped(g.Place, "vrrp_sync_group group", "%s is in %s already", name, other)
				continue
			}
			m.grouped[name] = g.name
		}
		m.weighs[g.name] = g.weights
	}
}
