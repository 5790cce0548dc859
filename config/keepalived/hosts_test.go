package keepalived

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
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

func TestKeysThatDifferAreToldAndNotShown(t *testing.T) {
	file := func(key string) string {
		return fileOf("", routed{"V", "eth0", 1, " authentication {\n  auth_type PASS\n  auth_pass " + key + "\n }\n", []string{"192.0.2.1/24"}})
	}
	r := imports(t, file("abc"), file("abd"))
	if got := said(r, "the hosts differ: auth V/password: key: a one, b another: that of a counts for all"); len(got) != 1 || len(said(r, "abc"))+len(said(r, "abd")) > 0 {
		t.Errorf("it says:\n%s", report(r))
	}
	if r = imports(t, file("abc"), file("abc")); len(said(r, "auth V")) > 0 {
		t.Errorf("of the same key it says:\n%s", report(r))
	}
}

func TestWhatTheFirstHostOverrulesIsNotCarriedOver(t *testing.T) {
	instance := func(more string, addresses ...string) string {
		return "vrrp_script s {\n script /bin/a\n weight -60\n}\n" + fileOf("", routed{"V", "eth0", 1, more, append(addresses, "192.0.2.1/24")})
	}
	service := func(lines, first, second, more string) string {
		return "virtual_server 192.0.2.1 80 {\n protocol TCP\n " + lines + "\n real_server 10.0.0.1 80 {\n" + first + " }\n real_server 10.0.0.2 80 {\n" + second + " }\n" + more + "}\n"
	}
	const not = "on a it is not so, and that counts for all directors"
	for name, c := range map[string]struct {
		a, b string
		told []string // all that is said so
	}{
		"nothing": {instance(" notify_master /x\n track_script {\n  s\n }\n"), instance(" notify_master /x\n track_script {\n  s\n }\n"), nil},
		"a weight where it is defined": {instance(" track_script {\n  s\n }\n"), strings.Replace(instance(" track_script {\n  s\n }\n"), "-60", "-10", 1),
			[]string{"b:3: not carried over: vrrp_script weight: "}},
		"a weight where it is used": {instance(" track_script {\n  s weight 5\n }\n"), strings.Replace(instance(" track_script {\n  s weight 7\n }\n"), "-60", "-10", 1),
			[]string{"b:9: not carried over: vrrp_instance track_script: "}},
		"of an interface": {instance(" track_interface {\n  eth8\n  eth9 weight 10\n }\n"), instance(" track_interface {\n  eth9 weight 40\n  eth8 weight 0\n }\n"),
			[]string{"b:9: not carried over: vrrp_instance track_interface: "}},
		"a script": {instance(" track_script {\n  s\n }\n"), strings.Replace(instance(" track_script {\n  s\n }\n"), "/bin/a", "/bin/b", 1),
			[]string{"b:2: not carried over: vrrp_script script: "}},
		"a program":  {instance(" notify_backup /y\n notify_master /x\n"), instance(" notify_master /z\n notify_backup /y\n"), []string{"b:8: not carried over: vrrp_instance notify_master: "}},
		"its user":   {"global_defs {\n script_user root\n}\n" + instance(" notify_master /x\n"), "global_defs {\n script_user nobody\n}\n" + instance(" notify_master /x\n"), []string{"b:2: not carried over: global_defs script_user: "}},
		"an address": {instance(""), instance("", "192.0.2.2/24"), []string{"b:9: not carried over: vrrp_instance virtual_ipaddress: "}},
		"an interval, for all": {instance(""), "global_defs {\n vrrp_version 3\n}\n" + instance(" advert_int 5\n"),
			[]string{"b:11: not carried over: vrrp_instance advert_int: ", "b:2: not carried over: global_defs vrrp_version: "}},
		"a password": {instance(" authentication {\n  auth_type PASS\n  auth_pass abc\n }\n"), instance(" authentication {\n  auth_type PASS\n  auth_pass abd\n }\n"),
			[]string{"b:10: not carried over: authentication auth_pass: "}},
		"what only the other has": {instance(""), instance(" track_script {\n  s\n }\n notify_stop /x\n"), []string{"b:11: not carried over: vrrp_instance notify_stop: ", "b:9: not carried over: vrrp_instance track_script: "}},
		"of a service": {service("lb_algo rr\n lvs_method NAT\n persistence_timeout 60", "", "", ""), service("lb_algo wrr\n lvs_method DR\n persistence_timeout 90", "", "", ""),
			[]string{"b:3: not carried over: virtual_server lb_algo: ", "b:4: not carried over: virtual_server lvs_method: ", "b:5: not carried over: virtual_server persistence_timeout: "}},
		"of a fallback": {service("sorry_server 10.0.0.9 80\n sorry_server_lvs_method NAT", "", "", ""), service("sorry_server 10.0.0.9 80\n sorry_server_lvs_method DR", "", "", ""),
			[]string{"b:4: not carried over: virtual_server sorry_server_lvs_method: "}},
		"another fallback": {service("sorry_server 10.0.0.8 80", "", "", ""), service("sorry_server 10.0.0.9 80", "", "", ""), []string{"b:3: not carried over: virtual_server sorry_server: "}},
		"of a server": {service("", " weight 5\n", "", ""), service("", " weight 6\n inhibit_on_failure\n", "", ""),
			[]string{"b:5: not carried over: real_server weight: ", "b:6: not carried over: real_server inhibit_on_failure: "}},
		"of all servers":      {service("weight 5", "", "", ""), service("weight 6", "", "", ""), []string{"b:3: not carried over: virtual_server weight: "}},
		"of one server alone": {service("", " weight 5\n", " weight 6\n", ""), service("", " weight 5\n", " weight 7\n", ""), []string{"b:8: not carried over: real_server weight: "}},
		"another server":      {service("", "", "", ""), service("", "", "", " real_server 10.0.0.3 80 {\n }\n"), []string{"b:8: not carried over: virtual_server real_server: "}},
		"another check":       {service("", "", "", ""), service("", " TCP_CHECK {\n }\n", "", ""), []string{"b:5: not carried over: real_server TCP_CHECK: "}},
		"of a check": {service("", " TCP_CHECK {\n  delay_loop 5\n  retry 2\n }\n", "", ""), service("", " TCP_CHECK {\n  delay_loop 6\n  retry 2\n }\n", "", ""),
			[]string{"b:6: not carried over: TCP_CHECK delay_loop: "}},
		"of all checks":   {service("delay_loop 5", " TCP_CHECK {\n }\n", "", ""), service("delay_loop 6", " TCP_CHECK {\n }\n", "", ""), []string{"b:3: not carried over: virtual_server delay_loop: "}},
		"a service alike": {service("lb_algo rr\n weight 3", " TCP_CHECK {\n }\n", " inhibit_on_failure\n", ""), service("lb_algo rr\n weight 3", " TCP_CHECK {\n }\n", " inhibit_on_failure\n", ""), nil},
		"delays of a link": {"interface_up_down_delays {\n eth9 2 3\n}\n" + instance(" track_interface {\n  eth9\n }\n"), "interface_up_down_delays {\n eth9 2 4\n}\n" + instance(" track_interface {\n  eth9\n }\n"),
			[]string{"b:2: not carried over: interface_up_down_delays: "}},
		"its rank": {instance(" priority 150\n state MASTER\n"), instance(" priority 100\n state BACKUP\n preempt_delay 5\n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := imports(t, c.a, c.b)
			var want []string
			for _, told := range c.told {
				want = append(want, told+not)
			}
			slices.Sort(want)
			got := said(r, not)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("it says %q, not %q\n%s", got, want, report(r))
			}
		})
	}
}

// someFile is a file of instances on few interfaces with few numbers, some of them in groups, so that much is there twice.
func someFile(r *rand.Rand) string {
	var all []routed
	for n := range 1 + r.IntN(5) {
		i := routed{name: fmt.Sprintf("V%d", r.IntN(6)), iface: fmt.Sprintf("eth%d", r.IntN(3)), vrid: 50 + r.IntN(4), more: fmt.Sprintf(" priority %d\n", 100+50*r.IntN(2))}
		for k := range 1 + r.IntN(3) {
			address := fmt.Sprintf("10.%d.%d.%d/24", n, r.IntN(2), k+1)
			if r.IntN(3) == 0 {
				address += fmt.Sprintf(" dev eth%d", r.IntN(3))
			}
			i.addresses = append(i.addresses, address)
		}
		i.more += []string{"", " nopreempt\n", " preempt_delay 5\n", " notify /n.sh\n", " track_interface {\n  eth9 weight 5\n }\n"}[r.IntN(5)]
		all = append(all, i)
	}
	var groups strings.Builder
	for range r.IntN(3) {
		fmt.Fprintf(&groups, "vrrp_sync_group G%d {\n group {\n", r.IntN(3))
		for range 1 + r.IntN(3) {
			fmt.Fprintf(&groups, "  V%d\n", r.IntN(6))
		}
		groups.WriteString(" }\n}\n")
	}
	return fileOf(groups.String(), all...)
}

func TestAllThatTwoHostsSayIsUnderstood(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		a, b := someFile(r), someFile(r)
		got := imports(t, a, b)
		if lines := said(got, "could not be found"); len(lines) > 0 || len(got.Config.Routers) == 0 {
			t.Fatalf("it says %q\n%s\n%s\n%s", lines, a, b, report(got))
		}
		for name, router := range got.Config.Routers {
			if told := said(got, fmt.Sprintf("%d instead of ", router.VRID)); !has(a, router) && !has(b, router) && len(told) == 0 {
				t.Fatalf("router %s has VRID %d\n%s\n%s\n%s", name, router.VRID, a, b, report(got))
			}
		}
	}
}

// has reports whether an instance of a file has the VRID of a router.
func has(file string, r fsm.Router) bool {
	return strings.Contains(file, fmt.Sprintf("virtual_router_id %d\n", r.VRID))
}
