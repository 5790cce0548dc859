package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// routerWith is a file of one router with a line of the test's own.
func routerWith(line string) []byte {
	return []byte("router \"r\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"192.0.2.1/24\"]\n" + line + "\n}\n")
}

func TestAProfileChoosesTheIntervalThatIsNotWrittenDown(t *testing.T) {
	for _, tt := range []struct {
		line string
		want time.Duration
	}{
		{"", time.Second},
		{`profile = "lan"`, time.Second},
		{`profile = "vm"`, 2 * time.Second},
		{`profile = "fast"`, 100 * time.Millisecond},
		{"profile = \"fast\"\ninterval = \"5s\"", 5 * time.Second},
	} {
		c, problems := ParseCluster("c.hcl", routerWith(tt.line))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		if got := c.Routers["r"].Interval; got != tt.want {
			t.Errorf("%q: interval %s, want %s", tt.line, got, tt.want)
		}
		again, _ := ParseCluster("c.hcl", Format(c))
		if diff := cmp.Diff(c, again, byValue); diff != "" {
			t.Errorf("%q is another router when it was printed:\n%s", tt.line, diff)
		}
	}
}

func TestADefaultThatIsWrittenDownIsNoChange(t *testing.T) {
	short := `
route "10.0.0.0/8" { via = "192.0.2.254" }
rule {
  priority = 1
  mark = 1
}
peer "192.0.2.9" {}
auth "hmac" {}
hook "h" { command = ["/bin/true"] }
}
track "script" "s" { command = ["/bin/true"] }
track "file" "f" { path = "/f" }
track "process" "p" {
  process = "p"`
	long := `
version = 3
checksum = "pseudo"
virtual_mac = false
accept = true
address_owner = ""
preempt = true
preempt_delay = "0s"
refresh = "60s"
unicast = true
known_only = false
strict_addresses = false
excluded = []
route "10.0.0.0/8" {
  via = "192.0.2.254"
  type = "unicast"
  table = 254
  onlink = false
}
rule {
  priority = 1
  family = "ipv4"
  mark = 1
  mask = 4294967295
  type = "unicast"
  table = 254
}
peer "192.0.2.9" { min_ttl = 255 }
auth "hmac" {
  key_id = 1
  key = "(kept)"
}
hook "h" {
  command = ["/bin/true"]
  on = ["stop", "fault", "standby", "owner"]
  timeout = "30s"
}
}
track "script" "s" {
  command = ["/bin/true"]
  interval = "1s"
  timeout = "1s"
  rise = 1
  fall = 1
}
track "file" "f" {
  path = "/f"
  missing = 0
  interval = "200ms"
}
track "process" "p" {
  process = "p"
  at_least = 1
  up_delay = "0s"
  interval = "1s"`
	brief, problems := ParseCluster("short.hcl", routerWith("unicast = true\n"+short))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	wordy, problems := ParseCluster("long.hcl", routerWith(long))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(brief, wordy, byValue); diff != "" {
		t.Errorf("(-short +long):\n%s", diff)
	}
	model := fsm.Config{Tracks: map[string]fsm.Track{"f": {Name: "f", Kind: fsm.TrackFile, Path: "/f", Interval: 200 * time.Millisecond, Rise: 1, Command: []string{}}}}
	want := fsm.Config{Tracks: map[string]fsm.Track{"f": {Name: "f", Kind: fsm.TrackFile, Path: "/f"}}}
	if diff := cmp.Diff(want, WithDefaults(model), byValue); diff != "" {
		t.Errorf("a program's model (-want +got):\n%s", diff)
	}
	if changes := Diff(brief, wordy); len(changes) > 0 {
		t.Errorf("a plan calls it a change:\n%s", Render(changes))
	}
}

func TestAnnouncingNothingAgainIsSaidByZeroAndStoredAsLessThanThat(t *testing.T) {
	c, problems := ParseCluster("c.hcl", routerWith(`refresh = "0s"`))
	if problems.Err() != nil || c.Routers["r"].Refresh >= 0 {
		t.Fatalf("refresh %d, %v", c.Routers["r"].Refresh, problems)
	}
	r := c.Routers["r"]
	r.Refresh = -time.Hour
	c.Routers["r"] = r
	if got := WithDefaults(c).Routers["r"].Refresh; got != none {
		t.Errorf("a program's %s is stored as %d", r.Refresh, got)
	}
	if !strings.Contains(string(Format(c)), `refresh   = "0s"`) {
		t.Errorf("printed:\n%s", Format(c))
	}
}

func TestAnAdvertisementHasRoomForSoManyAddresses(t *testing.T) {
	v6 := func(n int) (all []netip.Prefix) {
		for i := range n {
			all = append(all, netip.MustParsePrefix(fmt.Sprintf("fe80::%x/64", i+1)))
		}
		return all
	}
	v4 := func(n int) (all []netip.Prefix) {
		for i := range n {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 200), byte(1 + i%200)}), 8))
		}
		return all
	}
	hmac := &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1}
	for _, tt := range []struct {
		name      string
		addresses []netip.Prefix
		auth      *fsm.Auth
		wrong     bool
	}{
		{"255 of IPv4", v4(255), nil, false},
		{"256 of IPv4", v4(256), nil, true},
		{"255 of IPv4, signed", v4(255), hmac, false},
		{"90 of IPv6", v6(90), nil, false},
		{"91 of IPv6", v6(91), nil, true},
		{"88 of IPv6, signed", v6(88), hmac, false},
		{"89 of IPv6, signed", v6(89), hmac, true},
	} {
		c := fsm.Config{Routers: map[string]fsm.Router{"r": {Name: "r", VRID: 1, Interface: "wan", Interval: time.Second, Addresses: tt.addresses, Auth: tt.auth}}}
		if err := Validate(c).Err(); (err != nil) != tt.wrong {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAServiceOnAnExcludedAddressIsHeld(t *testing.T) {
	src := string(routerWith(`excluded = ["192.0.2.2/24"]`)) + "service \"w\" {\n  address = \"192.0.2.2:80\"\n  server \"192.0.2.9\" {}\n}\n"
	if _, problems := ParseCluster("c.hcl", []byte(src)); len(problems) > 0 {
		t.Errorf("problems:\n%s", problems)
	}
}

func TestRoutersMayHaveTheSameRouteButNotOneForTheOther(t *testing.T) {
	router := func(name, vrid, route string) string {
		return fmt.Sprintf("router %q {\n vrid = %s\n interface = \"wan\"\n addresses = [\"192.0.2.%s/24\"]\n route %s\n}\n", name, vrid, vrid, route)
	}
	const first = `"10.0.0.0/8" { via = "192.0.2.254" }`
	for _, tt := range []struct {
		name, other string
		want        bool
	}{
		{"the same", first, true},
		{"another next router", `"10.0.0.0/8" { via = "192.0.2.253" }`, false},
		{"another metric", "\"10.0.0.0/8\" {\n via = \"192.0.2.253\"\n metric = 1\n}", true},
		{"another table", "\"10.0.0.0/8\" {\n via = \"192.0.2.253\"\n table = 1\n}", true},
		{"a part of it", `"10.0.0.0/9" { via = "192.0.2.253" }`, true},
	} {
		src := router("a", "1", first) + router("b", "2", tt.other)
		if _, problems := ParseCluster("c.hcl", []byte(src)); (problems.Err() == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, problems)
		}
	}
	src := router("a", "1", "\"2001:db8::/32\" {\n interface = \"wan\"\n metric = 1024\n}") + router("b", "2", `"2001:db8::/32" { interface = "lan" }`)
	if _, problems := ParseCluster("c.hcl", []byte(src)); problems.Err() == nil {
		t.Error("the metric that the kernel gives an IPv6 route is taken for another one")
	}
}

func TestAModelOfARouterWithoutAFileGetsPathsInsteadOfLines(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(c *fsm.Config, r *fsm.Router)
		want   string
	}{
		{"nothing is wrong", func(*fsm.Config, *fsm.Router) {}, ""},
		{"preempt", func(_ *fsm.Config, r *fsm.Router) { r.NoPreempt, r.AddressOwner = true, "d1" },
			`routers["outside"].no_preempt: error: router "outside": an address owner takes from everybody (leave one of them out; the other is address_owner of router "outside")`},
		{"a peer", func(_ *fsm.Config, r *fsm.Router) { r.Peers = []fsm.Peer{{}} },
			`routers["outside"].peers[0].address: error: router "outside", peer invalid IP: the address is none`},
		{"a peer's loopback", func(_ *fsm.Config, r *fsm.Router) { r.Peers = []fsm.Peer{{Address: netip.MustParseAddr("127.0.0.1")}} },
			`routers["outside"].peers[0].address: error: router "outside", peer 127.0.0.1: is a loopback address`},
		{"the kind of auth", func(_ *fsm.Config, r *fsm.Router) { r.Auth = &fsm.Auth{Kind: "md5"} },
			`routers["outside"].auth.kind: error: router "outside": unknown kind of auth "md5" (one of password, ah, hmac)`},
		{"an other key without a number", func(_ *fsm.Config, r *fsm.Router) {
			r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1, OtherKey: strings.Repeat("0f", 32)}
		}, `routers["outside"].auth.other_key_id: error: router "outside", auth "hmac": the other key has no number (add other_key_id, which is not that of the key)`},
		{"two keys of one number", func(_ *fsm.Config, r *fsm.Router) { r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1, OtherID: 1} },
			`routers["outside"].auth.other_key_id: error: router "outside", auth "hmac": both keys have the number 1 (adverts say by which key they are signed: give the new key another number; the other is auth.key_id of router "outside")`},
		{"an other password", func(_ *fsm.Config, r *fsm.Router) {
			r.Version, r.Auth = 2, &fsm.Auth{Kind: fsm.AuthPassword, OtherKey: "x"}
		}, `routers["outside"].auth.other_key_id: error: router "outside", auth "password": it has no other key (leave it out)` + "\n" +
			`routers["outside"].auth: warning: router "outside", auth "password": a password is no security: every advert shows it (for old routers only; "hmac" is security)`},
		{"a route to nowhere", func(_ *fsm.Config, r *fsm.Router) { r.Routes = []fsm.Route{{Interface: "wan"}} },
			`routers["outside"].routes[0].to: error: router "outside", route invalid Prefix: a network that is none (write it as in 10.0.0.0/8)`},
		{"a rule's family", func(_ *fsm.Config, r *fsm.Router) {
			r.Rules = []fsm.Rule{{Priority: 1, IPv6: true, From: netip.MustParsePrefix("10.0.0.0/8")}}
		}, `routers["outside"].rules[0].ipv6: error: router "outside", rule: family is ipv6, and the networks are not (leave it out: from and to say it)`},
		{"a requirement's score", func(c *fsm.Config, r *fsm.Router) {
			c.Tracks = map[string]fsm.Track{"t": {Name: "t", Kind: fsm.TrackFile, Path: "/t"}}
			r.Needs.Uses = []fsm.Use{{Track: "t", Require: true, Score: 1}}
		}, `routers["outside"].needs.uses[0].score: error: router "outside", require t: score means nothing to it: a director that fails it cannot own at all (leave it out)`},
		{"a track that is not there", func(_ *fsm.Config, r *fsm.Router) { r.Needs.Uses = []fsm.Use{{Track: "t", Require: true}} },
			`routers["outside"].needs.uses[0]: error: router "outside", require t: there is no track "t" (there is no track at all; add track "interface" "t" { ... })`},
		{"a hook without a command", func(_ *fsm.Config, r *fsm.Router) { r.Needs.Hooks = []fsm.Hook{{Name: "h"}} },
			`routers["outside"].needs.hooks[0].command: error: router "outside", hook h: has no command (write command = ["/usr/local/bin/hook", "ARGUMENT"])`},
		{"a track of a kind that is none", func(c *fsm.Config, r *fsm.Router) {
			c.Tracks = map[string]fsm.Track{"t": {Name: "t", Kind: "bfd"}}
			r.Needs.Uses = []fsm.Use{{Track: "t", Require: true}}
		}, `tracks["t"].kind: error: track "t": kind "bfd" is not known (one of interface, script, file, process)`},
		{"a track with another kind's key", func(c *fsm.Config, r *fsm.Router) {
			c.Tracks = map[string]fsm.Track{"t": {Name: "t", Kind: fsm.TrackInterface, Interface: "wan", Rise: 2}}
			r.Needs.Uses = []fsm.Use{{Track: "t", Require: true}}
		}, `tracks["t"].rise: error: track "t": rise means nothing to it (known here: interface, up_delay, down_delay)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := webConfig()
			r := c.Routers["outside"]
			tt.change(&c, &r)
			c.Routers["outside"] = r
			if diff := cmp.Diff(tt.want, strings.TrimSuffix(Validate(c).String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheLabelsOfATrackAreMissedByName(t *testing.T) {
	for src, want := range map[string]string{
		"track { }":                  "c.hcl:1:7: error: track block has no kind (write track \"KIND\" \"NAME\" { ... })\n",
		"track \"file\" { }":         "c.hcl:1:14: error: track block has no name (write track \"KIND\" \"NAME\" { ... })\n",
		"track \"a\" \"b\" \"c\" {}": "c.hcl:1:15: error: track block has a word too many before its brace (write track \"KIND\" \"NAME\" { ... })\n",
	} {
		if _, problems := ParseCluster("c.hcl", []byte(src+"\n")); problems.String() != want {
			t.Errorf("%s: %s", src, problems)
		}
	}
	if _, problems := ParseCluster("c.json", []byte(`{"track": {"file": {"path": "/f"}}}`)); problems.Err() == nil {
		t.Error("a track without a name is taken, in JSON")
	}
}

// FRR speaks from a virtual link-local address, where that is the first one of its interface.
func TestAPeerMayBeNamedByAVirtualLinkLocalAddress(t *testing.T) {
	refused := `routers["r"].peers[0].address: error: router "r", peer %s: is one of the router's virtual addresses (write the address that its adverts come from)`
	for _, tt := range []struct {
		name, peer string
		unicast    bool
		ok         bool
	}{
		{"link-local", "fe80::51", false, true},
		{"global", "2001:db8::51", false, false},
		{"sent to by itself", "fe80::51", true, false},
	} {
		r := fsm.Router{
			Name: "r", VRID: 51, Interface: "wan", Interval: time.Second, Unicast: tt.unicast,
			Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::51/64"), netip.MustParsePrefix("2001:db8::51/64")},
			Peers:     []fsm.Peer{{Address: netip.MustParseAddr(tt.peer)}},
		}
		want := ""
		if !tt.ok {
			want = fmt.Sprintf(refused, tt.peer)
		}
		got := strings.TrimSpace(Validate(fsm.Config{Routers: map[string]fsm.Router{"r": r}}).String())
		if got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}
