package interop

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// The same numbers on both sides: two routers with 150 and 100, and a script that takes 60 from who fails it.
const (
	better, worse, penalty = 150, 100, -60

	// passes is the script: on each host there is an interface, or there is not.
	uplink = "up0"
	passes = "/usr/bin/test -d /proc/sys/net/ipv4/conf/" + uplink
)

// scored is a cluster's router with those numbers, and keepalived's with them.
const (
	scoredBlock = `
  placement "score" { hold = "1s" }
  director "s1" { score = %d }
  director "s2" { score = %d }
  prefer "uplink" { score = %d }
}

track "script" "uplink" {
  command = [%s]
  fall    = 2
  rise    = 2
}
`
	keepalivedScript = `vrrp_script uplink {
 script "` + passes + `"
 user root
 interval 1
 weight %d
 fall 2
 rise 2
}
`
)

// scores is three directors on one segment, and two keepaliveds on another.
type scores struct {
	*lab.Article
	cell    Cell
	foreign []*lab.Host
}

func newScores(t *testing.T) *scores {
	t.Helper()
	stands.mu.Lock()
	defer stands.mu.Unlock()
	n := lab.New(t)
	s := &scores{Article: &lab.Article{Net: n, Outer: n.Segment("lan"), Inner: n.Segment("own")}}
	s.cell = Cell{Peer: Keepalived, Version: 3, Interval: 200 * time.Millisecond}
	for i := range 3 { // the third makes the quorum, and has no score
		s.Directors = append(s.Directors, n.Director(fmt.Sprintf("s%d", i+1),
			s.Outer.At(fmt.Sprintf("192.0.2.%d/24", 1+i)), s.Inner.At(fmt.Sprintf("198.51.100.%d/24", 1+i))))
	}
	s.Client = n.Host("sclient", s.Outer.At(own(clientNumber)...))
	other := n.Segment("other")
	for i, priority := range []int{better, worse} {
		h := n.Host(fmt.Sprintf("sk%d", i+1), other.At(fmt.Sprintf("192.0.2.%d/24", 11+i)))
		s.foreign = append(s.foreign, h)
		s.up(h)
		k := &keepalived{t: t, cell: s.cell, on: h, global: fmt.Sprintf(keepalivedScript, penalty), instance: " track_script {\n  uplink\n }\n"}
		k.Start(s.cell.settings(priority))
	}
	for _, d := range s.Directors {
		s.up(d.Host)
	}
	s.Cluster(t)
	return s
}

// up and down are what the script looks at.
func (s *scores) up(h *lab.Host) {
	h.MustRun("ip", "link", "add", uplink, "type", "veth", "peer", "name", uplink+"p")
}

func (s *scores) down(h *lab.Host) { h.MustRun("ip", "link", "del", uplink) }

// apply has the cluster own its router by the rest of the router's block.
func (s *scores) apply(rest string) {
	d := s.Directors[0]
	text := strings.TrimSuffix(routerFile, "}\n") + rest
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")
}

func scoredFile() string {
	var words []string
	for w := range strings.FieldsSeq(passes) {
		words = append(words, fmt.Sprintf("%q", w))
	}
	return fmt.Sprintf(scoredBlock, better, worse, penalty, strings.Join(words, ", "))
}

// await waits until a host of some has the address, and returns how long that took.
func (s *scores) await(t *testing.T, want *lab.Host, of []*lab.Host) time.Duration {
	t.Helper()
	begin := time.Now()
	lab.Eventually(t, 20*time.Second, want.Name+" owns", func() error {
		var names []string
		for _, h := range s.Holders(s.cell.virtual()) {
			if slices.Contains(of, h) {
				names = append(names, h.Name)
			}
		}
		if len(names) != 1 || names[0] != want.Name {
			return fmt.Errorf("%v do", names)
		}
		return nil
	})
	return time.Since(begin)
}

func (s *scores) hosts() (all []*lab.Host) {
	for _, d := range s.Directors {
		all = append(all, d.Host)
	}
	return all
}

// TestPlacementByScoreDoesWhatKeepalivedDoes has the same numbers on both: what fails the script loses the
// address to the other, and has it back when it passes again.
func TestPlacementByScoreDoesWhatKeepalivedDoes(t *testing.T) {
	needs(t, Keepalived)
	t.Parallel()
	s := newScores(t)
	s.apply(scoredFile())
	s.AwaitReady(t, 30*time.Second)
	ours, theirs := s.hosts(), s.foreign
	for _, step := range []struct {
		what string
		do   func(*lab.Host)
		want int // which of the two
	}{
		{"both pass: the better one", func(*lab.Host) {}, 0},
		{"the script fails: 90 is less than 100", s.down, 1},
		{"it passes again", s.up, 0},
	} {
		t.Run(step.what, func(t *testing.T) {
			probe := s.Client.Probe(lab.Probe{To: s.cell.virtual(), Interval: 5 * time.Millisecond})
			step.do(theirs[0])
			step.do(ours[0])
			theirTime := s.await(t, theirs[step.want], theirs)
			t.Logf("keepalived: %v after %v; quorate: %v after that", theirs[step.want].Name, theirTime, s.await(t, ours[step.want], ours))
			lab.Consistently(t, 3*time.Second, "both stay there", func() error {
				for _, h := range s.Holders(s.cell.virtual()) {
					if h != ours[step.want] && h != theirs[step.want] {
						return fmt.Errorf("%s has it", h.Name)
					}
				}
				return nil
			})
			if r := probe.Close(); step.want == 1 && r.Longest > slack+r.Stall {
				t.Errorf("the address was away for %v", r.Longest)
			}
		})
	}
	// The control: without the policy the same scores order the successors, and move nothing.
	t.Run("without the policy nothing moves", func(t *testing.T) {
		s.apply(strings.Replace(scoredFile(), `placement "score" { hold = "1s" }`, "", 1))
		s.down(ours[0])
		s.down(theirs[0])
		s.await(t, theirs[1], theirs)
		lab.Consistently(t, 6*time.Second, ours[0].Name+" keeps it", func() error {
			if !slices.Contains(s.Holders(s.cell.virtual()), ours[0]) {
				return errors.New("it does not")
			}
			return nil
		})
	})
}
