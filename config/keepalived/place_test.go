package keepalived

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// pairOf is a pair of hosts with one sync group, or one router, and scripts that it tracks.
type pairOf struct {
	priority [2]int
	grouped  bool
	weights  bool // sync_group_tracking_weight
	scripts  []scriptOf
}

// scriptOf is a script with its weight, and who tracks it.
type scriptOf struct {
	weight  int
	reverse bool
	ofGroup bool
	ofBoth  bool // instances of the group
	also    *int // the weight that instances track it with which the group tracks
}

func randomPair(r *rand.Rand) pairOf {
	p := pairOf{priority: [2]int{100 + r.IntN(30), 100 + r.IntN(30)}, grouped: r.IntN(2) == 0, weights: r.IntN(2) == 0}
	for range r.IntN(4) {
		weights := []int{-25, -9, 0, 9, 25}
		s := scriptOf{weights[r.IntN(5)], r.IntN(3) == 0, p.grouped && r.IntN(2) == 0, r.IntN(2) == 0, nil}
		if s.ofGroup && r.IntN(2) == 0 {
			s.also = &weights[r.IntN(5)]
		}
		p.scripts = append(p.scripts, s)
	}
	return p
}

// file is what one of the hosts has.
func (p pairOf) file(host int) string {
	var b, group, member, other strings.Builder
	for i, s := range p.scripts {
		fmt.Fprintf(&b, "vrrp_script s%d {\n script /bin/true\n weight %d\n}\n", i, s.weight)
		reverse, own := "", &s.weight
		if s.reverse {
			reverse = " reverse"
		}
		if s.ofGroup {
			fmt.Fprintf(&group, "  s%d weight %d%s\n", i, s.weight, reverse)
			own = s.also
		}
		if own == nil {
			continue
		}
		fmt.Fprintf(&member, "  s%d weight %d%s\n", i, *own, reverse)
		if s.ofBoth {
			fmt.Fprintf(&other, "  s%d weight %d%s\n", i, *own, reverse)
		}
	}
	fmt.Fprintf(&b, "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n priority %d\n virtual_ipaddress {\n  10.0.0.1/24\n }\n track_script {\n%s }\n}\n", p.priority[host], &member)
	if p.grouped {
		fmt.Fprintf(&b, "vrrp_instance W {\n interface eth1\n virtual_router_id 2\n priority %d\n virtual_ipaddress {\n  10.0.1.1/24\n }\n track_script {\n%s }\n}\n", p.priority[host], &other)
		fmt.Fprintf(&b, "vrrp_sync_group G {\n group {\n  V\n  W\n }\n track_script {\n%s }\n", &group)
		if p.weights {
			b.WriteString(" sync_group_tracking_weight\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// inKeepalived is the priority that a host has there while scripts pass or fail, or that it is in FAULT.
func (p pairOf) inKeepalived(host int, pass []bool) (priority int, fault bool) {
	priority = p.priority[host]
	for i, s := range p.scripts {
		if s.also != nil && *s.also == 0 { // with it an instance is in FAULT, and its group, whose weight the others have
			fault = fault || pass[i] == s.reverse
		}
		switch {
		case s.weight == 0:
			fault = fault || pass[i] == s.reverse
		case p.grouped && !s.ofGroup && !(p.weights && s.ofBoth): // a weighted script of a member, or of one alone, moves nothing
		case s.weight > 0 && pass[i] || s.weight < 0 && !pass[i]:
			if s.reverse {
				priority -= s.weight
			} else {
				priority += s.weight
			}
		}
	}
	return priority, fault
}

// importedScore is the score that a director has, or that it cannot own, by what the cluster file says.
func importedScore(c fsm.Config, director string, pass []bool) (score int, unfit bool) {
	placement, uses := c.Routers["V"].Placement, c.Routers["V"].Needs.Uses
	if g, ok := c.SyncGroups["G"]; ok {
		placement, uses = g.Placement, slices.Concat(g.Needs.Uses, uses, c.Routers["W"].Needs.Uses)
	}
	score = placement.Scores[director]
	for _, u := range uses {
		var i int
		fmt.Sscanf(u.Track, "s%d", &i)
		switch {
		case u.Require:
			unfit = unfit || pass[i] == u.Reverse
		case u.Score < 0 && !pass[i] || u.Score > 0 && pass[i]:
			if u.Reverse {
				score -= u.Score
			} else {
				score += u.Score
			}
		}
	}
	return score, unfit
}

func TestWhatFailedOverFailsOver(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	moved := 0
	for n := range 400 {
		p := randomPair(r)
		in := files(map[string]string{"a": p.file(0), "b": p.file(1)})
		got, err := Import(in, []Input{{"a", "a"}, {"b", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			var pass [2][]bool
			var priority, score [2]int
			for h, name := range []string{"a", "b"} {
				for range p.scripts {
					pass[h] = append(pass[h], r.IntN(2) == 0)
				}
				var fault, unfit bool
				priority[h], fault = p.inKeepalived(h, pass[h])
				score[h], unfit = importedScore(got.Config, name, pass[h])
				if priority[h] != score[h] || fault != unfit {
					t.Fatalf("pair %d, host %s, scripts %v: priority %d, fault %v; score %d, unfit %v\n%s\n%s",
						n, name, pass[h], priority[h], fault, score[h], unfit, p.file(h), got.File)
				}
			}
			if (priority[0] > priority[1]) != (p.priority[0] > p.priority[1]) {
				moved++
			}
		}
	}
	if moved < 100 {
		t.Errorf("only %d of the cases fail over", moved)
	}
}

func TestTheHostThatTakesBackSaysWhenAndWhether(t *testing.T) {
	file := func(more string) string {
		return strings.Replace(fileOf("", routed{"V", "eth0", 1, "", []string{"192.0.2.1/24"}}), "\n", "\n"+more, 1)
	}
	for name, c := range map[string]struct {
		best, other string
		stays       bool
		delay, hold time.Duration
		told        []string // of the hosts best and other, however they are ordered
		not         string
	}{
		"the best one's delay": {"priority 150\npreempt_delay 10\n", "priority 100\npreempt_delay 30\n", false, 10 * time.Second, 13 * time.Second,
			[]string{"other:3: carried over with a difference: vrrp_instance preempt_delay: on best it is another", "best:3: carried over: vrrp_instance preempt_delay: `preempt_delay`, and in `hold`",
				`router V: preempt_delay: `}, "not carried over"},
		"none of the other": {"priority 150\npreempt_delay 30\n", "priority 100\npreempt_delay 0\n", false, 30 * time.Second, 33 * time.Second,
			[]string{"other:3: carried over with a difference: vrrp_instance preempt_delay: on best it is another"}, "the default"},
		"none, where the best is MASTER": {"priority 150\nstate MASTER\npreempt_delay 60\n", "priority 100\nstate BACKUP\npreempt_delay 30\n", false, 0, 3 * time.Second,
			[]string{"other:4: carried over with a difference: vrrp_instance preempt_delay: on best it is another"}, "longest"},
		"nopreempt of the best": {"priority 150\nnopreempt\n", "priority 100\n", true, 0, 0,
			[]string{"best:3: carried over: vrrp_instance nopreempt: `preempt = false`", "router V: preempt: "}, "not carried over"},
		"nopreempt of the other": {"priority 150\n", "priority 100\nnopreempt\n", false, 0, 3 * time.Second,
			[]string{"other:3: carried over with a difference: vrrp_instance nopreempt: on best it is not so"}, "not carried over"},
		"nopreempt of one of two that are alike": {"nopreempt\n", "preempt_delay 5\n", false, 5 * time.Second, 8 * time.Second, nil, "not carried over"},
	} {
		t.Run(name, func(t *testing.T) {
			read := files(map[string]string{"best": file(c.best), "other": file(c.other)})
			for _, order := range [][]string{{"best", "other"}, {"other", "best"}} {
				r, err := Import(read, []Input{{order[0], order[0]}, {order[1], order[1]}})
				if err != nil {
					t.Fatal(err)
				}
				holds(t, r)
				v := r.Config.Routers["V"]
				if scored := v.Placement.Policy == fsm.Score; v.NoPreempt != c.stays || v.PreemptDelay != c.delay || scored == c.stays || scored && v.Placement.Hold != c.hold {
					t.Errorf("%v: preempt %v after %v, placement %+v\n%s", order, !v.NoPreempt, v.PreemptDelay, v.Placement, report(r))
				}
				for _, words := range c.told {
					if len(said(r, words)) != 1 {
						t.Errorf("%v: no line has %q, or several have:\n%s", order, words, report(r))
					}
				}
				if lines := said(r, c.not); len(lines) > 0 {
					t.Errorf("%v: it says %q", order, lines)
				}
			}
		})
	}
}

// TestWhoHasNotTheRouterDoesNotTakeItBack is of a group whose best host does not have one of its routers.
func TestWhoHasNotTheRouterDoesNotTakeItBack(t *testing.T) {
	const group = "vrrp_sync_group G {\n group {\n  V\n  W\n }\n}\n"
	host := func(priority, delay int, names ...string) string {
		var all []routed
		for n, name := range names {
			more := fmt.Sprintf(" priority %d\n preempt_delay %d\n", priority, delay)
			all = append(all, routed{name, fmt.Sprintf("eth%d", n), n + 1, more, []string{fmt.Sprintf("10.0.%d.1/24", n)}})
		}
		return fileOf(group, all...)
	}
	r := imports(t, host(100, 10, "V", "W"), host(110, 20, "V", "W"), host(150, 30, "V"))
	if v, w := r.Config.Routers["V"].PreemptDelay, r.Config.Routers["W"].PreemptDelay; v != 30*time.Second || w != 10*time.Second {
		t.Errorf("V is taken back after %s, W after %s\n%s", v, w, report(r))
	}
	for _, words := range []string{
		"router V: preempt_delay: a \"10s\", b \"20s\", c \"30s\": that of c counts for all: it takes the addresses back",
		"b:14: carried over with a difference: vrrp_instance preempt_delay: on a it is another, and that counts for all\n",
		"router W: preempt_delay: a \"10s\", b \"20s\": that of a counts for all: it is the first that has the router, and those with the highest priority have it not",
	} {
		if !strings.Contains(report(r), words) {
			t.Errorf("%q is not said:\n%s", words, report(r))
		}
	}
}

func TestHostsOfTheSamePriorityAreTold(t *testing.T) {
	file := func(priority int, state string) string {
		return fileOf("", routed{"V", "eth0", 1, fmt.Sprintf(" priority %d\n state %s\n", priority, state), []string{"192.0.2.1/24"}})
	}
	const same = "it stays with whom it is, where keepalived takes the higher address"
	for name, c := range map[string]struct {
		hosts []string
		told  bool
	}{
		"MASTER and BACKUP": {[]string{file(100, "MASTER"), file(100, "BACKUP")}, true},
		"both BACKUP":       {[]string{file(100, "BACKUP"), file(100, "BACKUP")}, true},
		"two of three":      {[]string{file(100, "MASTER"), file(150, "BACKUP"), file(100, "BACKUP")}, true},
		"not the same":      {[]string{file(100, "MASTER"), file(99, "BACKUP")}, false},
	} {
		r := imports(t, c.hosts...)
		if lines := said(r, "group V: priority and state", same); (len(lines) == 1) != c.told {
			t.Errorf("%s: it says %q", name, lines)
		}
	}
}
