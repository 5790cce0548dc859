package agent

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// owning is who owns a group as far as a director knows.
type owning struct {
	name   string // of a director, "" or "foreign ADDRESS"
	reason string // why it owns the group, or why nobody does
	claim  string // what it has claimed the group for, or empty
	heard  bool   // no report says so, but its adverts, or what was found while these do not arrive
}

// ownerOf finds who owns a group: the wire decides, so who is Active counts, not who the log names.
func ownerOf(state *fsm.State, live map[string]received, group, self string) owning {
	log, own := state.Groups[group], live[self].Groups[group]
	var active []string
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if live[name].active(group) {
			active = append(active, name)
		}
	}
	if slices.Contains(active, log.Owner) {
		return owning{name: log.Owner, reason: reasonOf(log, live[log.Owner].Groups[group].Again)}
	}
	if len(active) > 0 {
		name := active[0]
		r := live[name].Groups[group]
		claim := claimedFor(name, r.Reason, r.Claim, log)
		return owning{name: name, reason: partReason(r.Reason, claim), claim: claim}
	}
	if own.Heard != "" && !own.Member {
		return owning{name: "foreign " + own.Heard, reason: "a router that is no member advertises it", heard: true}
	}
	if name := memberAt(state, own.Heard); own.Heard != "" && name != "" {
		if name == log.Owner {
			return owning{name: name, reason: log.Reason}
		}
		missing := "its agent does not answer"
		if _, reports := live[name]; reports {
			missing = "its agent has not reported that yet"
		}
		return owning{name: name, reason: "the adverts of " + name + " are heard, and " + missing, heard: true}
	}
	if own.found != "" && own.Deaf != "" {
		if own.found == log.Owner {
			return owning{name: own.found, reason: log.Reason + " (by the log; " + own.Deaf + ")", heard: true}
		}
		return owning{name: own.found, reason: own.Deaf, heard: true}
	}
	return owning{reason: cmp.Or(nobodyCan(state, live, group), log.Reason)}
}

// reasonOf is why the owner which the log names owns the group: it may have taken it again in the same epoch, for a reason that the
// log does not have.
func reasonOf(log fsm.Ownership, again string) string {
	if again == "" {
		return log.Reason
	}
	return "taken again in the same epoch: " + again + " (named: " + log.Reason + ")"
}

// because says why the owner of a group owns it, or why nobody does. The log's reason is of whom the log names.
func because(log fsm.Ownership, o owning) string {
	switch {
	case log.Owner == "", o.name == "", o.name == log.Owner:
		return o.reason
	case log.Intent != nil && log.Intent.To == o.name:
		return fmt.Sprintf("%s, and the log still names %s (as it was when it did: %s)", log.Intent.Reason, log.Owner, log.Reason)
	}
	named := fmt.Sprintf("the log names %s (as it was when it did: %s), ", log.Owner, log.Reason)
	switch {
	case o.claim != "":
		return named + "and " + o.name + " has claimed it: " + o.claim
	case o.reason == byClaim:
		return named + "and " + o.name + " has claimed it"
	case o.heard:
		return named + "but " + o.reason
	}
	return named + "and VRRP elected another: " + o.reason
}

// byClaim is the keeper's reason for a group that it was told to take. What for, it does not know.
const byClaim = "claim"

// claimedFor is what a director has claimed a group for, or empty, which its keeper does not know: that says the director, until
// the log names it for that, and then the log.
func claimedFor(name, reason, claimed string, log fsm.Ownership) string {
	switch {
	case reason != byClaim:
		return ""
	case log.Owner == name:
		return cmp.Or(claimed, log.Reason)
	}
	return claimed
}

// partReason is why a director is what it is to a group, with what it claimed the group for, if it has.
func partReason(reason, claim string) string {
	if claim != "" {
		return byClaim + ": " + claim
	}
	return reason
}

// arrives reports whether the adverts of an owner arrive at one of a group's routers now.
func arrives(g keeper.GroupStatus, r keeper.RouterStatus) bool {
	return r.Heard != nil && !r.Silent && g.State == "backup"
}

// hears returns the member that a group's keeper hears as Active, or "": on every router that hears anybody, and on
// one at least.
func hears(state *fsm.State, g keeper.GroupStatus) string {
	member := ""
	for _, router := range g.Routers {
		if !arrives(g, router) {
			continue
		}
		name := memberAt(state, router.Heard.Source.String())
		if name == "" || member != "" && name != member {
			return ""
		}
		member = name
	}
	return member
}

// claimant is who would claim a group again if it were moved from that one, or "": the member that is heard, if it does so by a
// claim, else who took the group from this director by one and has not been heard on all routers since.
func claimant(g keeper.GroupStatus, heard, taker string) string {
	if claims(g) {
		return heard
	}
	return taker
}

// claims reports whether the owner of a group is heard with the priority of a claim.
func claims(g keeper.GroupStatus) bool {
	return slices.ContainsFunc(g.Routers, func(r keeper.RouterStatus) bool {
		return arrives(g, r) && ownership.IsClaim(r.Heard.Priority)
	})
}
