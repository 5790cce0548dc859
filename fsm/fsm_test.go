package fsm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files; never for a kind that was released")

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func member(name string, last byte) Member {
	a := netip.AddrFrom4([4]byte{192, 0, 2, last})
	return Member{
		ID: "id-" + name, Name: name, Role: RoleDirector, Address: netip.AddrPortFrom(a, 7400),
		Gossip: netip.AddrPortFrom(a, 7401), Sources: []netip.Addr{a}, MinLevel: 1, MaxLevel: 1, Version: "1",
	}
}

func articleConfig() Config {
	return Config{
		Routers: map[string]Router{
			"outside": {Name: "outside", VRID: 51, Interface: "wan", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}, Interval: time.Second},
			"inside":  {Name: "inside", VRID: 52, Interface: "lan", Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")}, Interval: time.Second},
			"alone":   {Name: "alone", VRID: 53, Interface: "lan", Addresses: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/24")}, Interval: time.Second},
		},
		SyncGroups: map[string]SyncGroup{"gateway": {Name: "gateway", Routers: []string{"outside", "inside"}}},
		Services: MapOf(map[string]Service{"web": {
			Name: "web", Address: netip.MustParseAddrPort("192.0.2.1:80"), Protocol: TCP, Scheduler: "wlc", Forward: NAT,
			Checks:  []Check{{Kind: CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 2}},
			Servers: []Server{{Address: netip.MustParseAddrPort("198.51.100.11:80"), Weight: 1}, {Address: netip.MustParseAddrPort("198.51.100.12:80"), Weight: 3}},
		}}),
	}
}

var (
	web11 = ServerKey{"web", netip.MustParseAddrPort("198.51.100.11:80")}
	web12 = ServerKey{"web", netip.MustParseAddrPort("198.51.100.12:80")}
)

// history is one command of every kind, in an order in which each is accepted.
func history() []Command {
	return []Command{
		InitCluster{ClusterID: "c1", Level: 1, Member: member("d1", 11), Secrets: Secrets{CACert: []byte("cert"), CAKey: []byte("key"), GossipKey: []byte("gossip")}},
		AddToken{ID: "t1", Token: Token{Hash: "aa", Role: RoleDirector, Expires: noon}},
		AddToken{ID: "t2", Token: Token{Hash: "bb", Role: RoleDirector, Expires: noon}},
		RevokeToken{ID: "t2"},
		AdmitMember{TokenID: "t1", SecretHash: "aa", Now: noon.Add(-time.Minute), Member: member("d2", 12)},
		SetMember{Member: member("d2", 22)},
		PutConfig{Base: 0, Config: articleConfig(), Author: "root"},
		SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Up, "d1, d2: ok"}, web12: {Down, "d1: refused"}}},
		SetOwner{Group: "gateway", Owner: "d1", Epoch: 1, Reason: "first"},
		SetOrder{Group: "gateway", Epoch: 1, Order: []string{"d2"}},
		SetIntent{Group: "gateway", Intent: Intent{To: "d2", Epoch: 2, Reason: "d1 drains"}},
		DropIntent{Group: "gateway", Epoch: 2, Reason: "no answer"},
		SetDraining{Name: "d1", Draining: true},
		RemoveMember{Name: "d1"},
		RestoreConfig{Base: 1, Level: 1, Config: articleConfig(), Source: "a file", Author: "root"},
	}
}

func play(t *testing.T, cmds []Command) State { return playOn(t, Empty, cmds) }

func playOn(t *testing.T, s State, cmds []Command) State {
	t.Helper()
	for i, c := range cmds {
		next, _, err := Apply(s, s.Index+1, c)
		if err != nil {
			t.Fatalf("command %d, %s: %v", i, c.kind(), err)
		}
		if s = next; s.Verify() != nil {
			t.Fatalf("command %d, %s: the sum that was kept is not that of the state", i, c.kind())
		}
	}
	return s
}

func TestEveryKindDecodesAsItWasEncodedAndStaysSoForGood(t *testing.T) {
	for i, c := range slices.Concat(history(), changes(), requests(), []Command{RaiseLevel{Level: LevelHistory, Author: "root@d1"}}, rotations()) {
		entry, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("entry-%02d-%s.json", i+1, strings.ReplaceAll(c.kind(), "/", "-v"))
		golden(t, name, append(entry, '\n'))
		back, err := Decode(entry)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c, back, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTheGoldenLogLeadsToTheGoldenHash(t *testing.T) {
	s := play(t, history())
	golden(t, "hash.txt", []byte(s.Hash()+"\n"))
	if again := play(t, history()); again.Hash() != s.Hash() {
		t.Error("the same commands led to another state")
	}
}

func TestASnapshotHoldsEverything(t *testing.T) {
	s := play(t, history())
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot.txt", b.Bytes())
	back, err := ReadSnapshot(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if back.Hash() != s.Hash() || !bytes.Equal(back.Secrets().CAKey, s.Secrets().CAKey) {
		t.Error("the state read is not the state written")
	}
	for i := 0; i < b.Len(); i += 7 {
		bad := bytes.Clone(b.Bytes())
		bad[i] ^= 1
		if _, err := ReadSnapshot(bytes.NewReader(bad)); err == nil {
			t.Fatalf("snapshot with byte %d altered was read", i)
		}
	}
}

func TestEveryFieldOfTheStateIsInTheSnapshot(t *testing.T) {
	for f := range reflect.TypeFor[State]().Fields() {
		if f.Name == "kept" { // made of the others
			continue
		}
		if f.Name != "secrets" && (f.Tag.Get("json") == "" || f.Tag.Get("json") == "-") {
			t.Errorf("State.%s is not in the snapshot", f.Name)
		}
	}
}

func TestSecretsAreShownByNoEncoderOfTheState(t *testing.T) {
	s := play(t, history()[:3])
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{s.Secrets().CAKey, s.Secrets().GossipKey} {
		if len(secret) == 0 || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(secret))) {
			t.Errorf("secret %q is missing, or shown in %s", secret, text)
		}
	}
	if strings.Contains(string(text), s.Secrets().Tokens["t1"].Hash+`"`) {
		t.Errorf("the hash of a token is shown in %s", text)
	}
}

func TestCommandsAreRefusedAlikeAndMoveOnlyTheIndex(t *testing.T) {
	base := play(t, history()[:11]) // up to the intent
	for _, tt := range []struct {
		name string
		cmd  Command
		is   error
	}{
		{"init of another cluster", InitCluster{ClusterID: "c2"}, nil},
		{"a configuration planned on an old revision", PutConfig{Base: 0}, ErrStale},
		{"an owner in an old epoch", SetOwner{Group: "gateway", Owner: "d2", Epoch: 1}, ErrStale},
		{"an owner that skips an epoch", SetOwner{Group: "gateway", Owner: "d2", Epoch: 3}, ErrStale},
		{"an owner who is no member", SetOwner{Group: "gateway", Owner: "dx", Epoch: 2}, ErrNotFound},
		{"an owner of no group", SetOwner{Group: "nope", Owner: "d1", Epoch: 1}, ErrNotFound},
		{"a second intent to somebody else", SetIntent{Group: "gateway", Intent: Intent{To: "d1", Epoch: 2}}, ErrStale},
		{"the end of an intent that is not there", DropIntent{Group: "gateway", Epoch: 9}, ErrStale},
		{"a name that is taken", AdmitMember{TokenID: "t1", SecretHash: "aa", Now: noon, Member: Member{ID: "other", Name: "d2", Role: RoleDirector}}, ErrTaken},
		{"an address that is taken", AdmitMember{TokenID: "t1", SecretHash: "aa", Now: noon, Member: Member{ID: "other", Name: "d3", Role: RoleDirector, Address: netip.MustParseAddrPort("192.0.2.22:7400")}}, ErrTaken},
		{"a token that is used", AdmitMember{TokenID: "t1", SecretHash: "aa", Now: noon, Member: member("d3", 13)}, ErrToken},
		{"a token that nobody made", AdmitMember{TokenID: "t9", SecretHash: "aa", Now: noon, Member: member("d3", 13)}, ErrToken},
		{"removal of a stranger", RemoveMember{Name: "dx"}, ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next, changes, err := Apply(base, 99, tt.cmd)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("error %v, want %v", err, tt.is)
			}
			if len(changes) > 0 || next.Index != 99 {
				t.Errorf("changes %v, index %d", changes, next.Index)
			}
			next.Index = base.Index
			if next.Hash() != base.Hash() {
				t.Error("a refused command changed the state")
			}
		})
	}
}

func TestTokensLetInOnceInTimeAndForTheirRole(t *testing.T) {
	base := play(t, history()[:2])
	admit := func(s State, hash string, at time.Time, m Member) error {
		_, _, err := Apply(s, 9, AdmitMember{TokenID: "t1", SecretHash: hash, Now: at, Member: m})
		return err
	}
	before, witness := noon.Add(-time.Second), member("w", 9)
	witness.Role = RoleWitness
	if err := admit(base, "wrong", before, member("d2", 12)); !errors.Is(err, ErrToken) {
		t.Errorf("wrong secret: %v", err)
	}
	if err := admit(base, "aa", noon.Add(time.Second), member("d2", 12)); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
	if err := admit(base, "aa", before, witness); !errors.Is(err, ErrToken) {
		t.Errorf("other role: %v", err)
	}
	used, _, err := Apply(base, 9, AdmitMember{TokenID: "t1", SecretHash: "aa", Now: before, Member: member("d2", 12)})
	if err != nil {
		t.Fatal(err)
	}
	if err := admit(used, "aa", before, member("d2", 12)); err != nil {
		t.Errorf("the same member again: %v", err)
	}
	if err := admit(used, "aa", before, member("d3", 13)); !errors.Is(err, ErrToken) || !strings.Contains(err.Error(), "used up by d2") {
		t.Errorf("another member: %v", err)
	}
}

func TestVerdictsSurviveEditsUnlessTheCheckChanged(t *testing.T) {
	base := play(t, history()[:8])
	heavier, tuned, otherCheck, gone := articleConfig(), articleConfig(), articleConfig(), articleConfig()
	edit := func(c *Config, f func(*Service)) {
		s := c.Services.Of("web")
		f(&s)
		c.Services = c.Services.With("web", s)
	}
	edit(&heavier, func(s *Service) { s.Servers[0].Weight = 9 })
	edit(&tuned, func(s *Service) {
		c := &s.Checks[0]
		c.Interval, c.Timeout, c.Rise, c.Fall = 7*time.Second, 3*time.Second, 4, 3
	})
	edit(&otherCheck, func(s *Service) { s.Checks[0].Path += "/other" })
	edit(&gone, func(s *Service) { s.Servers = s.Servers[:1] })
	for _, tt := range []struct {
		name         string
		cfg          Config
		want11, want Health
	}{
		{"a new weight", heavier, Up, Down},
		{"the same check, tuned", tuned, Up, Down},
		{"another check", otherCheck, Unknown, Unknown},
		{"a server less", gone, Up, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, err := Apply(base, 50, PutConfig{Base: 1, Config: tt.cfg})
			if err != nil {
				t.Fatal(err)
			}
			if a, b := s.Verdict(web11).Health, s.Verdict(web12).Health; a != tt.want11 || b != tt.want {
				t.Errorf("verdicts %s %s, want %s %s", a, b, tt.want11, tt.want)
			}
			if s.Groups["gateway"].Owner != "" || s.Revision != 2 {
				t.Errorf("group %+v, revision %d", s.Groups["gateway"], s.Revision)
			}
		})
	}
}

func TestAnOwnerGoesBehindItsSuccessors(t *testing.T) {
	s := play(t, append(history()[:11], SetOwner{Group: "gateway", Owner: "d2", Epoch: 2, Reason: "moved"}))
	want := Ownership{Owner: "d2", Epoch: 2, Order: []string{"d1"}, Reason: "moved"}
	if diff := cmp.Diff(want, s.Groups["gateway"]); diff != "" {
		t.Error(diff)
	}
	if got := s.Config.Groups(); len(got) != 2 || got[0].Name != "alone" || got[1].Name != "gateway" || len(got[1].Routers) != 2 {
		t.Errorf("groups %+v", got)
	}
}

func TestAnOwnerByForceIsRememberedUntilTheNext(t *testing.T) {
	forced := Intent{To: "d1", Epoch: 3, Reason: "asked for", Forced: true}
	s := play(t, append(history()[:11], SetOwner{Group: "gateway", Owner: "d2", Epoch: 2}, SetIntent{Group: "gateway", Intent: forced}))
	for i, tt := range []struct {
		owner string
		want  bool
	}{{"d1", true}, {"d2", false}} {
		next, _, err := Apply(s, uint64(90+i), SetOwner{Group: "gateway", Owner: tt.owner, Epoch: 3})
		if err != nil || next.Groups["gateway"].Forced != tt.want {
			t.Errorf("%s owns, forced %v, want %v: %v", tt.owner, next.Groups["gateway"].Forced, tt.want, err)
		}
	}
	s, _, _ = Apply(s, 90, SetOwner{Group: "gateway", Owner: "d1", Epoch: 3})
	if s, _, _ = Apply(s, 91, SetOwner{Group: "gateway", Owner: "d2", Epoch: 4}); s.Groups["gateway"].Forced {
		t.Error("the next owner has it by force too")
	}
}

func TestReadersOfAnOldStateSeeNoChange(t *testing.T) {
	for _, cmds := range [][]Command{history(), changes(), append([]Command{level2()}, requests()...), rotations()} {
		s := Empty
		for i, c := range cmds {
			before := s.Hash()
			next, _, err := Apply(s, uint64(i+1), c)
			if err != nil {
				t.Fatal(err)
			}
			if s.Hash() != before {
				t.Errorf("%s changed the state that it was applied to", c.kind())
			}
			s = next
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range slices.Concat(history(), changes(), requests(), rotations()) {
		entry, _ := Encode(c)
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		readAsJSON(t, entry)
		c, err := Decode(entry)
		if err != nil {
			return // to refuse is fine
		}
		again, err := Encode(c)
		if err != nil {
			return // values that JSON cannot carry, a year of five digits
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, _ := Encode(back); !bytes.Equal(again, third) {
			t.Fatalf("%s became %s", again, third)
		}
		Apply(Empty, 1, c)
	})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestAMemberWhoseLinksComeAndGoIsNoNews(t *testing.T) {
	was := State{Members: map[string]Member{"d2": member("d2", 22)}}
	for what, tt := range map[string]struct {
		edit func(*Member)
		news bool
	}{
		"other addresses": {func(m *Member) { m.Sources = nil }, false},
		"its version":     {func(m *Member) { m.Version = "2.0.0" }, true},
		"its address":     {func(m *Member) { m.Address = netip.MustParseAddrPort("192.0.2.99:7400") }, true},
		"its gossip":      {func(m *Member) { m.Gossip = netip.MustParseAddrPort("192.0.2.99:7401") }, true},
	} {
		m := member("d2", 22)
		tt.edit(&m)
		_, changes, err := SetMember{Member: m}.apply(was)
		if err != nil || len(changes) != 1 || (changes[0].Text != "") != tt.news {
			t.Errorf("%s: %+v, %v", what, changes, err)
		}
	}
}

// TestVerdictsAreSortedByTextsThatAreMadeOnce counts: to make them for each comparison took 9 million allocations for 100,000
// servers, on each director that applied them.
func TestVerdictsAreSortedByTextsThatAreMadeOnce(t *testing.T) {
	verdicts := map[ServerKey]Verdict{}
	for i := range 1000 {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i % 7), byte(i % 251)}), uint16(i*i%991))
		verdicts[ServerKey{[]string{"web", "web/", "web-2"}[i%3], a}] = Verdict{Health: Up}
	}
	var keys []ServerKey
	if got := testing.AllocsPerRun(10, func() { keys = byText(verdicts) }); got > float64(3*len(verdicts)) {
		t.Errorf("%v allocations for %d servers", got, len(verdicts))
	}
	if len(keys) != len(verdicts) || !slices.IsSortedFunc(keys, func(a, b ServerKey) int { return strings.Compare(a.String(), b.String()) }) {
		t.Errorf("%d of %d, not in order: %v", len(keys), len(verdicts), keys)
	}
}
