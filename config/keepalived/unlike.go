package keepalived

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// question is what a check asks, without when.
func question(c fsm.Check) string { return fmt.Sprintf("%+v", c.Question()) }

// connects is the question of whether a server's own port takes a connection.
var connects = question(fsm.Check{Kind: fsm.CheckTCP})

func key(set []fsm.Check) string { return fmt.Sprintf("%+v", set) }

// passed returns the questions to which a server has the answer that passes its own checks: theirs, and whether a connection
// comes about on a port on which it speaks.
func passed(set []fsm.Check) map[string]bool {
	all := make(map[string]bool)
	for _, c := range set {
		all[question(c)] = true
		if c.Kind != fsm.CheckScript {
			all[question(fsm.Check{Kind: fsm.CheckTCP, Port: c.Port})] = true
		}
	}
	return all
}

// maxCandidates bounds the sets that are compared with all others.
const maxCandidates = 100

// likeliest returns the index of the set that the most servers pass which pass their own, and how many they are. Of several such
// sets it is the one that more servers have, or else the more patient one.
func likeliest(sets [][]fsm.Check) (chosen, most int) {
	count, keys := make(map[string]int), make([]string, len(sets))
	var distinct []int
	for i, set := range sets {
		if len(set) == 0 {
			continue
		}
		keys[i] = key(set)
		if count[keys[i]]++; count[keys[i]] == 1 {
			distinct = append(distinct, i)
		}
	}
	has := func(i int) int { return count[keys[i]] }
	slices.SortStableFunc(distinct, func(a, b int) int {
		return cmp.Or(cmp.Compare(has(b), has(a)), cmp.Compare(patience(sets[b]), patience(sets[a])))
	})
	passes := make([]map[string]bool, len(sets))
	for _, i := range distinct {
		passes[i] = passed(sets[i])
	}
	for _, i := range distinct[:min(len(distinct), maxCandidates)] {
		n := 0
		for _, j := range distinct {
			if !slices.ContainsFunc(sets[i], func(c fsm.Check) bool { return !passes[j][question(c)] }) {
				n += has(j)
			}
		}
		if n > most {
			chosen, most = i, n
		}
	}
	return chosen, most
}

// patience is how long a set of checks waits for a server.
func patience(set []fsm.Check) (all time.Duration) {
	for _, c := range set {
		all += time.Duration(c.Fall) * c.Timeout
	}
	return all
}

// connect returns the one check that every server passes which can serve at all: that its own port takes a connection. There
// is none where it is not sure that a server listens on its port of the service's table: behind a tunnel, or on the service's address alone.
func connect(s fsm.Service, sets [][]fsm.Check, like int) (fsm.Check, bool) {
	one := fsm.Check{Kind: fsm.CheckTCP}
	asked := func(set []fsm.Check) bool { return len(set) == 0 || passed(set)[connects] }
	nat := s.Forward == fsm.NAT && !slices.ContainsFunc(s.Servers, func(r fsm.Server) bool { return r.Forward != "" })
	sure := nat || !slices.ContainsFunc(sets, func(set []fsm.Check) bool { return !asked(set) })
	if s.Protocol != fsm.TCP || s.Address.Port() == 0 || !sure {
		return one, false
	}
	at := sets[like][0]
	one.Interval, one.Timeout, one.Rise, one.Fall = at.Interval, at.Timeout, at.Rise, at.Fall
	return one, true
}

// unlike says what there is to say of the checks of servers that are not in the set which holds for all, and tells of servers
// that get checks which they have not.
func (m *model) unlike(real []*realServer, from [][]source, set []fsm.Check, why string) {
	n := m.host.notes
	asked := make(map[string]fsm.Check)
	for _, c := range set {
		asked[question(c)] = c
	}
	for i, r := range real {
		own := make(map[string]bool)
		for _, one := range from[i] {
			c, ok := asked[one.asks]
			own[one.asks] = ok
			for _, at := range one.places() {
				m.why[at] = why
			}
			if !ok {
				continue
			}
			m.why[one.how.loopAt] = fmt.Sprintf("a service has one set of checks, with an `interval` of %s", c.Interval)
			m.why[one.how.timeoutAt] = fmt.Sprintf("a service has one set of checks, with a `timeout` of %s", c.Timeout)
			m.why[one.how.retryAt] = fmt.Sprintf("a service has one set of checks, with `fall = %d`", c.Fall)
		}
		switch {
		case len(from[i]) == 0 && len(set) > 0:
			n.Differs(r.Place, inServer, "it has no check that can be carried over; a service has one set of checks, and those of other servers hold for it")
		case slices.ContainsFunc(slices.Collect(maps.Keys(asked)), func(q string) bool { return !own[q] }):
			n.Differs(r.Place, inServer, "it is checked as the servers of its service are, and not as it says")
		}
	}
}
