package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// edited is the configuration that edits are tried on.
func edited(t *testing.T) fsm.Config {
	t.Helper()
	c, problems := ParseCluster("c.hcl", []byte(`
track "interface" "up" { interface = "lan" }

router "web" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.1/24"]
  version   = 2
  auth "password" { key = "s3cr3t" }
  require "up" {}
}

router "in" {
  vrid      = 52
  interface = "lan"
  addresses = ["198.51.100.1/24"]
}

sync_group "gateway" { routers = ["in"] }

service "web" {
  address   = "192.0.2.1:80"
  scheduler = "wrr"
  forward   = "direct"
  check "http" { path = "/health" }
  server "192.0.2.11:80" { weight = 1 }
  server "192.0.2.12:80" { weight = 3 }
  fallback "192.0.2.250:80" {}
}

service "mark" {
  mark      = 7
  family    = "ipv6"
  scheduler = "rr"
  forward   = "direct"
  server "2001:db8::11" {}
}
`))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEditIsWhatTheClusterFileWouldSay(t *testing.T) {
	keys := func(texts ...string) map[string]string {
		m := map[string]string{}
		for _, text := range texts {
			name, value, _ := strings.Cut(text, "=")
			m[name] = value
		}
		return m
	}
	for _, tt := range []struct {
		name string
		e    Edit
		want string
	}{
		{"a weight", Edit{Modify, KindServer, "web", "192.0.2.12:80", keys("weight=9")}, "change server web/192.0.2.12:80 (weight 3 -> 9)"},
		{"the port is the service's", Edit{Modify, KindServer, "web", "192.0.2.12", keys("weight=9", "inhibit=true")}, "change server web/192.0.2.12:80 (weight 3 -> 9, inhibit false -> true)"},
		{"back to the default", Edit{Modify, KindServer, "web", "192.0.2.12:80", keys("weight=")}, "change server web/192.0.2.12:80 (weight 3 -> 1)"},
		{"what it is already", Edit{Modify, KindServer, "web", "192.0.2.12:80", keys("weight=3")}, "no change"},
		{"a new server", Edit{Add, KindServer, "web", "192.0.2.13:80", keys("forward=tunnel")}, "add server web/192.0.2.13:80"},
		{"one less", Edit{Remove, KindServer, "web", "192.0.2.11:80", nil}, "remove server web/192.0.2.11:80"},
		{"a server without a port", Edit{Add, KindServer, "mark", "2001:db8::12", keys("weight=2")}, "add server mark/[2001:db8::12]"},
		{"another fallback", Edit{Modify, KindFallback, "web", "192.0.2.251:80", nil}, `change fallback web (address "192.0.2.250:80" -> "192.0.2.251:80")`},
		{"no fallback", Edit{Remove, KindFallback, "web", "", nil}, "remove fallback web"},
		{"a check's key", Edit{Modify, KindCheck, "web", "http", keys("interval=5s", "status=[200, 204]")}, `change check web/http (status [] -> [200, 204], interval "2s" -> "5s")`},
		{"another check", Edit{Add, KindCheck, "web", "tcp", keys("port=81")}, "add check web/tcp"},
		{"a service's key", Edit{Modify, KindService, "web", "", keys("scheduler=wlc", "persistence=5m")}, `change service web (scheduler "wrr" -> "wlc", persistence "0s" -> "5m")`},
		{"a new service", Edit{Add, KindService, "dns", "", keys("address=192.0.2.1:53", "protocol=udp")}, "add service dns"},
		{"no service", Edit{Remove, KindService, "mark", "", nil}, "remove service mark, remove server mark/[2001:db8::11]"},
		{"a router's key", Edit{Modify, KindRouter, "web", "", keys("interval=2s")}, `change router web (interval "1s" -> "2s")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := edited(t)
			c = KeepKeys(c, c, fsm.Secrets{VRRPKeys: map[string]string{"web": "s3cr3t"}})
			before := string(Format(c))
			d, err := Edited(c, []Edit{tt.e})
			if err != nil {
				t.Fatal(err)
			}
			if got := Summary(Diff(d.Part(c), d.Part(d.Apply(c)))); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if n := len(d.Routers) + len(d.Services); tt.want != "no change" && n != 1 {
				t.Errorf("%d things are touched", n)
			}
			if string(Format(c)) != before {
				t.Error("the configuration that was edited has changed")
			}
			if err := Validate(d.Apply(c)).Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnEditThatCannotBeSaysWhatWouldBe(t *testing.T) {
	for _, tt := range []struct {
		e    Edit
		want []string
	}{
		{Edit{Modify, KindServer, "wbe", "192.0.2.12:80", nil}, []string{"no service wbe: not found", `did you mean "web"?`}},
		{Edit{Modify, KindServer, "web", "192.0.2.13:80", nil}, []string{"no server of service \"web\": 192.0.2.13:80", "did you mean"}},
		{Edit{Remove, KindServer, "mark", "2001:db8::77", nil}, []string{"not found", "2001:db8::11"}},
		{Edit{Add, KindServer, "web", "192.0.2.12:80", nil}, []string{"is there already", "quorate set server web 192.0.2.12:80"}},
		{Edit{Modify, KindServer, "web", "192.0.2.12:80", map[string]string{"wieght": "3"}}, []string{"wieght", `did you mean "weight"?`}},
		{Edit{Modify, KindServer, "web", "192.0.2.12:80", map[string]string{"weight": "70000", "forward": "nta"}}, []string{"0 to 65535", `did you mean "nat"?`}},
		{Edit{Modify, KindServer, "web", "192.0.2.12:80", map[string]string{"weight = 1 } evil {": "3"}}, []string{"write KEY=VALUE"}},
		{Edit{Modify, KindServer, "web", "192.0.2.1x:80", nil}, []string{"is not an address"}},
		{Edit{Modify, KindCheck, "web", "https", nil}, []string{"no check of service \"web\": https", `did you mean "http"?`}},
		{Edit{Add, KindCheck, "web", "http", nil}, []string{"quorate set check web http"}},
		{Edit{Add, KindCheck, "web", "htps", nil}, []string{"unknown kind of check"}},
		{Edit{Remove, KindFallback, "mark", "", nil}, []string{"has no fallback: not found"}},
		{Edit{Modify, KindFallback, "mark", "[2001:db8::9]:80", nil}, []string{"has no fallback: not found", "`quorate add fallback mark ADDRESS`"}},
		{Edit{Add, KindService, "web", "", nil}, []string{"is there already"}},
		{Edit{Add, KindService, "dns", "", nil}, []string{"neither an address nor a mark"}},
		{Edit{Remove, KindRouter, "wed", "", nil}, []string{`did you mean "web"?`}},
		{Edit{Remove, KindRouter, "in", "", nil}, []string{`router "in" is in sync_group "gateway"`, "quorate show", "quorate apply"}},
		{Edit{Modify, KindRouter, "web", "", map[string]string{"name": "wed"}}, []string{`router "web" is called as it is`, "quorate add router"}},
		{Edit{Modify, KindServer, "web", "192.0.2.12:80", map[string]string{"name": "a"}}, []string{`server 192.0.2.12:80 of service "web" is called as it is`}},
		{Edit{Add, KindService, "mail", "", map[string]string{"for_each": "[1]"}}, []string{"for_each makes many"}},
		{Edit{Modify, KindHook, "web", "", nil}, []string{"only router, service, server"}},
		{Edit{"replace", KindServer, "web", "192.0.2.12:80", map[string]string{"weight": "3"}}, []string{`"replace" is no edit`, "add, change and remove"}},
		{Edit{"", KindService, "web", "", nil}, []string{`"" is no edit`}},
	} {
		_, err := Edited(edited(t), []Edit{tt.e})
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: more than one line: %v", tt.e, err)
		}
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", tt.e, err, want)
			}
		}
	}
	if _, err := Edited(edited(t), []Edit{{Verb: Remove, Kind: KindService, In: "nope"}}); !errors.Is(err, fsm.ErrNotFound) {
		t.Error(err)
	}
}

func TestADeltaNamesWhatADiffFinds(t *testing.T) {
	for seed := range 300 {
		a, b := newGenerator(seed).config(t), mutate(newGenerator(seed+10_000), newGenerator(seed).config(t))
		d := Delta(a, b)
		if diff := Diff(d.Apply(a), b); len(diff) > 0 {
			t.Fatalf("seed %d: the delta leads elsewhere:\n%s", seed, Render(diff))
		}
		if found := len(Diff(a, b)) > 0; found == d.Empty() {
			t.Fatalf("seed %d: found %t, delta %+v", seed, found, d)
		}
		for name := range d.Services {
			one := fsm.Delta{Services: map[string]*fsm.Service{name: nil}}
			if len(Diff(one.Part(a), one.Part(b))) == 0 {
				t.Errorf("seed %d: service %s is named and equal", seed, name)
			}
		}
	}
}

func TestASummaryIsALine(t *testing.T) {
	c := edited(t)
	s := c.Services.Of("web")
	for i := range 100 {
		s.Servers = append(s.Servers, fsm.Server{Address: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:80", 100+i)), Weight: 1})
	}
	after := c
	after.Services = c.Services.With("web", s)
	got := Summary(Diff(c, after))
	if !strings.HasPrefix(got, "add server web/192.0.2.100:80, add ") || !strings.Contains(got, " more") || len(got) > maxSummary+20 {
		t.Errorf("%q", got)
	}
	long := Summary([]Change{{Modify, KindCheck, "web/http", []FieldChange{{"path", "a", strings.Repeat("ä", 200)}}}})
	if len(long) > maxSummary || !strings.HasSuffix(long, "...") {
		t.Errorf("%q", long)
	}
	if diff := cmp.Diff("no change", Summary(nil)); diff != "" {
		t.Error(diff)
	}
}
