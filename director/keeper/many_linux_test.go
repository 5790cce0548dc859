package keeper

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestFiveHundredRealRouters(t *testing.T) {
	spaces := segment(t, 2)
	order := func(priority uint8) Order {
		o := Order{Members: realOrder.Members}
		for i := range 500 {
			r := Router{Name: fmt.Sprint(i), VRID: uint8(1 + i%250), Interface: "eth0", Interval: time.Second}
			r.Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 1}), 8)}
			if i >= 250 {
				r.Addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("fe80::1:%x/64", i))}
			}
			o.Groups = append(o.Groups, Group{Name: fmt.Sprintf("g%d", i), Priority: priority, Routers: []Router{r}})
		}
		return o
	}
	count := func(s *space) int {
		return strings.Count(ip(t, "-n", s.name, "-o", "addr", "show", "dev", "eth0"), "\n") - 2
	}
	active := func(s *space) (n int) {
		for _, g := range s.Latest().Groups {
			if g.State == "active" {
				n++
			}
		}
		return n
	}
	a, b := spaces[0], spaces[1]
	for i, s := range []*space{a, b} {
		s.run()
		if err := s.Set(t.Context(), order([]uint8{220, 160}[i])); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			s.wait("it owns all", func() bool { return active(s) == 500 && count(s) == 500 })
		}
	}
	time.Sleep(5 * time.Second)
	if n := active(b); n > 0 {
		t.Errorf("beside a live owner %d are active", n)
	}
	begin := time.Now()
	a.kill()
	b.wait("it owns all", func() bool { return active(b) == 500 && count(b) == 500 })
	t.Logf("all taken over after %v", time.Since(begin))
}
