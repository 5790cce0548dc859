package config

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestADiffIsEmptyIfAndOnlyIfNothingDiffers(t *testing.T) {
	for seed := range 500 {
		a := newGenerator(seed).config(t)
		if changes := Diff(a, newGenerator(seed).config(t)); len(changes) > 0 {
			t.Fatalf("seed %d: equal configurations differ:\n%s", seed, Render(changes))
		}
		b := mutate(newGenerator(seed+10_000), newGenerator(seed).config(t))
		same := cmp.Equal(a, b, byValue)
		if changes := Diff(a, b); (len(changes) == 0) != same {
			t.Fatalf("seed %d: equal is %t, but the diff is\n%s\n%s", seed, same, Render(changes), cmp.Diff(a, b, byValue))
		}
	}
}

// mutate changes one thing, or nothing.
func mutate(g generator, c fsm.Config) fsm.Config {
	for name, s := range sorted(c.Services) {
		if !g.chance(30) {
			continue
		}
		switch g.IntN(6) {
		case 0:
			delete(c.Services, name)
		case 1:
			s.Servers = reversed(s.Servers)
		case 2:
			s.Checks = reversed(s.Checks)
		case 3:
			s.Fallback = nil
		case 4:
			s.Scheduler = "rr"
		case 5:
			for i := range s.Servers {
				s.Servers[i].Weight = 1
			}
		}
		if _, ok := c.Services[name]; ok {
			c.Services[name] = s
		}
		return c
	}
	for name, r := range sorted(c.Routers) {
		r.Addresses = reversed(r.Addresses)
		c.Routers[name] = r
		return c
	}
	return c
}

func reversed[T any](s []T) []T {
	var r []T
	for i := range s {
		r = append(r, s[len(s)-1-i])
	}
	return r
}

func TestAPlanReadsWell(t *testing.T) {
	before, problems := ParseCluster("article.hcl", testdata(t, "article.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	after, _ := ParseCluster("article.hcl", testdata(t, "article.hcl"))
	r := after.Routers["outside"]
	r.Interval = 500 * time.Millisecond
	r.Addresses = append(r.Addresses, netip.MustParsePrefix("192.168.1.2/24"))
	after.Routers["outside"] = r

	delete(after.Services, "mail")
	web := after.Services["web"]
	web.Scheduler = "wrr"
	web.Servers = []fsm.Server{
		web.Servers[1], {Address: netip.MustParseAddrPort("192.168.2.13:80"), Weight: 2, Inhibit: true}, web.Servers[0],
	}
	web.Servers[2].Weight = 5
	f := *web.Fallback
	f.Address = netip.MustParseAddrPort("192.168.2.251:80")
	web.Fallback = &f
	after.Services["web"] = web
	dns := fsm.Service{Name: "dns", Address: netip.MustParseAddrPort("192.168.1.1:53"), Protocol: fsm.UDP, Scheduler: "rr", Forward: fsm.Direct, Agreement: fsm.Any}
	dns.Servers = []fsm.Server{{Address: netip.MustParseAddrPort("192.168.2.11:53"), Weight: 1}}
	after.Services["dns"] = dns
	tls := after.Services["tls"]
	tls.Checks[1].Insecure, tls.Checks[1].CA = false, testCA
	tls.Checks[1].Body = "a text that is long enough to be cut, since a plan is to be read line by line"
	tls.Servers = tls.Servers[:1]
	after.Services["tls"] = tls

	if err := Validate(after).Err(); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", []byte(Render(Diff(before, after))))
	if got := Render(Diff(before, before)); got != "No change.\n" {
		t.Errorf("got %q", got)
	}
}

func TestAFirstConfigurationIsAllAdditions(t *testing.T) {
	for _, c := range Diff(fsm.Config{}, webConfig()) {
		if c.Verb != Add {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range Diff(webConfig(), fsm.Config{}) {
		if c.Verb != Remove {
			t.Errorf("%+v", c)
		}
	}
	if n := len(Diff(fsm.Config{}, webConfig())); n != 3+1+1+2+1 {
		t.Errorf("%d changes", n)
	}
}
