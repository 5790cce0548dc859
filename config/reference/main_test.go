package main

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config"
)

func TestTheReferenceIsWhatTheCodeSays(t *testing.T) {
	want, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/reference.md")
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("write it again with `make reference`: %v (-code +docs/reference.md)\n%s", err, diff)
	}
}

func TestTheCoverageOfTheImporterIsWhatTheCodeSays(t *testing.T) {
	want, err := coverage()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/import-keepalived.md")
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("write it again with `make reference`: %v (-code +docs/import-keepalived.md)\n%s", err, diff)
	}
}

func TestEveryTextIsOfAKeyThatThereIs(t *testing.T) {
	known := make(map[string]bool)
	every(func(b config.Block, k config.Key) { known[b.Name+" "+k.Name] = true })
	for name := range texts() {
		if !known[name] {
			t.Errorf("there is no key %s", name)
		}
	}
	if len(known) < 90 {
		t.Errorf("only %d keys found", len(known))
	}
}

func visit(b config.Block, f func(config.Block, config.Key)) {
	for _, k := range b.Keys {
		f(b, k)
	}
	for _, inner := range b.Blocks {
		visit(inner, f)
	}
}

// frames are files with one block of each kind in which KEYS is to be filled in; behind the bar are keys that
// must be there.
var frames = map[string]string{
	"sync_group": "router \"outside\" {\n vrid=1\n interface=\"wan\"\n addresses=[\"192.168.1.1/24\"]\n}\nrouter \"inside\" {\n vrid=2\n interface=\"lan\"\n addresses=[\"192.168.2.1/24\"]\n}\nsync_group \"g\" {\nKEYS}\n|routers=[\"outside\"]",
	"router":     "router \"r\" {\nKEYS}\n|vrid=1|interface=\"wan\"|addresses=[\"192.168.1.1/24\"]",
	"peer":       inRouter("peer \"192.168.1.9\" {\nKEYS}", "unicast=true"),
	"auth":       inRouter("auth \"hmac\" {\nKEYS}", ""),
	"route":      inRouter("route \"10.0.0.0/8\" {\nKEYS}", "") + "|via=\"192.168.1.254\"",
	"rule":       inRouter("rule {\nKEYS}", "") + "|priority=1|mark=1",
	"placement":  inRouter("placement \"KIND\" {\nKEYS}", "") + "|directors=[\"lb1\"]",
	"director":   inRouter("director \"lb1\" {\nKEYS}", "") + "|score=100",
	"require":    inRouter("require \"t\" {\nKEYS}", ""),
	"prefer":     inRouter("prefer \"t\" {\nKEYS}", "") + "|score=1",
	"hook":       inRouter("hook \"h\" {\nKEYS}", "") + "|command=[\"/bin/true\"]",
	"service":    "service \"s\" {\nKEYS}\n|address=\"192.168.1.1:80\"|persistence=\"1m\"",
	"server":     inService("server \"192.168.2.11:80\" {\nKEYS}"),
	"fallback":   inService("fallback \"192.168.2.11:80\" {\nKEYS}"),
	"check":      inService("check \"KIND\" {\nKEYS}") + "|command=[\"/bin/true\"]",
	"track":      "track \"KIND\" \"t\" {\nKEYS}\n|interface=\"wan\"|command=[\"/bin/true\"]|path=\"/run/x\"|process=\"x\"",
	"agent":      "KEYS|name=\"x\"|bind=\"192.0.2.9\"",
	"join":       "name=\"x\"\nbind=\"192.0.2.9\"\njoin {\nKEYS}|address=\"192.0.2.1\"|token_file=\"/etc/token\"",
}

func inRouter(block, key string) string {
	return "track \"interface\" \"t\" {\n interface=\"wan\"\n}\nrouter \"r\" {\n vrid=1\n interface=\"wan\"\n addresses=[\"192.168.1.1/24\"]\n" + key + "\n" + block + "\n}\n"
}

func inService(block string) string {
	return "service \"s\" {\n address=\"192.168.1.1:80\"\n" + block + "\n}\n"
}

// besides are what a key cannot stand without, or with.
var besides = map[string]struct{ with, without string }{
	"router strict_addresses": {with: "version=2"}, "router checksum": {}, "auth key_id": {}, "auth other_key": {with: "other_key_id=2"}, "route type": {without: "via"},
	"route onlink": {with: "interface=\"wan\""}, "rule type": {}, "service mark": {without: "address"}, "rule family": {},
	"service family": {with: "mark=1", without: "address"}, "service persistence_mask": {}, "track missing_fails": {},
	"track command_line": {without: "process"}, "track at_most": {with: "at_least=1"}, "check timeout": {with: "interval=\"24h\""},
	"check insecure": {}, "join token": {without: "token_file"}, "track at_least": {}, "rule mask": {with: "mark=0", without: "mark"},
	"rule mark": {with: "mask=4294967295"},
}

// read reads a file with one key set in its frame, or without it if value is "".
func read(b config.Block, k config.Key, value string) (any, config.Problems) {
	parts := strings.Split(frames[b.Name], "|")
	beside := besides[b.Name+" "+k.Name]
	kind, meant := "https", map[string]bool{}
	if len(b.Kinds) > 0 {
		kind = b.Kinds[0]
	}
	if len(k.Kinds) > 0 {
		kind = k.Kinds[0]
	}
	for _, key := range b.Keys {
		meant[key.Name] = len(key.Kinds) == 0 || strings.Contains(" "+strings.Join(key.Kinds, " ")+" ", " "+kind+" ")
	}
	var keys strings.Builder
	for _, base := range append(parts[1:], beside.with) {
		if name, _, _ := strings.Cut(base, "="); name != k.Name && name != beside.without && meant[name] {
			keys.WriteString(base + "\n")
		}
	}
	if value != "" {
		fmt.Fprintf(&keys, "%s = %s\n", k.Name, value)
	}
	src := strings.NewReplacer("KEYS", keys.String(), "KIND", kind).Replace(parts[0])
	if b.Name == "agent" || b.Name == "join" {
		return parse(config.ParseAgent(b.Name+".hcl", []byte(src)))
	}
	return parse(config.ParseCluster(b.Name+".hcl", []byte(src+"locals {\n ca = <<E\n"+testCA+"E\n}\n")))
}

func parse[T any](v T, p config.Problems) (any, config.Problems) { return v, p.Errors() }

// byValue lets cmp compare addresses.
var byValue = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// every visits all keys of both files.
func every(f func(config.Block, config.Key)) {
	visit(config.ClusterReference(), f)
	visit(config.AgentReference(), func(b config.Block, k config.Key) {
		if b.Name == "" {
			b.Name = "agent"
		}
		f(b, k)
	})
}

func TestEveryExampleIsAcceptedAndSaysSomething(t *testing.T) {
	every(func(b config.Block, k config.Key) {
		name := b.Name + " " + k.Name
		with, problems := read(b, k, texts()[name].example)
		if len(problems) > 0 {
			t.Errorf("%s = %s: %v", name, texts()[name].example, problems)
		}
		without, problems := read(b, k, "")
		if k.Required || len(problems) > 0 {
			return
		}
		if cmp.Equal(with, without, byValue) {
			t.Errorf("%s: the example %s is the default", name, texts()[name].example)
		}
	})
}

func TestEveryDefaultIsWhatIsTakenWithoutTheKey(t *testing.T) {
	tried := 0
	plain := regexp.MustCompile("^`([^`]*)`")
	every(func(b config.Block, k config.Key) {
		name := b.Name + " " + k.Name
		m := plain.FindStringSubmatch(fallback(k, texts()[name]))
		if m == nil || k.Required || name == "check user" || name == "hook user" {
			return
		}
		without, problems := read(b, k, "")
		if len(problems) > 0 {
			return
		}
		with, problems := read(b, k, m[1])
		if len(problems) > 0 || !cmp.Equal(with, without, byValue) {
			t.Errorf("%s: the default %s is not what is taken: %v\n%s", name, m[1], problems, cmp.Diff(with, without, byValue))
		}
		tried++
	})
	if tried < 40 {
		t.Errorf("only %d defaults tried", tried)
	}
}

func TestEveryRangeOfNumbersIsHeld(t *testing.T) {
	tried := 0
	every(func(b config.Block, k config.Key) {
		low, high, ok := strings.Cut(k.Range, " to ")
		least, err := strconv.ParseInt(low, 10, 64)
		most, bad := strconv.ParseInt(high, 10, 64)
		if !ok || err != nil || bad != nil {
			return
		}
		for _, n := range []int64{least - 1, most + 1} {
			if _, problems := read(b, k, strconv.FormatInt(n, 10)); len(problems) == 0 {
				t.Errorf("%s %s = %d is accepted, beyond %s", b.Name, k.Name, n, k.Range)
			}
		}
		tried++
	})
	if tried < 20 {
		t.Errorf("only %d ranges tried", tried)
	}
}

func TestEveryRangeOfDurationsIsHeld(t *testing.T) {
	tried := 0
	both := regexp.MustCompile("^`\"([^\"]*)\"` to `\"([^\"]*)\"`")
	every(func(b config.Block, k config.Key) {
		name := b.Name + " " + k.Name
		m := both.FindStringSubmatch(texts()[name].span)
		if m == nil || k.Type != "duration" || name == "check interval" { // whose timeout must fit into it
			return
		}
		for _, value := range m[1:] {
			if _, problems := read(b, k, strconv.Quote(value)); len(problems) > 0 {
				t.Errorf("%s: %s is in the range and not accepted: %v", name, value, problems)
			}
		}
		most, err := time.ParseDuration(m[2])
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := read(b, k, strconv.Quote((2 * most).String())); len(problems) == 0 {
			t.Errorf("%s: twice %s is accepted", name, m[2])
		}
		tried++
	})
	if tried < 6 {
		t.Errorf("only %d ranges tried", tried)
	}
}
