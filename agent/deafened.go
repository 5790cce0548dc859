package agent

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// deafened warns of routers that are to speak otherwise, or not at all, for each director whose keeper would go on by the present
// configuration: it believes the adverts of the owner no more. Where its control is away it asks the segment before it takes the
// addresses, and the owner's machine answers; but nobody does for those that are gone from there, and one whose control runs and is cut
// off asks that alone.
func deafened(state *fsm.State, cfg fsm.Config, live map[string]received) config.Problems {
	var lost []deaf
	for _, name := range slices.Sorted(maps.Keys(state.Config.Routers)) {
		if d := deafTo(state.Config.Routers[name], state.Secrets(), cfg); d.Text != "" {
			lost = append(lost, d)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	var problems config.Problems
	highest := highestIndex(state, live)
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		why := outdated(live, name, highest)
		if why == "" || state.Members[name].Role != fsm.RoleDirector {
			continue
		}
		for _, d := range lost {
			problems = append(problems, config.Problem{
				Path: d.Path, Warning: true,
				Text: fmt.Sprintf("%s, and %s %s: if its keeper runs, it goes on by the old configuration until its control has caught up, and hears the owner no more. %s", d.Text, name, why, d.then()),
				Hint: fmt.Sprintf("before this, mend its control (`systemctl start quorate` on %s), or stop its keeper too: `systemctl stop quorate-keeper` there", name),
			})
		}
	}
	return problems
}

// deaf is what of a router would be changed.
type deaf struct {
	config.Problem
	gone bool // the addresses are somewhere else then, or nowhere
}

// then is a sentence about what a keeper does that does not know of it.
func (d deaf) then() string {
	if d.gone {
		return "It answers for the addresses as they were"
	}
	return "It answers for the addresses too if it asks the segment and the owner's machine does not answer, or if its control runs and is cut off"
}

// outdated says why a director would not give its keeper a new configuration soon, or is empty.
func outdated(live map[string]received, name string, highest uint64) string {
	r, answers := live[name]
	switch {
	case !answers:
		return "does not answer"
	case r.Stopped:
		return wasStopped
	case r.Halted != "":
		return "applies no more of the log (" + r.Halted + ")"
	case r.NoWrite != "":
		return "may not write what is agreed (" + r.NoWrite + ")"
	case r.Index < highest && !r.Ready: // else it is but a moment late
		return "is behind (" + strings.Join(r.Reasons, "; ") + ")"
	}
	return ""
}

// deafTo says what of a router would be changed such that a keeper that has it as it was drops its adverts; see [vrrp.Judge].
// A keeper knows a router by how it is on the wire, and not by its name.
func deafTo(was fsm.Router, keys fsm.Secrets, cfg fsm.Config) deaf {
	path := fmt.Sprintf("routers[%q]", was.Name)
	is, stays := cfg.Routers[was.Name]
	if !stays || !sameOnTheWire(was, is) {
		for _, name := range slices.Sorted(maps.Keys(cfg.Routers)) {
			if other := cfg.Routers[name]; sameOnTheWire(was, other) {
				is, stays = other, true
			}
		}
	}
	what, gone := "", false
	switch {
	case !stays:
		return deaf{config.Problem{Path: path, Text: fmt.Sprintf("router %q is removed", was.Name)}, true}
	case is.Interface != was.Interface:
		what, gone = "interface", true
	case is.VRID != was.VRID:
		what = "vrid"
	case is.IPv6() != was.IPv6():
		what, gone = "addresses", true
	case cmp.Or(is.Version, 3) != cmp.Or(was.Version, 3):
		what = "version"
	case is.Unicast != was.Unicast:
		what = "unicast"
	case is.Version == 2 && is.Interval != was.Interval:
		what = "interval"
	case is.Version == 2 && was.StrictAddresses && !sameAddresses(was, is):
		what = "addresses"
	case !believed(was, is, keys):
		what = "auth"
	default:
		return deaf{}
	}
	return deaf{config.Problem{Path: path + "." + what, Text: fmt.Sprintf("router %q changes its %s", was.Name, what)}, gone}
}

// sameOnTheWire reports whether two routers are one to who hears their adverts.
func sameOnTheWire(a, b fsm.Router) bool {
	return a.Interface == b.Interface && a.VRID == b.VRID && a.IPv6() == b.IPv6()
}

// sameAddresses reports whether two routers advertise the same addresses, in whatever order.
func sameAddresses(a, b fsm.Router) bool {
	of := func(r fsm.Router) map[netip.Addr]bool {
		all := map[netip.Addr]bool{}
		for _, p := range r.Addresses {
			all[p.Addr()] = true
		}
		return all
	}
	return maps.Equal(of(a), of(b))
}

// believed reports whether who has a router as it was takes what it sends now for authentic.
func believed(was, is fsm.Router, secrets fsm.Secrets) bool {
	var sends fsm.AuthKind
	if is.Auth != nil && is.Auth.Kind != fsm.AuthHeader { // AH is only received
		sends = is.Auth.Kind
	}
	switch {
	case was.Auth == nil:
		return sends == ""
	case was.Auth.Kind == fsm.AuthHeader:
		return true // no other director's ever was
	case was.Auth.Kind != sends:
		return false
	}
	had := secrets.RouterKeys(was.Name)
	key := cmp.Or(is.Auth.Key, is.Auth.Keep(was.Auth, had).Key)
	return is.Auth.KeyID == was.Auth.KeyID && key == had.Key ||
		was.Auth.OtherID != 0 && is.Auth.KeyID == was.Auth.OtherID && key == had.Other
}
