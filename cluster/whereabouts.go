package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// Where a member is, the log says; and the log changes only where a leader is found. So each that asks for the cluster's epoch says
// where it is, and hears where others were heard: who has moved is found by who was found by it. That ends by itself: who finds no
// leader repeats it.

const heardFor = time.Minute

// whereabouts are where members were heard of, by ID, other than the log says.
type whereabouts struct {
	mu sync.Mutex
	by map[string]heard
}

// heard is where a member is by its own word, or by another's. It counts for a while, as long as the log says what it said then.
type heard struct {
	at, instead netip.AddrPort
	itself      bool
	until       time.Time
}

// hear notes where a member is, and reports whether that is news.
func (w *whereabouts) hear(m fsm.Member, at netip.AddrPort, itself bool) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !at.IsValid() || at.Addr().IsUnspecified():
		return false
	case at == m.Address:
		_, news = w.by[m.ID]
		delete(w.by, m.ID)
	default:
		news = w.by[m.ID].at != at
		if w.by == nil {
			w.by = map[string]heard{}
		}
		w.by[m.ID] = heard{at, m.Address, itself, time.Now().Add(heardFor)}
	}
	return news
}

// forget drops what was heard of those who are no members.
func (w *whereabouts) forget(s *fsm.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.by, func(id string, _ heard) bool {
		_, member := memberByID(s, id)
		return !member
	})
}

// of returns where a member is to be reached.
func (w *whereabouts) of(m fsm.Member) netip.AddrPort {
	at, _ := w.look(m)
	return at
}

// look returns where a member is to be reached, and whether the log says so, or the member itself did.
func (w *whereabouts) look(m fsm.Member) (at netip.AddrPort, sure bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h, ok := w.by[m.ID]; ok && h.instead == m.Address && time.Now().Before(h.until) {
		return h.at, h.itself
	}
	return m.Address, true
}

// reach dials a member where it is to be reached and, if nobody is there, where the log says that it is: it may have moved back.
func (n *Node) reach(ctx context.Context, m fsm.Member, dial func(context.Context, netip.AddrPort) (net.Conn, error)) (net.Conn, error) {
	at := n.heard.of(m)
	if at == m.Address {
		return dial(ctx, at)
	}
	limit := port.DialLimit
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end))
	}
	half, cancel := context.WithTimeout(ctx, limit/2) // the rest is for the other place
	defer cancel()
	conn, err := dial(half, at)
	var nobody *port.DialError
	if errors.As(err, &nobody) {
		return dial(ctx, m.Address)
	}
	return conn, err
}

// whereAre returns where other members are: those of whom it is another place than the log says, or all. What others have said of them
// is not passed on: it would go round for ever.
func (n *Node) whereAre(s *fsm.State, logged bool) map[string]netip.AddrPort {
	out := map[string]netip.AddrPort{}
	for _, m := range s.Members {
		if at, sure := n.heard.look(m); sure && (logged || at != m.Address) && m.ID != n.id.ID {
			out[m.ID] = at
		}
	}
	return out
}

// hearAnswer notes what a member has said of itself and of others, and reports whether it was news where it is.
func (n *Node) hearAnswer(m fsm.Member, a epochAnswer) (news bool) {
	news = n.heard.hear(m, a.From, true)
	for id, at := range a.Known {
		if o, ok := memberByID(n.State(), id); ok && o.ID != n.id.ID && o.ID != m.ID && n.heard.of(o) == o.Address {
			n.heard.hear(o, at, false)
		}
	}
	return news
}

// askContact asks for members at the address that the agent file names: whoever is there.
func (n *Node) askContact(ctx context.Context, m fsm.Member, from netip.AddrPort) {
	if !n.cfg.Contact.IsValid() || n.cfg.Contact == n.cfg.Bind || n.heard.of(m) == n.cfg.Contact {
		return
	}
	if a, err := n.tellEpochAt(ctx, m, n.cfg.Contact, from); err == nil {
		n.heed(a.Recovery, m.Name)
		if n.hearAnswer(m, a) {
			n.log.Info("another member was found at the address that the agent file names", "member", m.Name, "address", n.cfg.Contact)
		}
	}
}

// Astray says what to do where this member has another address than the cluster knows and finds no leader, or is empty.
func (n *Node) Astray() string {
	m, ok := n.State().Members[n.id.Name]
	if !ok || m.Address == n.cfg.Bind || n.Quorum() || n.Removed() != nil {
		return ""
	}
	return fmt.Sprintf("%s listens at %s, and the cluster knows it at %s; no leader is found. If the others have other addresses too, none knows where another is: put the old addresses back, or name the new address of one, in the agent file of each of the others, as `join { address = \"ADDRESS\" token = \"none\" }` (the token is not used again), and restart them",
		n.id.Name, n.cfg.Bind, m.Address)
}
