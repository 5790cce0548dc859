package cluster

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
)

// A member's clock is read off its answers on the cluster port, whatever was asked: each says what time it is there, to the
// second. Two that cannot prove themselves to each other have no answer, and why they cannot is mostly a clock.

// A reading counts for clockLife, which is a few times as long as two agents are silent to each other. The answer to a question that
// has taken longer than clockTrip is none: nobody knows when on its way it was given.
const (
	clockLife = 35 * time.Second
	clockTrip = 10 * time.Second
)

// clocks are the readings of the other members' clocks, by their names.
type clocks struct {
	mu sync.Mutex
	by map[string]reading
}

// reading is how a member's clock stands against this host's, and when that was read; and why it cannot be asked, if it cannot be
// for what is wrong with its certificate or the own one.
type reading struct {
	ahead    time.Duration
	at       time.Time // zero: never
	unproved string
	failed   time.Time
}

// clocked notes of each call to a member what its answer says of the clock there.
type clocked struct {
	*http.Transport
	name  string
	notes *clocks
}

// RoundTrip implements [http.RoundTripper].
func (c clocked) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := c.Transport.RoundTrip(r)
	now := time.Now()
	if err != nil {
		if why := port.Unproved(err); why != "" || r.Context().Err() == nil { // who has given up says nothing of the other side
			c.notes.fail(c.name, why, now)
		}
	} else if there, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.notes.read(c.name, there, asked, now)
	}
	return resp, err
}

// read notes that a member's clock said there, in whole seconds, between asked and now.
func (c *clocks) read(name string, there, asked, now time.Time) {
	trip := now.Sub(asked)
	if trip > clockTrip {
		return
	}
	c.note(name, func(r *reading) {
		r.ahead, r.at, r.unproved = there.Add(time.Second/2).Sub(now.Add(-trip/2)), now, ""
	})
}

// fail notes that a member could not be asked, and why, if that is for a certificate: what its clock said before is no matter then.
func (c *clocks) fail(name, why string, now time.Time) {
	c.note(name, func(r *reading) {
		if r.unproved, r.failed = why, now; why != "" {
			r.ahead, r.at = 0, time.Time{}
		}
	})
}

func (c *clocks) note(name string, what func(*reading)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]reading{}
	}
	r := c.by[name]
	what(&r)
	c.by[name] = r
}

// lately returns the readings that count at now.
func (c *clocks) lately(now time.Time) map[string]reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.by, func(_ string, r reading) bool { return now.Sub(r.at) > clockLife && now.Sub(r.failed) > clockLife })
	out := maps.Clone(c.by)
	for name, r := range out {
		if now.Sub(r.at) > clockLife {
			r.ahead, r.at = 0, time.Time{}
		}
		if now.Sub(r.failed) > clockLife {
			r.unproved = ""
		}
		out[name] = r
	}
	return out
}

// ClockOff is a clock that differs from another by more than it may.
type ClockOff struct {
	Name string // of the member whose clock is wrong, as far as can be told; of the other one, if it may be either
	Text string // that says so
}

// Clocks is what a node knows of the other members' clocks, as far as it was answered lately.
type Clocks struct {
	// Self is the node, of so many members.
	Self    string
	Members int
	// Ahead is by how much they are ahead of this host's, of those that have answered.
	Ahead map[string]time.Duration
	// Unproved is why a member cannot be asked though it is there, where it is for its certificate or this director's.
	Unproved map[string]string
}

// Clocks returns how the other members' clocks stand.
func (n *Node) Clocks() Clocks {
	now, members := time.Now(), n.State().Members
	c := Clocks{n.id.Name, len(members), map[string]time.Duration{}, map[string]string{}}
	for name, r := range n.clocks.lately(now) {
		if _, member := members[name]; !member {
			continue
		}
		if !r.at.IsZero() {
			c.Ahead[name] = r.ahead.Round(time.Second)
		}
		if r.unproved != "" {
			c.Unproved[name] = r.unproved
		}
	}
	return c
}

// Off returns which members' clocks are off by more than [pki.ClockTolerance]. It is the own one where most others differ from it
// and not from each other. By one reading, or by those of less than half of the members, it is not told which of two is wrong.
func (c Clocks) Off() (off []ClockOff) {
	self, ahead := c.Self, c.Ahead
	few := len(ahead) < 2 || 2*len(ahead) < c.Members
	var names []string
	least, most := time.Duration(0), time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(ahead)) {
		d := ahead[name]
		if d.Abs() <= pki.ClockTolerance {
			continue
		}
		if names == nil {
			least, most = d, d
		}
		names, least, most = append(names, name), min(least, d), max(most, d)
	}
	if !few && len(names) > 1 && 2*len(names) > len(ahead) && most-least <= pki.ClockTolerance {
		return []ClockOff{{self, clockText(self, strings.Join(names, ", "), -ahead[names[0]])}}
	}
	for _, name := range names {
		text := clockText(name, self, ahead[name])
		if few {
			text = differText(name, self, ahead[name])
		}
		off = append(off, ClockOff{name, text})
	}
	return off
}

func clockText(name, others string, ahead time.Duration) string {
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return fmt.Sprintf("the clock of %s is %v %s that of %s: certificates and tokens depend on it, so set it right", name, ahead.Abs(), way, others)
}

func differText(name, self string, ahead time.Duration) string {
	first := name
	if ahead < 0 {
		first = self
	}
	return fmt.Sprintf("the clocks of %s and %s differ by %v, that of %s is ahead: certificates and tokens depend on them, so set the wrong one right", self, name, ahead.Abs(), first)
}
