package config

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config/syntax"
	"github.com/quorate/quorate/fsm"
)

// byValue lets cmp compare addresses.
var byValue = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Transformer("plain", func(m fsm.Map[fsm.Service]) map[string]fsm.Service { return maps.Collect(m.All()) }),
}

// webService is the first part of the article's file.
func webConfig() fsm.Config {
	fallback := fsm.Server{Address: netip.MustParseAddrPort("192.168.2.250:80"), Weight: 1}
	return fsm.Config{
		Routers: map[string]fsm.Router{
			"outside": {Name: "outside", VRID: 51, Interface: "wan", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.1.1/24")}, Interval: time.Second},
			"inside":  {Name: "inside", VRID: 52, Interface: "lan", Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.2.1/24")}, Interval: time.Second},
		},
		SyncGroups: map[string]fsm.SyncGroup{"gateway": {Name: "gateway", Routers: []string{"outside", "inside"}}},
		Services: fsm.MapOf(map[string]fsm.Service{"web": {
			Name: "web", Address: netip.MustParseAddrPort("192.168.1.1:80"), Protocol: fsm.TCP,
			Scheduler: "wlc", Forward: fsm.NAT, Agreement: fsm.Majority,
			Checks: []fsm.Check{{Kind: fsm.CheckHTTP, Path: "/health", Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 2}},
			Servers: []fsm.Server{
				{Address: netip.MustParseAddrPort("192.168.2.11:80"), Weight: 1},
				{Address: netip.MustParseAddrPort("192.168.2.12:80"), Weight: 3},
			},
			Fallback: &fallback,
		}}),
	}
}

func TestTheArticlesFileParsesWithoutAWord(t *testing.T) {
	c, problems := ParseCluster("article.hcl", testdata(t, "article.hcl"))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	if diff := cmp.Diff(webConfig().Services.Of("web"), c.Services.Of("web"), byValue); diff != "" {
		t.Errorf("web (-want +got):\n%s", diff)
	}
	if c.Services.Len() != 4 || len(c.Routers) != 2 || len(c.SyncGroups) != 1 {
		t.Errorf("got %d services, %d routers, %d sync groups", c.Services.Len(), len(c.Routers), len(c.SyncGroups))
	}
	if got := c.Services.Of("tls").Servers[0].Address; got != netip.MustParseAddrPort("192.168.2.11:443") {
		t.Errorf("a server without a port has %s, want the service's port", got)
	}
	golden(t, "article.format.hcl", Format(c))
}

func TestJSONSaysTheSame(t *testing.T) {
	c, problems := ParseCluster("article.json", testdata(t, "article.json"))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	if diff := cmp.Diff(webConfig(), c, byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryMistakeIsSaidAtOnceWithItsPlace(t *testing.T) {
	for _, name := range []string{"mistakes", "mistakes-vrrp", "mistakes-placement"} {
		c, problems := ParseCluster(name+".hcl", testdata(t, name+".hcl"))
		if problems.Err() == nil {
			t.Fatal("no error")
		}
		if !cmp.Equal(c, fsm.Config{}) {
			t.Errorf("a file with mistakes gave %+v", c)
		}
		golden(t, name+".txt", []byte(problems.String()))
		for _, p := range problems {
			if p.Line == 0 || p.Column == 0 {
				t.Errorf("no place: %s", p)
			}
		}
	}
}

func TestWhatIsOddIsAWarningWithItsPlace(t *testing.T) {
	for _, name := range []string{"warnings", "doubts"} {
		_, problems := ParseCluster(name+".hcl", testdata(t, name+".hcl"))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		golden(t, name+".txt", []byte(problems.String()))
	}
}

// line is a file of one router, into which a test puts its own line.
func withRouter(line string) string {
	return "router \"r\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"192.0.2.1/24\"]\n}\n" + line
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, file, src string
		want            string // all of it
	}{
		{"an empty file is an empty configuration", "c.hcl", "", ""},
		{"an empty JSON object is one too", "c.json", "{}", ""},
		{"and so are empty lists of blocks", "c.json", `{"service": {}, "router": []}`, ""},
		{"nothing vanishes as null", "c.json", "{\"service\": {\n\"w\": null}}", "c.json:2:6: error: null is not a value\n"},
		{"nor hides anything else", "c.json", `{"locals": null, "service": {"a": {"adress": "x"}}}`,
			"c.json:1:12: error: null is not a value\nc.json:1:36: error: service \"a\": unknown key \"adress\" (did you mean \"address\"?)\n"},
		{"a word that begins like null is another", "c.json", `{"service": None}`,
			"c.json:1:13: error: \"None\" is not a valid JSON keyword\nc.json:1:13: error: either a JSON object or JSON array of objects is required here, to specify name labels for this block\n"},
		{"a byte order mark is none of JSON", "c.json", "\ufeff{}", ""},
		{"a key that is there twice hides nothing", "c.hcl", withRouter("sync_group \"g\" {\n  routers = [\"nope\"]\n  routers = [\"nope\"]\n}\n"),
			"c.hcl:7:15: error: sync_group \"g\": there is no router \"nope\" (one of r)\nc.hcl:8:3: error: the argument \"routers\" was already set at c.hcl:7,3-10. Each argument may be set only once\n"},
		{"a service whose address no router holds is a warning", "c.hcl",
			withRouter("service \"w\" {\n  address = \"192.0.2.2:80\"\n  server \"192.0.2.9\" {}\n}\n"),
			"c.hcl:7:14: warning: service \"w\": no router holds 192.0.2.2 (add it to a router's addresses, unless it comes to the directors in another way)\n"},
		{"a service without servers is a warning", "c.hcl",
			withRouter("service \"w\" { address = \"192.0.2.1:80\" }\n"),
			"c.hcl:6:9: warning: service \"w\": has no servers (add server \"ADDRESS:PORT\" {})\n"},
		{"a misspelt key gets the nearest", "c.hcl",
			withRouter("service \"w\" {\n  address = \"192.0.2.1:80\"\n  schedular = \"rr\"\n  server \"192.0.2.9\" {}\n}\n"),
			"c.hcl:8:3: error: service \"w\": unknown key \"schedular\" (did you mean \"scheduler\"?)\n"},
		{"in JSON too, with the place of the name", "c.json",
			"{\"service\": {\"w\": {\n  \"address\": \"192.0.2.1:80\", \"schedular\": \"rr\", \"server\": {\"192.0.2.9\": {}}}}}",
			"c.json:2:30: error: service \"w\": unknown key \"schedular\" (did you mean \"scheduler\"?)\n"},
		{"JSON has templates", "c.json",
			`{"router": {"r": {"vrid": 1, "interface": "${x}", "addresses": ["192.0.2.1/24"]}}}`,
			"c.json:1:46: error: router \"r\": interface is a bare word; text needs quotes (write interface = \"x\")\n"},
		{"and a way to write their characters", "c.json",
			`{"router": {"r": {"vrid": 1, "interface": "$${x}%%{y", "addresses": ["192.0.2.1/24"]}}}`, "c.json:1:43: error: router \"r\": interface \"${x}%{y\" is not an interface name (no spaces, slashes, colons, quotes or percent signs)\n"},
		{"syntax errors do not hide what can be read, nor invent what is missing", "c.hcl",
			"router \"r\" {\n  vrid = 400\n  interface =\n",
			"c.hcl:2:10: error: router \"r\": vrid is 400; it must be 1 to 255\n" +
				"c.hcl:3:14: error: expected the start of an expression, but found an invalid expression token\n"},
		{"JSON syntax", "c.json", `{"router": {`, "c.json:1:1: error: no closing brace was found for this JSON object\n" +
			"c.json:1:1: error: the root value in a JSON-based configuration must be either a JSON object or a JSON array of objects\n" +
			"c.json:1:13: error: a JSON object property name must be a string\n" +
			"c.json:1:13: error: the JSON data ends prematurely\n"},
		{"keepalived's words are known", "c.hcl",
			withRouter("service \"w\" {\n  address = \"192.0.2.1:80\"\n  lb_algo = \"rr\"\n  server \"192.0.2.9\" {}\n}\n"),
			"c.hcl:8:3: error: service \"w\": unknown key \"lb_algo\" (here it is scheduler)\n"},
		{"link-local addresses belong to their wire", "c.hcl",
			"router \"a\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"fe80::1/64\"]\n}\nrouter \"b\" {\n  vrid = 1\n  interface = \"lan\"\n  addresses = [\"fe80::1/64\"]\n}\n", ""},
		{"the same VRID is free in the other family", "c.hcl",
			withRouter("router \"b\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"fe80::1/64\", \"2001:db8::1/64\"]\n}\n"), ""},
		{"a group must not be called as a router outside of it", "c.hcl",
			withRouter("router \"b\" {\n  vrid = 2\n  interface = \"wan\"\n  addresses = [\"192.0.2.2/24\"]\n}\nsync_group \"r\" { routers = [\"b\"] }\n"),
			"c.hcl:11:12: error: sync_group \"r\": a router outside of it has the same name (groups and routers are named alike in commands; the other is on line 1)\n"},
		{"numbers beyond all bounds", "c.json",
			`{"router": {"r": {"vrid": 1e600000000, "interface": "wan", "interval": 1e-600000000, "addresses": ["192.0.2.1/24"]}}}`,
			"c.json:1:27: error: router \"r\": vrid is beyond all bounds; it must be 1 to 255\n" +
				"c.json:1:72: error: router \"r\": interval has no unit (write interval = \"2s\")\n"},
		{"duplicate keys", "c.hcl", withRouter("sync_group \"g\" {\n  routers = [\"r\"]\n  routers = [\"r\"]\n}\n"),
			"c.hcl:8:3: error: the argument \"routers\" was already set at c.hcl:7,3-10. Each argument may be set only once\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseCluster(tt.file, []byte(tt.src))
			if diff := cmp.Diff(tt.want, problems.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestADefaultTimeoutIsNeverLongerThanItsInterval(t *testing.T) {
	c, problems := ParseCluster("c.hcl", []byte(withRouter("service \"w\" {\n  address = \"192.0.2.1:80\"\n  check \"tcp\" { interval = \"500ms\" }\n  server \"192.0.2.9\" {}\n}\n")))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	if got := c.Services.Of("w").Checks[0].Timeout; got != 500*time.Millisecond {
		t.Errorf("timeout %s, want 500ms", got)
	}
}

func TestAbsurdInputIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, file, src, want string
	}{
		{"too large", "c.hcl", strings.Repeat("#", syntax.MaxSize+1), "c.hcl: error: the file has 8388609 bytes; the limit is 8388608\n"},
		{"brackets", "c.hcl", "a = " + strings.Repeat("[", 100_000), "c.hcl:1:37: error: nested more than 32 levels deep\n"},
		{"negations", "c.hcl", "a = " + strings.Repeat("-", 1_000_000), "c.hcl:1:405: error: more than 400 signs in one value\n"},
		{"conditions", "c.hcl", "a = " + strings.Repeat("1?", 1_000_000), "c.hcl:1:806: error: more than 400 signs in one value\n"},
		{"templates", "c.hcl", "a = \"" + strings.Repeat("%{if true}", 100_000), "c.hcl:1:4006: error: more than 400 signs in one value\n"},
		{"splats", "c.hcl", "a = b" + strings.Repeat("[*]", 600_000), "c.hcl:1:1204: error: more than 400 signs in one value\n"},
		{"indexes", "c.hcl", "a = b" + strings.Repeat("[0]", 600_000), "c.hcl:1:1206: error: more than 400 signs in one value\n"},
		{"digits", "c.hcl", "a = " + strings.Repeat("9", 1_000_000), "c.hcl:1:5: error: a number of more than 64 digits\n"},
		{"exponents", "c.hcl", "a = 1e10000", "c.hcl:1:5: error: a number beyond all bounds\n"},
		{"signs behind comments", "c.hcl", "a = " + strings.Repeat("- /**/", 1000), "c.hcl:1:2405: error: more than 400 signs in one value\n"},
		{"signs in a for", "c.hcl", "a = {for b in c : b => " + strings.Repeat("-\n", 1000), "c.hcl:399:1: error: more than 400 signs in one value\n"},
		{"signs, nothing but", "c.hcl", strings.Repeat("[", 3_000_000), "c.hcl: error: the file has 3000000 brackets and other signs; the limit is 2097152\n"},
		{"JSON templates", "c.json", `{"locals": {"a": "${` + strings.Repeat("-", 1000) + `1}"}}`, "c.json:1:420: error: more than 400 signs in one value\n"},
		{"JSON digits", "c.json", "{\"a\": " + strings.Repeat("9", 1_000_000), "c.json:1:71: error: a number of more than 64 digits\n"},
		{"JSON brackets", "c.json", "{\"a\":\n" + strings.Repeat("[", 100_000), "c.json:2:32: error: nested more than 32 levels deep\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, problems := ParseCluster(tt.file, []byte(tt.src)); problems.String() != tt.want {
				t.Errorf("got %.300s want %s", problems, tt.want)
			}
		})
	}
}

func TestManyWarningsAreNoError(t *testing.T) {
	var b strings.Builder
	b.WriteString("router \"r\" {\n vrid = 1\n interface = \"eth0\"\n addresses = [\"10.0.0.1/32\"]\n}\n")
	for i := range maxProblems + 500 { // nobody holds their addresses
		fmt.Fprintf(&b, "service \"s%d\" {\n address = \"10.1.%d.%d:80\"\n server \"10.9.0.1:80\" {}\n}\n", i, i/250, i%250+1)
	}
	c, problems := ParseCluster("c.hcl", []byte(b.String()))
	if err := problems.Err(); err != nil || c.Services.Len() != maxProblems+500 {
		t.Errorf("%d services, and %v", c.Services.Len(), err)
	}
	if last := problems[len(problems)-1]; len(problems) != maxProblems+1 || !last.Warning || last.Text != "500 more problems" {
		t.Errorf("%d problems, the last: %s", len(problems), last)
	}
	if found := Validate(c); found.Err() != nil {
		t.Errorf("a model with the same: %v", found.Err())
	}
	b.WriteString("service \"z\" {\n address = \"10.2.0.1:80\"\n scheduler = \"none\"\n}\n")
	c, problems = ParseCluster("c.hcl", []byte(b.String()))
	if errs := problems.Errors(); c.Services.Len() != 0 || len(errs) != 1 || !strings.Contains(errs[0].Text, `"none"`) {
		t.Errorf("%d services, and of the one mistake behind the warnings %v", c.Services.Len(), errs)
	}
}

func TestManyProblemsEnd(t *testing.T) {
	_, problems := ParseCluster("c.hcl", []byte(strings.Repeat("x {}\n", 5000)))
	if len(problems) != maxProblems+1 || problems[maxProblems].Text != "4000 more problems" {
		t.Errorf("got %d problems, the last: %s", len(problems), problems[len(problems)-1])
	}
}
