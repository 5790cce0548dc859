package sim

import (
	"fmt"
	"testing"
	"time"
)

func TestExplore(t *testing.T) {
	for _, s := range Situations() {
		line := fmt.Sprintf("%-36s %-26s %-5v", s.Segment, s.Port, s.Witness)
		for _, l := range Losses {
			seen := map[string]int{}
			for seed := range uint64(6) {
				for _, i := range []time.Duration{time.Second, 100 * time.Millisecond} {
					o, v := s.Find(seed+1, l, i)
					k := o.Serves + "/" + o.Healed
					if v != nil {
						k += " !" + v.Invariant
					}
					seen[k]++
				}
			}
			line += fmt.Sprintf(" | %v", seen)
		}
		fmt.Println(line)
	}
}
