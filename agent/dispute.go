package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/fsm"
)

// A dispute is a disagreement about who owns a group: between the wire and the log, or between directors
// that do not hear each other. VRRP settles one within a down interval, or the log follows the wire;
// one that lasts longer is for a person to look at.
type dispute struct {
	text    string
	settles time.Duration // how long it may last
}

// disputes remembers since when each dispute has lasted.
type disputes struct {
	mu    sync.Mutex
	since map[dispute]time.Time
}

// look takes what is disputed at now, and forgets what is not any more.
func (ds *disputes) look(now time.Time, found []dispute) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	next := map[dispute]time.Time{}
	for _, d := range found {
		next[d] = now
		if was, ok := ds.since[d]; ok {
			next[d] = was
		}
	}
	ds.since = next
}

// lasting returns the disputes that were not settled in their time.
func (ds *disputes) lasting(now time.Time) []string {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	var out []string
	for d, since := range ds.since {
		if now.Sub(since) > d.settles {
			out = append(out, d.text)
		}
	}
	slices.Sort(out)
	return out
}

// disputed finds the disputes in what the directors say.
func disputed(state *fsm.State, live map[string]received) []dispute {
	var out []dispute
	for _, g := range state.Config.Groups() {
		owner, settles := state.Groups[g.Name].Owner, settleTime(g)
		var active, others, deaf []string
		for _, name := range slices.Sorted(maps.Keys(live)) {
			if _, member := state.Members[name]; !member {
				continue
			}
			own := live[name].Groups[g.Name]
			switch own.State {
			case "active":
				active = append(active, name)
			case "backup":
				others = append(others, name)
			}
			if own.Deaf != "" {
				deaf = append(deaf, name)
			}
			if own.Heard != "" && owner != "" && memberAt(state, own.Heard) != owner {
				out = append(out, dispute{fmt.Sprintf("%s hears %s own %s, and the log names %s", name, own.Heard, g.Name, owner), settles})
			}
		}
		switch hint := "a virtual MAC address needs a network that lets frames from and to it pass"; {
		case len(active) > 1 && hasVirtualMAC(g):
			out = append(out, dispute{contest(active, g.Name) + " (" + hint + ")", settles})
		case len(active) > 1:
			out = append(out, dispute{contest(active, g.Name), settles})
		case len(active) == 1 && len(deaf) > 0 && len(deaf) == len(others) && hasVirtualMAC(g):
			out = append(out, dispute{fmt.Sprintf("nobody hears %s own %s (%s)", active[0], g.Name, hint), settles})
		}
	}
	return out
}

func contest(active []string, group string) string {
	return fmt.Sprintf("%s own %s, each of them: they do not hear each other", strings.Join(active, " and "), group)
}

// settleTime is longer than any Active_Down_Interval of the group, and than what reports take to come.
func settleTime(g fsm.Group) time.Duration {
	longest := time.Duration(0)
	for _, r := range g.Routers {
		longest = max(longest, r.Interval)
	}
	return 4*longest + 2*reportEvery // three intervals and a Skew_Time of less than one
}

func hasVirtualMAC(g fsm.Group) bool {
	return slices.ContainsFunc(g.Routers, func(r fsm.Router) bool { return r.VirtualMAC })
}
