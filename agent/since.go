package agent

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/director/ipvs"
)

// A successor asks for an owner's connections once before a move, whole, and twice right after its claim, when those who
// wait for the new ones are counting seconds. So that these two cost what is new and not what there is, the one who asks
// names what it has by a mark of its own choice, and the one who is asked remembers what it gave for that.

// marks are those under which this director has connections of others.
type marks struct {
	mu sync.Mutex
	of map[string]mark // by director
}

type mark struct {
	id string
	at time.Time
}

// markLife is for how long a mark is used. Who gave something for it remembers it for longer.
const (
	markLife  = 10 * time.Second
	givenLife = 3 * markLife
)

// ask returns the mark to ask a director by: a new one if all is wanted, or if there is none.
func (m *marks) ask(from string, whole bool, now time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last, ok := m.of[from]; ok && !whole && now.Sub(last.at) < markLife {
		return last.id
	}
	return rand.Text()
}

// have notes that what was given for a mark is here; with an error it is not known what is.
func (m *marks) have(from, id string, err error, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		delete(m.of, from)
		return
	}
	if m.of == nil {
		m.of = map[string]mark{}
	}
	m.of[from] = mark{id, now}
}

// given is what this director gave to others.
type given struct {
	mu sync.Mutex
	by map[string]*gift // by the mark of who asked
}

type gift struct {
	conns map[ipvs.Conn]struct{} // without the time until they expire
	at    time.Time
}

// fresh returns those of the connections that were not given for a mark yet, or in another state.
func (g *given) fresh(id string, conns []ipvs.Conn, now time.Time) []ipvs.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	for old, x := range g.by {
		if now.Sub(x.at) > givenLife {
			delete(g.by, old)
		}
	}
	if g.by == nil {
		g.by = map[string]*gift{}
	}
	x := g.by[id]
	if x == nil {
		x = &gift{conns: make(map[ipvs.Conn]struct{}, len(conns))}
		g.by[id] = x
	}
	x.at = now
	return slices.DeleteFunc(conns, func(c ipvs.Conn) bool {
		c.Expires = 0
		_, known := x.conns[c]
		x.conns[c] = struct{}{}
		return known
	})
}
