package agent

import (
	"net/netip"
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestTheWireSaysWhoOwns(t *testing.T) {
	state := &fsm.State{
		Members: map[string]fsm.Member{"d1": {Name: "d1", Role: fsm.RoleDirector}, "d2": {Name: "d2", Role: fsm.RoleDirector, Sources: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}, "w": {Name: "w", Role: fsm.RoleWitness}},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 2, Reason: "first"}},
	}
	halted := func(reason string) received {
		return received{report: report{Groups: map[string]groupReport{"g": {State: "initialize", Reason: reason}}}}
	}
	active := func(reason string) received {
		return received{report: report{Groups: map[string]groupReport{"g": {State: "active", Reason: reason}}}}
	}
	heard := received{report: report{Groups: map[string]groupReport{"g": {State: "backup", Heard: "192.0.2.2", Member: true}}}}
	claimed := received{report: report{Groups: map[string]groupReport{"g": {State: "active", Reason: "claim", Claim: "d1 does not answer"}}}}
	found := func(name string) received {
		return received{report: report{Groups: map[string]groupReport{"g": {State: "backup", Deaf: name + " owns it, but its adverts do not arrive", found: name}}}}
	}
	again := active("no active router heard for 3.1 s")
	again.Groups["g"] = groupReport{State: "active", Again: "no active router heard for 3.1 s"}
	foreign := received{report: report{Groups: map[string]groupReport{"g": {State: "backup", Heard: "192.0.2.9"}}}}
	for _, tt := range []struct {
		name, want, reason string
		live               map[string]received
	}{
		{"the log's owner", "d1", "first", map[string]received{"d1": active("x"), "d2": {}}},
		{"the log's owner, which has taken it again since", "d1", "taken again in the same epoch: no active router heard for 3.1 s (named: first)", map[string]received{"d1": again, "d2": {}}},
		{"another than the log says", "d2", "silence", map[string]received{"d1": {}, "d2": active("silence")}},
		{"who has claimed it, and what for", "d2", "claim: d1 does not answer", map[string]received{"d1": {}, "d2": claimed}},
		{"both: the log's counts", "d1", "first", map[string]received{"d1": active("x"), "d2": active("y")}},
		{"nobody", "", "first", map[string]received{"d1": {}}},
		{"nobody, since none may", "", "d1, d2 cannot: track up fails", map[string]received{"d1": halted("track up fails"), "d2": halted("track up fails"), "w": {}}},
		{"nobody, each for another reason", "", "d1 cannot: track up fails; d2 cannot: link down", map[string]received{"d1": halted("track up fails"), "d2": halted("link down")}},
		{"nobody yet", "", "first", map[string]received{"d1": halted("track up fails"), "d2": {}}},
		{"another, whose agent does not answer", "d2", "the adverts of d2 are heard, and its agent does not answer", map[string]received{"d1": heard}},
		{"another, whose report is of a moment ago", "d2", "the adverts of d2 are heard, and its agent has not reported that yet", map[string]received{"d1": heard, "d2": {}}},
		{"one that is not heard, and answers on the segment", "d2", "d2 owns it, but its adverts do not arrive", map[string]received{"d1": found("d2")}},
		{"whom the log names, and who is not heard", "d1", "first (by the log; d1 owns it, but its adverts do not arrive)", map[string]received{"d1": found("d1")}},
		{"a stranger", "foreign 192.0.2.9", "a router that is no member advertises it", map[string]received{"d1": foreign}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, o := groupStatus(state, tt.live, fsm.Group{Name: "g"}, "d1"), ownerOf(state, tt.live, "g", "d1")
			if got.Owner != tt.want || o.reason != tt.reason || got.Reason != because(state.Groups["g"], o) || got.Named != "d1" {
				t.Errorf("owner %q (%s), named %q, in all %q; want %q (%s), named d1", got.Owner, o.reason, got.Named, got.Reason, tt.want, tt.reason)
			}
		})
	}
}

func TestAnExplanationIsOfTheOwnerThatThereIs(t *testing.T) {
	log := fsm.Ownership{Owner: "d1", Reason: "first"}
	moving := log
	moving.Intent = &fsm.Intent{To: "d2", Reason: "d1 drains"}
	for _, tt := range []struct {
		log   fsm.Ownership
		owner owning
		want  string
	}{
		{log, owning{name: "d1", reason: "first"}, "first"},
		{log, owning{name: "d2", reason: "d1 is silent"}, "the log names d1 (as it was when it did: first), and VRRP elected another: d1 is silent"},
		{log, owning{name: "d2", reason: "claim"}, "the log names d1 (as it was when it did: first), and d2 has claimed it"},
		{moving, owning{name: "d2", reason: "claimed"}, "d1 drains, and the log still names d1 (as it was when it did: first)"},
		{moving, owning{name: "d1", reason: "first"}, "first"},
		{moving, owning{name: "d3", reason: "d1 is silent"}, "the log names d1 (as it was when it did: first), and VRRP elected another: d1 is silent"},
		{log, owning{name: "d2", reason: "claim: x", claim: "d1 does not answer"}, "the log names d1 (as it was when it did: first), and d2 has claimed it: d1 does not answer"},
		{log, owning{name: "foreign 192.0.2.9", reason: "a router that is no member advertises it", heard: true}, "the log names d1 (as it was when it did: first), but a router that is no member advertises it"},
		{log, owning{name: "d2", reason: "the adverts of d2 are heard", heard: true}, "the log names d1 (as it was when it did: first), but the adverts of d2 are heard"},
		{log, owning{name: "d2", reason: "claim: what is only written like one"}, "the log names d1 (as it was when it did: first), and VRRP elected another: claim: what is only written like one"},
		{fsm.Ownership{}, owning{reason: "d1 cannot: track up fails"}, "d1 cannot: track up fails"},
		{fsm.Ownership{}, owning{name: "d2", reason: "silence"}, "silence"},
		{log, owning{reason: "d1 cannot: track up fails"}, "d1 cannot: track up fails"},
	} {
		if got := because(tt.log, tt.owner); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.owner, got, tt.want)
		}
	}
}

func TestAClaimIsExplainedByWhatItIsFor(t *testing.T) {
	for _, tt := range []struct {
		name, reason, claimed string
		log                   fsm.Ownership
		want                  string
	}{
		{"before the log names who claims", "claim", "d1 does not answer", fsm.Ownership{Owner: "d1", Reason: "first"}, "claim: d1 does not answer"},
		{"once it does", "claim", "", fsm.Ownership{Owner: "d2", Reason: "d1 drains"}, "claim: d1 drains"},
		{"for an order that the log has not confirmed", "claim", "", fsm.Ownership{Owner: "d1", Reason: "first"}, "claim"},
		{"by VRRP", "silence", "", fsm.Ownership{Owner: "d2", Reason: "d1 is silent"}, "silence"},
	} {
		if got := partReason(tt.reason, claimedFor("d2", tt.reason, tt.claimed, tt.log)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAnOwnerThatIsOnlyHeardIsNamed(t *testing.T) {
	state := &fsm.State{
		Members: map[string]fsm.Member{"d2": {Name: "d2", Sources: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d2", Epoch: 2, Reason: "first"}},
	}
	heard := received{report: report{Groups: map[string]groupReport{"g": {State: "backup", Heard: "192.0.2.2", Member: true}}}}
	if got := groupStatus(state, map[string]received{"d1": heard}, fsm.Group{Name: "g"}, "d1"); got.Owner != "d2" {
		t.Errorf("owner %q", got.Owner)
	}
}
