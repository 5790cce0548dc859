package keepalived

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// groupsOf are the routers of each sync group.
func groupsOf(r Result) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Config.SyncGroups)) {
		all = append(all, name+": "+strings.Join(r.Config.SyncGroups[name].Routers, " "))
	}
	return strings.Join(all, ", ")
}

func TestGroupsAreMatchedByTheirMembers(t *testing.T) {
	three := func(more string) string {
		return fileOf(more, routed{"V", "eth0", 1, "", []string{"192.0.2.1/24"}}, routed{"W", "eth1", 2, "", []string{"198.51.100.1/24"}},
			routed{"X", "eth2", 3, "", []string{"203.0.113.1/24"}})
	}
	group := func(name, members string) string {
		return "vrrp_sync_group " + name + " {\n group {\n  " + members + "\n }\n}\n"
	}
	for name, c := range map[string]struct {
		a, b string // groups
		want string
		told []string // each a line
	}{
		"another name":       {group("G", "V W"), group("H", "V W"), "G: V W", []string{"sync_group G: name: a G, b H: it is called G"}},
		"and another order":  {group("G", "V W"), group("H", "W V"), "G: V W", []string{"name: a G, b H", "sync_group G: routers: a [\"V\", \"W\"], b [\"W\", \"V\"]: that of a counts"}},
		"fewer":              {group("G", "V W X"), group("H", "W V"), "G: V W X", []string{"name: a G, b H"}},
		"those of two":       {group("G", "V W"), group("H", "V") + group("I", "W X"), "G: V W, I: X", []string{"name: a G, b H", "b:27: carried over with a difference: vrrp_sync_group group: without W"}},
		"nobody else's":      {group("G", "V W"), group("H", "V") + group("I", "W"), "G: V W", []string{"b:27: not carried over: vrrp_sync_group: I:"}},
		"swapped names":      {group("G", "V W") + group("H", "X"), group("H", "V W") + group("G", "X"), "G: V W, H: X", nil},
		"none on the other":  {group("G", "V W"), "", "G: V W", []string{"sync_group G: a has it, b has it not"}},
		"none on the first":  {"", group("G", "V W"), "G: V W", []string{"sync_group G: a has it not, b has it"}},
		"most of them count": {group("G", "V") + group("H", "W X"), group("I", "V W X"), "G: V, H: W X", []string{"sync_group H: name: a H, b I: it is called H"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := imports(t, three(c.a), three(c.b))
			if got := groupsOf(r); got != c.want || len(r.Config.Routers) != 3 {
				t.Errorf("%d routers, in groups %q, not %q\n%s", len(r.Config.Routers), got, c.want, report(r))
			}
			for _, words := range c.told {
				if len(said(r, words)) != 1 {
					t.Errorf("no line has %q, or several have:\n%s", words, report(r))
				}
			}
			for _, line := range said(r, "sync_group H: a has it not") {
				t.Errorf("it says %q", line)
			}
		})
	}
}
