package agent

import (
	"cmp"
	"context"
	"hash/fnv"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/agent/groups"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// pull brings another director's connections into this director's kernel for a move: whole, and then it waits a moment until a
// share of them is here and tells how many are, or those that are new since the last time.
func (s *session) pull(ctx context.Context, from string, whole bool, share float64) (groups.Coverage, error) {
	conns, err := s.bring(ctx, from, whole)
	if err != nil || !whole {
		return groups.Coverage{}, err
	}
	s.forget(ctx, from, conns)
	have, total, err := s.director.Arrived(ctx, conns, share)
	return groups.Coverage{Have: have, Total: total}, err
}

// bring brings another director's connections here, whole or those that are new, and returns them. There are none where there is
// no service.
func (s *session) bring(ctx context.Context, from string, whole bool) ([]ipvs.Conn, error) {
	if s.node.State().Config.Services.Len() == 0 {
		return nil, nil
	}
	id := s.marks.ask(from, whole, time.Now())
	var conns []ipvs.Conn
	err := s.ask(ctx, from, http.MethodGet, "/peer/connections?mark="+id, nil, &conns)
	if err == nil {
		err = s.director.Inject(ctx, conns)
	}
	s.marks.have(from, id, err, time.Now())
	return conns, err
}

// forgetLimit bounds what is no condition of a move, where there are very many connections that are over.
const forgetLimit = 500 * time.Millisecond

// forget has this kernel forget the connections that are over, of the groups that it may take from a director which has some live
// ones.
func (s *session) forget(ctx context.Context, from string, live []ipvs.Conn) {
	ctx, cancel := context.WithTimeout(ctx, forgetLimit)
	defer cancel()
	theirs := func() func(netip.Addr) bool { return addressesOf(s.node.State(), from, s.kept()) }
	if err := s.director.Forget(ctx, live, theirs); err != nil {
		s.log.Debug("connections that are over are not all forgotten", "from", from, "err", err)
	}
}

// addressesOf reports of an address whether it is one of the groups that the log gives to an owner, and this host does not keep.
func addressesOf(state *fsm.State, owner string, kept []string) func(netip.Addr) bool {
	theirs, here := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, g := range state.Config.Groups() {
		switch {
		case slices.Contains(kept, g.Name):
			noteAddresses(here, g)
		case state.Groups[g.Name].Owner == owner:
			noteAddresses(theirs, g)
		}
	}
	return func(a netip.Addr) bool { return theirs[a] && !here[a] }
}

func noteAddresses(in map[netip.Addr]bool, g fsm.Group) {
	for _, r := range g.Routers {
		for _, p := range r.Virtual() {
			in[p.Addr()] = true
		}
	}
}

// sampled is how many connections are looked at to tell how many of them another director has.
const sampled = 1000

// sample tells how many of some of another director's connections are here.
func (s *session) sample(ctx context.Context, from string) (groups.Coverage, error) {
	conns, err := s.someConnections(ctx, from)
	if err != nil {
		return groups.Coverage{}, err
	}
	have, total, err := s.director.Covers(conns)
	return groups.Coverage{Have: have, Total: total}, err
}

// inSample is the order by which some connections are taken of all: by a hash, so that it does not tell one kind from another, and
// which are taken the next time is known.
func inSample(c ipvs.Conn) uint64 {
	b, _ := c.Client.MarshalBinary() // never fails, as the next
	v, _ := c.Virtual.MarshalBinary()
	h := fnv.New64a()
	_, _ = h.Write(append(append(b, v...), c.Protocol))
	x := h.Sum64() // whose upper half tells less than its lower one
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return x ^ x>>33
}

// some are so many of the connections: the first ones in the order of samples.
func some(conns []ipvs.Conn, n int) []ipvs.Conn {
	if n >= len(conns) {
		return conns
	}
	type ranked struct {
		rank uint64
		conn ipvs.Conn
	}
	all := make([]ranked, len(conns))
	for i, c := range conns {
		all[i] = ranked{inSample(c), c}
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]ipvs.Conn, n)
	for i := range out {
		out[i] = all[i].conn
	}
	return out
}

// someConnections are some of another director's connections.
func (s *session) someConnections(ctx context.Context, from string) (conns []ipvs.Conn, err error) {
	err = s.ask(ctx, from, http.MethodGet, "/peer/connections?sample="+strconv.Itoa(sampled), nil, &conns)
	return conns, err
}

func (s *session) serveConnections(w http.ResponseWriter, r *http.Request) {
	read := time.Now()
	conns, err := s.director.Connections(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if n, err := strconv.Atoi(r.FormValue("sample")); err == nil && n >= 0 {
		conns = some(conns, n)
	}
	if id := r.FormValue("mark"); id != "" {
		who, _ := cluster.Peer(r.Context())
		conns = s.given.fresh(who, id, conns)
		defer s.given.sent(who, read)
	}
	answer(w, conns)
}

// warmUp receives the connections of those who own groups that this director has nothing of yet, so that it
// could take over with what there is. What comes later the kernel's sync daemons bring. One owner is asked
// at a time, once for all its groups.
func (s *session) warmUp(ctx context.Context) {
	if s.warming.Load() {
		return
	}
	state, live := s.node.State(), s.reports.live(time.Now())
	cold := map[string][]string{} // owner: groups
	for name, g := range state.Groups {
		if !s.isWarm(state, live, name) {
			cold[g.Owner] = append(cold[g.Owner], name)
		}
	}
	for owner, groups := range cold {
		s.warming.Store(true)
		s.group.Go(func() error {
			defer s.warming.Store(false)
			ctx, cancel := context.WithTimeout(ctx, ownership.MoveLimit)
			defer cancel()
			if _, err := s.bring(ctx, owner, true); err != nil {
				s.log.Debug("connections not received", "from", owner, "err", err)
				return nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, name := range groups {
				s.warm[name] = true
			}
			return nil
		})
		return
	}
}

// isWarm reports whether there is nothing of the group's connections that this director lacks:
// they were received, or nobody else has them.
func (s *session) isWarm(state *fsm.State, live map[string]received, group string) bool {
	g := state.Groups[group]
	if g.Owner == "" || g.Owner == s.cfg.Name || s.cfg.Role == fsm.RoleWitness || state.Config.Services.Len() == 0 {
		return true
	}
	if r, alive := live[g.Owner]; !alive || !r.active(group) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.warm[group]
}
