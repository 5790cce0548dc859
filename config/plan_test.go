package config

import (
	"net/netip"
	"strings"
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
	for name, s := range c.Services.All() {
		if !g.chance(30) {
			continue
		}
		switch g.IntN(6) {
		case 0:
			c.Services = c.Services.Without(name)
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
		if c.Services.Has(name) {
			c.Services = c.Services.With(name, s)
		}
		return c
	}
	for name, r := range sorted(c.Routers) {
		switch g.IntN(10) {
		case 0:
			r.Addresses = reversed(r.Addresses)
		case 1:
			r.Peers = reversed(r.Peers)
		case 2:
			r.Routes = reversed(r.Routes)
		case 3:
			r.Rules = reversed(r.Rules)
		case 4:
			r.Needs.Uses = reversed(r.Needs.Uses)
		case 5:
			r.Needs.Hooks = reversed(r.Needs.Hooks)
		case 6:
			r.Auth = nil
		case 7:
			if r.Auth != nil {
				r.Auth.Key = ""
			}
		case 8:
			r.Excluded = nil
		case 9:
			r.Version = 0
		}
		c.Routers[name] = r
		return c
	}
	for name, t := range sorted(c.Tracks) {
		t.Kind = fsm.TrackFile
		c.Tracks[name] = t
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

	after.Services = after.Services.Without("mail")
	web := after.Services.Of("web")
	web.Scheduler = "wrr"
	web.Servers = []fsm.Server{
		web.Servers[1], {Address: netip.MustParseAddrPort("192.168.2.13:80"), Weight: 2, Inhibit: true}, web.Servers[0],
	}
	web.Servers[2].Weight = 5
	f := *web.Fallback
	f.Address = netip.MustParseAddrPort("192.168.2.251:80")
	web.Fallback = &f
	after.Services = after.Services.With("web", web)
	dns := fsm.Service{Name: "dns", Address: netip.MustParseAddrPort("192.168.1.1:53"), Protocol: fsm.UDP, Scheduler: "rr", Forward: fsm.Direct, Agreement: fsm.Any}
	dns.Servers = []fsm.Server{{Address: netip.MustParseAddrPort("192.168.2.11:53"), Weight: 1}}
	after.Services = after.Services.With("dns", dns)
	tls := after.Services.Of("tls")
	tls.Checks[1].Insecure, tls.Checks[1].CA = false, testCA
	tls.Checks[1].Body = "a text that is long enough to be cut, since a plan is to be read line by line"
	tls.Servers = tls.Servers[:1]
	after.Services = after.Services.With("tls", tls)

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

func TestAPlanOfRoutersReadsWellAndShowsNoKey(t *testing.T) {
	before, problems := ParseCluster("before.hcl", testdata(t, "plan-vrrp-before.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	after, problems := ParseCluster("after.hcl", testdata(t, "plan-vrrp-after.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	golden(t, "plan-vrrp.txt", []byte(Render(Diff(before, after))+"\n# from nothing\n\n"+Render(Diff(fsm.Config{}, after))))
	for _, c := range append(Diff(before, after), Diff(fsm.Config{}, before)...) {
		for _, f := range c.Fields {
			if strings.Contains(f.Old+f.New, "s3cr3t") || strings.Contains(f.Old+f.New, "00010203") {
				t.Errorf("a key is shown: %+v", c)
			}
		}
	}
}

func TestTheWordForAKeyThatIsKeptIsNoChange(t *testing.T) {
	router := func(auth string) fsm.Config {
		t.Helper()
		c, problems := ParseCluster("c.hcl", []byte("router \"r\" {\n  vrid = 1\n  version = 2\n  interface = \"wan\"\n  addresses = [\"192.0.2.1/24\"]\n  "+auth+"\n}\n"))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		return c
	}
	shown, given, absent := router(`auth "password" { key = "(kept)" }`), router(`auth "password" { key = "s3cr3t" }`), router(`auth "password" {}`)
	if diff := cmp.Diff(shown, absent, byValue); diff != "" || shown.Routers["r"].Auth.Key != "" {
		t.Errorf("a key that is kept is not one that is left out:\n%s", diff)
	}
	if text := string(Format(shown)); !strings.Contains(text, `auth "password" { key = "(kept)" }`) {
		t.Errorf("printed:\n%s", text)
	}
	if c := WithDefaults(fsm.Config{Routers: map[string]fsm.Router{"r": {Auth: &fsm.Auth{Kind: fsm.AuthPassword, Key: keptKey}}}}); c.Routers["r"].Auth.Key != "" {
		t.Error("a program's word for a key that is kept is taken for a key")
	}

	have := fsm.Secrets{VRRPKeys: map[string]string{"r": "s3cr3t"}}
	if changes := Diff(shown, KeepKeys(shown, given, have)); len(changes) != 0 {
		t.Errorf("the same key again: %s", Render(changes))
	}
	if given.Routers["r"].Auth.Key != "s3cr3t" {
		t.Error("KeepKeys changed its argument")
	}
	for name, kept := range map[string]fsm.Config{
		"another key":           KeepKeys(shown, given, fsm.Secrets{VRRPKeys: map[string]string{"r": "other"}}),
		"a key of another kind": KeepKeys(router(`auth "ah" {}`), given, have),
		"a key that is new":     KeepKeys(fsm.Config{}, given, fsm.Secrets{}),
	} {
		if kept.Routers["r"].Auth.Key != "s3cr3t" {
			t.Errorf("%s is not kept", name)
		}
	}

	want := "routers[\"r\"].auth.key: error: router \"r\", auth \"password\": has no key, and the cluster has none of that kind to keep (add key = \"...\")\n"
	for name, tt := range map[string]struct {
		before, after fsm.Config
		want          string
	}{
		"the cluster has it":     {shown, absent, ""},
		"the file has it":        {fsm.Config{}, given, ""},
		"nobody has it":          {fsm.Config{}, shown, want},
		"the cluster has an old": {router(`auth "ah" {}`), shown, want},
	} {
		if got := MissingKeys(tt.before, tt.after).String(); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
