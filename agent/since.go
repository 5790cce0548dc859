package agent

import (
	"crypto/rand"
	"maps"
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

// given is what this director gave to others, until nobody has asked for givenLife: all the connections of an owner are
// hundreds of megabytes where there are a million.
type given struct {
	mu   sync.Mutex
	to   map[string]*gift     // by director
	last map[string]time.Time // by director: of when what it was given is
}

// sent notes that a director has been given the connections of a time.
func (g *given) sent(to string, of time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		g.last = map[string]time.Time{}
	}
	if of.After(g.last[to]) {
		g.last[to] = of
	}
}

// since reports whether a director was given the connections of a time, or of a later one.
func (g *given) since(to string, t time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.last[to].Before(t)
}

// gift is what one director was given. Who takes several groups asks for all by several marks at once, and goes on with
// any of these; most connections are given for each of them, and stand here once.
type gift struct {
	marks [8]string           // those it asked by last
	next  int                 // of these, the one whose place the next new one takes
	conns map[ipvs.Conn]uint8 // without the time until they expire; a bit for each mark
	at    time.Time
	ends  *time.Timer
}

// fresh returns those of the connections that were not given to a director for a mark yet, or in another state.
func (g *given) fresh(to, id string, conns []ipvs.Conn) []ipvs.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.to[to]
	if x == nil {
		if g.to == nil {
			g.to = map[string]*gift{}
		}
		x = &gift{conns: make(map[ipvs.Conn]uint8, len(conns))}
		x.ends = time.AfterFunc(givenLife, func() { g.forget(to, x) })
		g.to[to] = x
	}
	x.at = time.Now()
	x.ends.Reset(givenLife)
	bit := x.bit(id)
	return slices.DeleteFunc(conns, func(c ipvs.Conn) bool {
		c.Expires = 0
		marks := x.conns[c]
		x.conns[c] = marks | bit
		return marks&bit != 0
	})
}

// forget drops a gift that nobody has asked for since its time has ended.
func (g *given) forget(to string, x *gift) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.to[to] == x && time.Since(x.at) >= givenLife {
		delete(g.to, to)
	}
}

// bit is that of a mark. A new one takes the place of the oldest, and what was given for none but that is forgotten.
func (x *gift) bit(id string) uint8 {
	if i := slices.Index(x.marks[:], id); i >= 0 {
		return 1 << i
	}
	i := x.next
	x.next = (i + 1) % len(x.marks)
	if x.marks[i] != "" {
		maps.DeleteFunc(x.conns, func(c ipvs.Conn, marks uint8) bool {
			x.conns[c] = marks &^ (1 << i)
			return x.conns[c] == 0
		})
	}
	x.marks[i] = id
	return 1 << i
}
