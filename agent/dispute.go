package agent

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/fsm"
)

// A dispute is a disagreement about who owns a group: between the wire and the log, or between directors
// that do not hear each other. VRRP settles one within a down interval, or the log follows the wire;
// one that lasts longer is for a person to look at.
type dispute struct {
	text    string
	settles time.Duration // how long it may last

	// What is heard and is not whom the log names: who hears it, of which group, and its address. Empty for
	// another dispute.
	by, group, heard string
}

// disputes remembers since when each dispute has lasted.
type disputes struct {
	mu    sync.Mutex
	since map[dispute]time.Time
	told  map[dispute]bool
	macs  map[dispute]string // of those that are heard here
}

// look takes what is disputed at now, and forgets what is not any more. It returns what was not settled in
// its time since it looked last.
func (ds *disputes) look(now time.Time, found []dispute) []dispute {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	next, told := map[dispute]time.Time{}, map[dispute]bool{}
	var news []dispute
	for _, d := range found {
		next[d] = now
		if was, ok := ds.since[d]; ok {
			next[d] = was
		}
		told[d] = ds.told[d]
		if now.Sub(next[d]) > d.settles && !told[d] {
			told[d] = true
			news = append(news, d)
		}
	}
	maps.DeleteFunc(ds.macs, func(d dispute, _ string) bool { return !told[d] })
	ds.since, ds.told = next, told
	return news
}

// answered notes the MAC address of who is heard.
func (ds *disputes) answered(d dispute, mac net.HardwareAddr) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.macs == nil {
		ds.macs = map[dispute]string{}
	}
	ds.macs[d] = mac.String()
}

// said is the text of a dispute, with the MAC address where that is known.
func (d dispute) said(mac string) string {
	if mac == "" {
		return d.text
	}
	return fmt.Sprintf("%s (%s has the MAC address %s)", d.text, d.heard, mac)
}

// lasting returns the disputes that were not settled in their time.
func (ds *disputes) lasting(now time.Time) []string {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	var out []string
	for d, since := range ds.since {
		if now.Sub(since) > d.settles {
			out = append(out, d.said(ds.macs[d]))
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
		apart := false
		for _, name := range slices.Sorted(maps.Keys(live)) {
			if _, member := state.Members[name]; !member {
				continue
			}
			own := live[name].Groups[g.Name]
			apart = apart || own.Apart
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
				who := own.Heard
				if m := memberAt(state, who); m != "" {
					who = fmt.Sprintf("%s (%s)", m, who)
				}
				text := fmt.Sprintf("%s hears %s own %s, and the log names %s", name, who, g.Name, owner)
				out = append(out, dispute{text, settles, name, g.Name, own.Heard})
			}
		}
		if len(active) > 2 && apart { // some may be on one side: that these do not hear each other is for the next to say
			text := fmt.Sprintf("%s own %s: no segment joins all of them", strings.Join(active, " and "), g.Name)
			out = append(out, dispute{text: text, settles: settles})
		}
		switch hint := "a virtual MAC address needs a network that lets frames from and to it pass"; {
		case len(active) == 2 && apart:
			text := fmt.Sprintf("%s own %s, each on a side of its own: no segment joins them", strings.Join(active, " and "), g.Name)
			out = append(out, dispute{text: text, settles: settles})
		case len(active) > 1 && hasVirtualMAC(g):
			out = append(out, dispute{text: contest(active, g.Name) + " (" + hint + ")", settles: settles})
		case len(active) > 1:
			out = append(out, dispute{text: contest(active, g.Name), settles: settles})
		case len(active) == 1 && len(deaf) > 0 && len(deaf) == len(others) && hasVirtualMAC(g):
			out = append(out, dispute{text: fmt.Sprintf("nobody hears %s own %s (%s)", active[0], g.Name, hint), settles: settles})
		}
	}
	return out
}

// askWhom is how long the segment is asked who has an address.
const askWhom = 300 * time.Millisecond

// dispute looks at what is disputed, and tells of what this director itself hears, once it has lasted: with the
// MAC address, for whoever looks for it in the switches.
func (s *session) dispute(ctx context.Context) {
	now := time.Now()
	for _, d := range s.disputes.look(now, disputed(s.node.State(), s.reports.live(now))) {
		if d.by != s.cfg.Name {
			continue
		}
		s.besides(func() {
			mac := ""
			if found := s.askWhom(ctx, d); found != nil {
				mac = found.String()
				s.disputes.answered(d, found)
			}
			s.events.add(s.cfg.Name, 0, "dispute", d.group, d.said(mac))
		})
	}
}

// askWhom asks the segment for the MAC address of who is heard, nil if it does not answer.
func (s *session) askWhom(ctx context.Context, d dispute) net.HardwareAddr {
	addr, err := netip.ParseAddr(d.heard)
	g, ok := s.keeper.Status().Group(d.group)
	if err != nil || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWhom)
	defer cancel()
	for _, r := range g.Routers {
		if r.Heard == nil || r.Heard.Source != addr || !r.Source.IsValid() {
			continue
		}
		found, err := probe.Ask(ctx, r.Interface, r.Source, []netip.Addr{addr})
		if err != nil {
			s.log.Debug("segment not asked", "router", r.Name, "err", err)
		}
		return found[addr]
	}
	return nil
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
