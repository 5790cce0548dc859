package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// level2 begins a cluster of the level that keeps its history.
func level2() InitCluster {
	c := history()[0].(InitCluster)
	c.Level = LevelHistory
	return c
}

func note(author, summary string) Note { return Note{At: noon, Author: author, Summary: summary} }

// whole is the delta to a configuration from nothing.
func whole(c Config) Delta {
	d := Delta{Routers: map[string]*Router{}, SyncGroups: map[string]*SyncGroup{}, Services: map[string]*Service{}}
	for name, r := range c.Routers {
		d.Routers[name] = &r
	}
	for name, g := range c.SyncGroups {
		d.SyncGroups[name] = &g
	}
	for name, s := range c.Services.All() {
		d.Services[name] = &s
	}
	return d
}

// weighed is the article's service with another weight.
func weighed(weight uint32) Delta {
	web := articleConfig().Services.Of("web")
	web.Servers[0].Weight = weight
	return Delta{Services: map[string]*Service{"web": &web}}
}

// changes is one command of every kind that came with the history, in an order in which each is accepted.
func changes() []Command {
	trial := func(revision uint64) *Trial {
		return &Trial{Revision: revision, Until: noon.Add(time.Minute), Below: 50}
	}
	secret := articleConfig().Routers["alone"]
	secret.Auth = &Auth{Kind: AuthPassword, Key: "s3cr3t"}
	return []Command{
		level2(),
		ChangeConfig{Base: 0, Delta: whole(articleConfig()), Note: Note{At: noon, Author: "root@d1", Message: "the first", Summary: "everything"}},
		ChangeConfig{Base: 1, Delta: Delta{Routers: map[string]*Router{"alone": &secret}}, Note: note("root@d1", "a key")},
		ChangeConfig{Base: 2, Delta: Delta{Routers: map[string]*Router{"alone": nil}}, Note: note("root@d1", "no alone"), Trial: trial(3)},
		RevertConfig{Revision: 3, Note: Note{At: noon, Cause: "revision 3 was not confirmed in time"}},
		ChangeConfig{Base: 4, Delta: weighed(9), Note: note("eve@d2", "more weight"), Trial: trial(5)},
		ConfirmConfig{Revision: 5, Author: "eve@d2"},
		ChangeConfig{Base: 5, Delta: weighed(1), Note: Note{At: noon, Author: "root@d1", Cause: "rollback to revision 4"}, Returns: true},
	}
}

func TestTheGoldenLogOfTheHistoryLeadsToTheGoldenSnapshot(t *testing.T) {
	s := play(t, changes())
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot-history.txt", b.Bytes())
	back, err := ReadSnapshot(bytes.NewReader(b.Bytes()))
	if err != nil || back.Hash() != s.Hash() {
		t.Fatalf("the state read is not the state written: %v", err)
	}
	if back.Secrets().VRRPKeys["alone"] != "s3cr3t" {
		t.Errorf("what was taken back came without its key: %v", back.Secrets().VRRPKeys)
	}
	if shown, err := json.Marshal(s); err != nil || bytes.Contains(shown, []byte("s3cr3t")) {
		t.Errorf("a key is shown in %s, %v", shown, err)
	}
}

func TestAClusterOfAnOlderLevelRefusesWhatTheNextOneCanDo(t *testing.T) {
	s := play(t, history()[:7])
	change := ChangeConfig{Base: 1, Delta: weighed(2)}
	_, _, err := Apply(s, 8, change)
	if !errors.Is(err, ErrLevel) || !strings.Contains(err.Error(), "feature level 1, and this needs 2") || !strings.Contains(err.Error(), "quorate upgrade finish") {
		t.Errorf("error %v", err)
	}
	_, _, err = Apply(s, 8, RaiseLevel{Level: 2})
	if !errors.Is(err, ErrLevel) || !strings.Contains(err.Error(), "d1 (version 1) supports 1, d2 (version 1) supports 1; install") {
		t.Errorf("members that are too old: %v", err)
	}
	for _, name := range []string{"d1", "d2"} {
		m := s.Members[name]
		m.MaxLevel = 2
		s = playOn(t, s, []Command{SetMember{Member: m}})
	}
	s = playOn(t, s, []Command{RaiseLevel{Level: 2}, change, RaiseLevel{Level: 2}})
	if c, err := s.AsOf(1); err != nil || s.Level != 2 || len(s.History) != 1 || c.Services.Of("web").Servers[0].Weight != 1 {
		t.Errorf("level %d, history %v: %v", s.Level, s.History, err)
	}
	if _, _, err = Apply(s, 20, RaiseLevel{Level: 1}); !errors.Is(err, ErrLevel) || !strings.Contains(err.Error(), "never lowered") {
		t.Errorf("lowered: %v", err)
	}
}

// walk makes changes at random for that many revisions, and returns every configuration on the way.
func walk(t *testing.T, s State, revisions int, seed uint64) (State, []Config) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	configs := []Config{s.WithKeys()}
	for range revisions {
		d := Delta{Routers: map[string]*Router{}, Services: map[string]*Service{}}
		name := fmt.Sprintf("r%d", rnd.IntN(4))
		switch rnd.IntN(4) {
		case 0:
			d.Routers[name] = nil
		case 1:
			d.Routers[name] = &Router{Name: name, VRID: uint8(1 + rnd.IntN(200)), Auth: &Auth{Kind: AuthHMAC, KeyID: 1, Key: fmt.Sprint(rnd.Uint32())}}
		case 2:
			d.Routers[name] = &Router{Name: name, VRID: uint8(1 + rnd.IntN(200))}
		default:
			web := articleConfig().Services.Of("web")
			web.Name, web.Servers[0].Weight = name, rnd.Uint32N(100)
			d.Services[name] = &web
		}
		s = playOn(t, s, []Command{ChangeConfig{Base: s.Revision, Delta: d, Note: note("root", name)}})
		configs = append(configs, s.WithKeys())
	}
	return s, configs
}

func TestEveryKeptRevisionIsThereAsItWasKeysIncluded(t *testing.T) {
	for seed := range uint64(5) {
		s, configs := walk(t, play(t, changes()[:1]), 160, seed)
		var b bytes.Buffer
		if err := WriteSnapshot(&b, s); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSnapshot(&b)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.History) != maxPast || s.Oldest() != 60 {
			t.Fatalf("%d revisions are kept, the oldest is %d", len(s.History), s.Oldest())
		}
		for i := s.Oldest(); i <= s.Revision; i++ {
			got, err := s.AsOf(i)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(shape(t, configs[i]), shape(t, got)); diff != "" {
				t.Fatalf("seed %d, revision %d of %d (-want +got):\n%s", seed, i, s.Revision, diff)
			}
		}
		for _, gone := range []uint64{0, 59, 161} {
			if _, err := s.AsOf(gone); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "there are 60 to 160") {
				t.Errorf("revision %d: %v", gone, err)
			}
		}
		for revision := range s.Secrets().Former {
			if revision <= s.Oldest() {
				t.Errorf("keys of revision %d are kept longer than it is", revision)
			}
		}
	}
}

// shape is a configuration as text, by which equal ones are told whatever their empty lists are.
func shape(t *testing.T, c Config) string {
	t.Helper()
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAHistoryOfLargeChangesIsShorter(t *testing.T) {
	s := play(t, changes()[:1])
	change := func(web *Service) { // the sum of so many is held against the state elsewhere
		t.Helper()
		var err error
		if s, _, err = Apply(s, s.Index+1, ChangeConfig{Base: s.Revision, Delta: Delta{Services: map[string]*Service{"web": web}}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 {
		change(&Service{Name: "web", Servers: make([]Server, 30_000)})
	}
	if n := len(s.History); n != 16 { // of 30,001 each
		t.Errorf("%d large revisions are kept", n)
	}
	for range 2 {
		change(&Service{Name: "web", Servers: make([]Server, 510_000)})
	}
	if n := len(s.History); n != 1 {
		t.Errorf("%d revisions are kept that weigh too much alone: the last is never forgotten", n)
	}
}

// TestARevisionIsWeighedOnce has one weigh what it does not: who weighed it again would keep it. To weigh what changed all services
// is a walk through them, and would be part of each change after it.
func TestARevisionIsWeighedOnce(t *testing.T) {
	s := play(t, changes())
	var b bytes.Buffer
	if err := WriteSnapshot(&b, s); err != nil {
		t.Fatal(err)
	}
	read, err := ReadSnapshot(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []State{s, read} {
		change := ChangeConfig{Base: s.Revision, Delta: weighed(7)}
		next := playOn(t, s, []Command{change})
		for i := range next.History {
			if p := &next.History[i]; p.weight != p.Back.size() || p.weight == 0 {
				t.Errorf("revision %d is said to weigh %d, and weighs %d", p.Revision, p.weight, p.Back.size())
			}
		}
		next.History[2].weight = maxPastWeight
		change.Base++
		if next = playOn(t, next, []Command{change}); next.Oldest() != 3 {
			t.Errorf("after one that seems to weigh too much the oldest is %d", next.Oldest())
		}
	}
}

func TestWhoWasFasterIsNamed(t *testing.T) {
	s := play(t, changes())
	_, _, err := Apply(s, 9, ChangeConfig{Base: 4, Delta: weighed(7), Note: note("bob@d3", "mine")})
	if !errors.Is(err, ErrStale) {
		t.Fatal(err)
	}
	for _, want := range []string{"planned on revision 4, the cluster is at 6", "revision 5 by eve@d2: more weight", "revision 6 by root@d1: rollback to revision 4", "nothing was changed, plan again"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	if _, _, err = Apply(s, 9, ChangeConfig{Base: 0}); strings.Contains(err.Error(), "revision 3 by") || !strings.Contains(err.Error(), "; and more; ") {
		t.Errorf("all of the past is told: %v", err)
	}
}

func TestAChangeOnTrialHoldsOthersBackUntilItIsOver(t *testing.T) {
	s := play(t, changes()[:4])
	_, _, err := Apply(s, 9, ChangeConfig{Base: 3, Delta: weighed(7)})
	if !errors.Is(err, ErrOnTrial) || !strings.Contains(err.Error(), "revision 3 by root@d1: no alone") || !strings.Contains(err.Error(), "`quorate rollback 2`") {
		t.Errorf("error %v", err)
	}
	for _, c := range []Command{ConfirmConfig{Revision: 2}, RevertConfig{Revision: 2}, ConfirmConfig{Revision: 4}} {
		if _, _, err := Apply(s, 9, c); !errors.Is(err, ErrStale) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	back := playOn(t, s, []Command{RevertConfig{Revision: 3, Note: Note{Cause: "no"}}})
	if back.Trial != nil || back.Revision != 4 || back.Config.Routers["alone"].Name == "" {
		t.Errorf("taken back: %+v", back)
	}
	kept := playOn(t, s, []Command{ConfirmConfig{Revision: 3, Author: "eve"}})
	if kept.Trial != nil || kept.Revision != 3 || kept.History[2].Confirmed != "eve" || s.History[2].Confirmed != "" {
		t.Errorf("confirmed: %+v", kept.History)
	}
	rolled := playOn(t, s, []Command{ChangeConfig{Base: 3, Delta: s.History[2].Back.withKeys(s.secrets.Former[3]), Returns: true}})
	if rolled.Trial != nil || rolled.Revision != 4 || rolled.Secrets().VRRPKeys["alone"] != "s3cr3t" {
		t.Errorf("rolled back: %+v", rolled)
	}
}

func TestAConfirmIsMadeAgainWithoutAnEffect(t *testing.T) {
	kept := playOn(t, play(t, changes()[:4]), []Command{ConfirmConfig{Revision: 3, Author: "eve@d2"}})
	for _, s := range []State{kept, playOn(t, kept, []Command{ChangeConfig{Base: 3, Delta: weighed(7)}})} {
		next, feed, err := Apply(s, s.Index+1, ConfirmConfig{Revision: 3, Author: "bob@d3"})
		if p, _ := next.past(3); err != nil || feed != nil || p.Confirmed != "eve@d2" || next.Revision != s.Revision {
			t.Errorf("confirmed again at revision %d: %v, %v, %+v", s.Revision, err, feed, p)
		}
	}
	// It does not confirm what waits now.
	s := playOn(t, kept, []Command{ChangeConfig{Base: 3, Delta: weighed(7), Trial: &Trial{Revision: 4, Until: noon}}})
	if next, _, err := Apply(s, s.Index+1, ConfirmConfig{Revision: 3, Author: "bob@d3"}); err != nil || next.Trial == nil {
		t.Errorf("on trial %+v, %v", next.Trial, err)
	}
}

func TestWhatDoesNotWaitSaysWhatBecameOfIt(t *testing.T) {
	tried := play(t, changes()[:4])
	reverted := playOn(t, tried, []Command{RevertConfig{Revision: 3, Note: Note{Author: "d1", Cause: "takes back revision 3: it was not confirmed in time"}}})
	kept := playOn(t, tried, []Command{ConfirmConfig{Revision: 3, Author: "eve@d2"}})
	for _, tt := range []struct {
		name string
		s    State
		c    Command
		want string
	}{
		{"taken back", reverted, ConfirmConfig{Revision: 3}, "it was taken back by revision 4 by d1: takes back revision 3: it was not confirmed in time"},
		{"confirmed", kept, RevertConfig{Revision: 3}, "revision 3 was confirmed by eve@d2"},
		{"never on trial", tried, ConfirmConfig{Revision: 2}, "after it came revision 3 by root@d1: no alone"},
		{"never on trial, and the last", play(t, changes()[:3]), ConfirmConfig{Revision: 2}, "it is here to stay: revision 2 by root@d1: a key"},
		{"not there yet", tried, ConfirmConfig{Revision: 9}, "the cluster is at revision 3"},
	} {
		_, _, err := Apply(tt.s, tt.s.Index+1, tt.c)
		if !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "quorate history") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAChangeTouchesOnlyWhatItNames(t *testing.T) {
	s := play(t, changes()[:2])
	other := articleConfig().Services.Of("web")
	other.Name, other.Address = "other", netip.MustParseAddrPort("192.0.2.1:81")
	other11 := ServerKey{"other", web11.Server}
	s = playOn(t, s, []Command{
		ChangeConfig{Base: 1, Delta: Delta{Services: map[string]*Service{"other": &other}}},
		SetVerdicts{Verdicts: map[ServerKey]Verdict{web11: {Up, "ok"}, web12: {Down, "refused"}, other11: {Up, "ok"}}},
		SetOwner{Group: "gateway", Owner: "d1", Epoch: 1}, SetOwner{Group: "alone", Owner: "d1", Epoch: 1},
	})
	next, feed, err := Apply(s, s.Index+1, ChangeConfig{Base: 2, Delta: weighed(7), Note: note("root", "weight")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{ConfigChanged, "", "revision 3 by root: weight"}, {ServiceChanged, "web", ""}}
	if diff := cmp.Diff(want, feed); diff != "" {
		t.Errorf("feed (-want +got):\n%s", diff)
	}
	same := func(what string, a, b any) {
		if reflect.ValueOf(a).Pointer() != reflect.ValueOf(b).Pointer() {
			t.Errorf("%s were made anew", what)
		}
	}
	same("verdicts", s.Verdicts.services.root, next.Verdicts.services.root)
	same("owners", s.Groups, next.Groups)
	same("routers", s.Config.Routers, next.Config.Routers)
	same("sync groups", s.Config.SyncGroups, next.Config.SyncGroups)
	same("servers of another service", s.Config.Services.Of("other").Servers, next.Config.Services.Of("other").Servers)

	checked := articleConfig().Services.Of("web")
	checked.Checks[0].Port = 81
	router := articleConfig().Routers["alone"]
	router.VRID = 99
	next, feed, err = Apply(s, s.Index+1, ChangeConfig{Base: 2, Delta: Delta{Services: map[string]*Service{"web": &checked}, Routers: map[string]*Router{"alone": &router}}})
	if err != nil || len(feed) != 3 {
		t.Fatal(err, feed)
	}
	if _, ok := next.Verdicts.Of(web11); ok || next.Verdict(other11) != s.Verdict(other11) || next.Verdict(other11).Health == Unknown || len(maps.Collect(s.Verdicts.All())) != 3 {
		t.Errorf("verdicts %v, before %v", next.Verdicts, s.Verdicts)
	}
	if !maps.EqualFunc(s.Groups, next.Groups, func(a, b Ownership) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("owners %v, before %v", next.Groups, s.Groups)
	}
}

func TestAGroupThatComesBackIsAheadOfWhatItWas(t *testing.T) {
	whole := articleConfig().Routers["alone"]
	for name, back := range map[string]func(gone State) Command{
		"by itself": func(State) Command { return RevertConfig{Revision: 2} },
		"by another change": func(State) Command {
			return ChangeConfig{Base: 2, Delta: Delta{Routers: map[string]*Router{"alone": &whole}}}
		},
	} {
		gone := ChangeConfig{Base: 1, Delta: Delta{Routers: map[string]*Router{"alone": nil}}}
		if name == "by itself" {
			gone.Trial = &Trial{Revision: 2}
		}
		s := play(t, slices.Concat(changes()[:2], []Command{
			SetOwner{Group: "alone", Owner: "d1", Epoch: 1}, SetOwner{Group: "alone", Owner: "d1", Epoch: 2}, gone,
		}))
		if _, ok := s.Groups["alone"]; ok {
			t.Fatalf("%s: a group without its router", name)
		}
		s = playOn(t, s, []Command{back(s)})
		if g := s.Groups["alone"]; g.Epoch <= 2 || g.Owner != "" {
			t.Errorf("%s: %+v", name, g)
		}
	}
}
