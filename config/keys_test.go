package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// rolled is a cluster file with a router that signs.
func rolled(t *testing.T, auth string) fsm.Config {
	t.Helper()
	src := fmt.Sprintf("router \"r\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"192.0.2.1/24\"]\n  auth \"hmac\" {\n%s\n}\n}\n", auth)
	c, problems := ParseCluster("c.hcl", []byte(src))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return c
}

func TestAChangeOfKeysIsThreePlansThatShowNone(t *testing.T) {
	first, second := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	now := rolled(t, "")
	secrets := fsm.Secrets{VRRPKeys: map[string]string{"r": first}}
	for _, tt := range []struct{ file, want string }{
		{"other_key_id = 2\nother_key = \"" + second + "\"", "~ auth r/hmac other_key_id : none -> 2 other_key : none -> (new) 0 to add, 1 to change, 0 to remove."},
		{"key_id = 2\nother_key_id = 1", "~ auth r/hmac key_id : 1 -> 2 other_key_id : 2 -> 1 0 to add, 1 to change, 0 to remove."},
		{"key_id = 2\nkey = \"" + second + "\"", "~ auth r/hmac other_key_id : 1 -> none other_key : (kept) -> none 0 to add, 1 to change, 0 to remove."},
	} {
		next := rolled(t, tt.file)
		if missing := MissingKeys(now, next); len(missing) > 0 {
			t.Errorf("%s: %v", tt.file, missing)
		}
		next = KeepKeys(now, next, secrets)
		got := strings.Join(strings.Fields(Render(Diff(now, next))), " ")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("plan of %q (-want +got):\n%s", tt.file, diff)
		}
		if strings.Contains(got, "0a0a") || strings.Contains(got, "0b0b") {
			t.Errorf("the plan shows a key: %s", got)
		}
		now, secrets = kept(next), fsm.Secrets{
			VRRPKeys:      map[string]string{"r": map[uint8]string{1: first, 2: second}[next.Routers["r"].Auth.KeyID]},
			VRRPOtherKeys: map[string]string{"r": map[uint8]string{1: first, 2: second}[next.Routers["r"].Auth.OtherID]},
		}
		if text := string(Format(now)); strings.Contains(text, "0a0a") || strings.Contains(text, "0b0b") {
			t.Errorf("what is printed shows a key:\n%s", text)
		}
		again, problems := ParseCluster("c.hcl", Format(now))
		if changes := Diff(now, again); problems.Err() != nil || len(changes) > 0 {
			t.Errorf("what is printed is another configuration: %v, %s", problems, Render(changes))
		}
	}
}

// kept is a configuration as the cluster has it, without its keys.
func kept(c fsm.Config) fsm.Config {
	r := c.Routers["r"]
	a := *r.Auth
	a.Key, a.OtherKey = "", ""
	r.Auth = &a
	c.Routers = map[string]fsm.Router{"r": r}
	return c
}

func TestAKeyIsKeptByItsNumberOnceThereAreTwo(t *testing.T) {
	two := rolled(t, "key_id = 1\nother_key_id = 2")
	for file, want := range map[string]string{
		"key_id = 2":                   "",
		"key_id = 1":                   "",
		"key_id = 2\nother_key_id = 1": "",
		"key_id = 2\nother_key_id = 3": `routers["r"].auth.other_key: error: router "r", auth "hmac": has no other key 3, and the cluster has none of that number to keep (add other_key = "...")` + "\n",
		"key_id = 3\nother_key_id = 1": `routers["r"].auth.key: error: router "r", auth "hmac": has no key 3, and the cluster has none of that number to keep (add key = "...")` + "\n",
		"key_id = 3":                   `routers["r"].auth.key: error: router "r", auth "hmac": has no key 3, and the cluster has none of that number to keep (add key = "...")` + "\n",
	} {
		if got := MissingKeys(two, rolled(t, file)).String(); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
	if got := MissingKeys(rolled(t, "key_id = 1"), rolled(t, "key_id = 3")).String(); got != "" {
		t.Errorf("a key alone that gets another number: %q", got)
	}
}

func TestADifferenceOfKeysAloneIsToldWithoutThem(t *testing.T) {
	with := func(keys ...string) fsm.Config {
		r := fsm.Router{Name: "r"}
		switch len(keys) {
		case 1:
			r.Auth = &fsm.Auth{Kind: fsm.AuthPassword, Key: keys[0]}
		case 2:
			r.Auth = &fsm.Auth{Kind: fsm.AuthHMAC, KeyID: 1, Key: keys[0], OtherID: 2, OtherKey: keys[1]}
		}
		return fsm.Config{Routers: map[string]fsm.Router{"r": r}}
	}
	for _, tt := range []struct {
		name          string
		before, after fsm.Config
		want          string // a part of it
	}{
		{"another", with("s3cret-a"), with("s3cret-b"), "key : (one) -> (other)\n"},
		{"another of two", with("s3cret-a", "s3cret-b"), with("s3cret-a", "s3cret-c"), "other_key : (one) -> (other)\n"},
		{"the same", with("s3cret-a", "s3cret-b"), with("s3cret-a", "s3cret-b"), "No change.\n"},
		{"one that was not there", with(), with("s3cret-a"), "key = (other)\n"},
	} {
		got := Render(DiffKeys(tt.before, tt.after))
		if !strings.Contains(got, tt.want) || strings.Contains(got, "s3cret") || strings.Count(got, "(other)") > 1 {
			t.Errorf("%s:\n%s, want %q", tt.name, got, tt.want)
		}
	}
}

// TestNoErrorHasAWordOfASecret writes keys in every way that is wrong.
func TestNoErrorHasAWordOfASecret(t *testing.T) {
	for _, value := range []string{
		`[s3cretPW]`, `s3cretPW`, `["s3cretPW"]`, `{ a = s3cretPW }`, `s3cretPW.x`, `s3cretPW()`, `"${s3cretPW}"`, `s3cretPW-1`, `53637`, `"s3cretPW`,
		`s3cret PW`, `s3cretPW"`, `'s3cretPW'`, `tonumber("s3cretPW")`, `lookup({}, "s3cretPW")`, `"s3cretPW" + 1`,
		`"%{s3cretPW}"`, `"%{ s3cretPW x"`, `{ s3cretPW = 1, s3cretPW = 2 }`, "\n  's3cretPW'", `s3cretPW$x`,
	} {
		for _, key := range []string{"key", "other_key"} {
			src := "router \"a\" {\n  vrid = 51\n  interface = \"wan\"\n  addresses = [\"192.0.2.1/24\"]\n  auth \"hmac\" { " + key + " = " + value + " }\n}\n"
			_, problems := ParseCluster("cluster.hcl", []byte(src))
			if text := fmt.Sprint(problems); problems.Err() == nil || strings.Contains(text, "s3cret") || strings.Contains(text, "53637") {
				t.Errorf("%s = %s: %s", key, value, text)
			}
		}
		_, problems := ParseAgent("agent.hcl", []byte("name = \"d1\"\njoin {\n  address = \"192.0.2.1\"\n  token = "+value+"\n}\n"))
		if text := fmt.Sprint(problems); problems.Err() == nil || strings.Contains(text, "s3cret") || strings.Contains(text, "53637") {
			t.Errorf("token = %s: %s", value, text)
		}
	}
	for _, value := range []string{`s3cretPW`, `"%{s3cretPW}"`, `s3cret PW`, `'s3cretPW'`, `53637x`, `{"s3cretPW": 1}`, `["s3cretPW"`, "\n s3cretPW", `"${s3cretPW}"`} {
		src := `{"router": {"a": {"vrid": 51, "interface": "wan", "addresses": ["192.0.2.1/24"], "auth": {"hmac": {"key": ` + value + `}}}}}`
		_, problems := ParseCluster("cluster.json", []byte(src))
		if text := fmt.Sprint(problems); problems.Err() == nil || strings.Contains(text, "s3cret") || strings.Contains(text, "53637") {
			t.Errorf("JSON: key = %s: %s", value, text)
		}
	}
	_, problems := ParseCluster("cluster.hcl", []byte("router \"a\" {\n  auth \"hmac\" { key = local.kye }\n}\nlocals { kez = 1 }\n"))
	if text := fmt.Sprint(problems); !strings.Contains(text, "local.kye") {
		t.Errorf("a local that there is not is not named: %s", text)
	}
}
