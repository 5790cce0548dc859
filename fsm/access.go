package fsm

import "strings"

// The roles of who asks something of a director, through its socket or with a certificate: an admin may do
// everything, an operator what runs the cluster that there is, a viewer may look. No member has one of them.
const (
	RoleAdmin    Role = "admin"
	RoleOperator Role = "operator"
	RoleViewer   Role = "viewer"
)

// ranks orders the roles of who asks.
var ranks = map[Role]int{RoleViewer: 1, RoleOperator: 2, RoleAdmin: 3}

// Asks reports whether a role is one of who asks, and not of a member.
func (r Role) Asks() bool { return ranks[r] > 0 }

// Covers reports whether who has a role may do what another is needed for. A role that is none of those of who
// asks may do nothing, and nothing is open to it.
func (r Role) Covers(needed Role) bool {
	return ranks[needed] > 0 && ranks[r] >= ranks[needed]
}

// Programs returns the programs that a configuration has directors run: of checks, tracks and hooks, each with
// its arguments and the user that it runs as.
func (c Config) Programs() map[string]bool {
	out := map[string]bool{}
	add := func(user string, command []string) {
		if len(command) > 0 {
			out[user+"\x00"+strings.Join(command, "\x00")] = true
		}
	}
	for _, s := range c.Services.All() {
		for _, check := range s.Checks {
			add(check.User, check.Command)
		}
	}
	for _, t := range c.Tracks {
		add(t.User, t.Command)
	}
	for _, r := range c.Routers {
		for _, h := range r.Needs.Hooks {
			add(h.User, h.Command)
		}
	}
	for _, g := range c.SyncGroups {
		for _, h := range g.Needs.Hooks {
			add(h.User, h.Command)
		}
	}
	return out
}
