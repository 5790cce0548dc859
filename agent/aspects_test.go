package agent

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

func TestAnEntrySaysWhichServicesItIsAbout(t *testing.T) {
	services := func() fsm.Config {
		return fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": {Name: "web"}, "mail": {Name: "mail"}})}
	}
	was := &fsm.State{Config: services()}
	same := &fsm.State{Config: was.Config}
	for _, tt := range []struct {
		name    string
		next    *fsm.State
		changes []fsm.Change
		want    aspects
	}{
		{"an edit", &fsm.State{Config: services()}, []fsm.Change{{Kind: fsm.ConfigChanged}, {Kind: fsm.ServiceChanged, Name: "mail"}, {Kind: fsm.ServiceChanged, Name: "web"}},
			aspects{edited: []string{"mail", "web"}}},
		{"verdicts", same, []fsm.Change{{Kind: fsm.VerdictChanged, Name: "web/10.0.0.1:80"}, {Kind: fsm.VerdictChanged, Name: "web/10.0.0.2:80"}, {Kind: fsm.VerdictChanged, Name: "mail/[fd00::1]:25"}},
			aspects{judged: []string{"web", "mail"}, others: true}},
		{"a router", same, []fsm.Change{{Kind: fsm.ConfigChanged}, {Kind: fsm.RouterChanged, Name: "outside"}}, aspects{others: true}},
		{"an edit of a router and of a service", &fsm.State{Config: services()}, []fsm.Change{{Kind: fsm.ConfigChanged}, {Kind: fsm.RouterChanged, Name: "outside"}, {Kind: fsm.ServiceChanged, Name: "web"}},
			aspects{edited: []string{"web"}, others: true}},
		{"a configuration that does not say what is another", &fsm.State{Config: services()}, []fsm.Change{{Kind: fsm.ConfigChanged}}, aspects{any: true, others: true}},
		{"a state that was made anew", same, []fsm.Change{{Kind: fsm.StateHealed}}, aspects{any: true, others: true}},
		{"a verdict on what has no name", same, []fsm.Change{{Kind: fsm.VerdictChanged, Name: "web"}}, aspects{any: true, others: true}},
		{"an owner", same, []fsm.Change{{Kind: fsm.OwnerChanged, Name: "web"}}, aspects{others: true}},
	} {
		got := aspectsOf(was, tt.next, tt.changes)
		if got.any != tt.want.any || got.others != tt.want.others || !slices.Equal(got.edited, tt.want.edited) || !slices.Equal(got.judged, tt.want.judged) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// An entry that edits services is told with those that come soon after it, and every other one at once.
func TestEditsAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{node: &cluster.Node{}, events: &eventLog{}, log: hclog.NewNullLogger(), tellNow: make(chan struct{}, 1), runner: checks.New(checks.Config{})}
		told := func() bool {
			synctest.Wait()
			select {
			case <-s.tellNow:
				return true
			default:
				return false
			}
		}
		state := &fsm.State{}
		edit := func() { s.onChange(state, state, []fsm.Change{{Kind: fsm.ServiceChanged, Name: "web"}}) }
		for range 2 {
			edit()
			time.Sleep(tellWithin / 2)
			edit()
			if told() {
				t.Error("an edit is told at once")
			}
			time.Sleep(tellWithin / 2)
			if !told() {
				t.Errorf("an edit is not told after %v", tellWithin)
			}
			time.Sleep(2 * tellWithin)
			if told() {
				t.Error("it is told again")
			}
		}
		edit()
		s.onChange(state, state, []fsm.Change{{Kind: fsm.OwnerChanged, Name: "gateway"}})
		if !told() {
			t.Error("an owner is not told at once")
		}
	})
}

// To look through all groups for each edit of a weight would cost more than the edit.
func TestWhoOwnedWhichRouterIsNotedWhereRoutersMayHaveChanged(t *testing.T) {
	was := regrouping(nil, map[string]string{"inside": "d1"}, "inside")
	was.Config.Tracks = map[string]fsm.Track{"f": {Name: "f", Kind: fsm.TrackFile, Path: "/f"}}
	for name, tt := range map[string]struct {
		change fsm.Change
		noted  bool
	}{
		"an edit of a service": {fsm.Change{Kind: fsm.ServiceChanged, Name: "web"}, false},
		"an edit of a router":  {fsm.Change{Kind: fsm.RouterChanged, Name: "inside"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{node: &cluster.Node{}, events: &eventLog{}, log: hclog.NewNullLogger(), tellNow: make(chan struct{}, 1), runner: checks.New(checks.Config{})}
			s.cfg.DataDir = t.TempDir()
			s.newNeeds()
			s.onChange(was, was, []fsm.Change{{Kind: fsm.ConfigChanged}, tt.change})
			if got := s.regrouped.owners["inside"] == "d1"; got != tt.noted {
				t.Errorf("noted: %v, want %v", got, tt.noted)
			}
			if got := len(s.tracks.Results()) > 0; got != tt.noted {
				t.Errorf("tracks are looked through: %v, want %v", got, tt.noted)
			}
		})
	}
}

func TestManyVerdictsAtOnceDoNotPushAllOtherEventsOut(t *testing.T) {
	verdicts := func(n int) (all []fsm.Change) {
		for range n {
			all = append(all, fsm.Change{Kind: fsm.VerdictChanged, Text: "down"})
		}
		return all
	}
	for _, tt := range []struct {
		name     string
		verdicts int
		want     int
		last     string
	}{
		{"as many as are told", maxVerdictsTold - 1, maxVerdictsTold, "a rack died"},
		{"more", maxVerdictsTold + 7, maxVerdictsTold + 2, "and 7 more verdicts at once: `quorate status` has them all"},
	} {
		got := tellable(append(verdicts(tt.verdicts), fsm.Change{Kind: fsm.ConfigChanged, Text: "a rack died"}))
		if len(got) != tt.want || got[len(got)-1].Text != tt.last {
			t.Errorf("%s: %d told, the last %q", tt.name, len(got), got[len(got)-1].Text)
		}
	}
}

func TestWhoComesDoesNotSayThatTheOthersHaveTheEvents(t *testing.T) {
	got := pastText("d1", 1500)
	if strings.Contains(got, "the others") || !strings.Contains(got, "up to log entry 1500, is no event here; those that were there since have it") {
		t.Error(got)
	}
}

func TestWhatWasAgreedBeforeThisDirectorCameIsNoNews(t *testing.T) {
	owner := fsm.Change{Kind: fsm.OwnerChanged, Name: "g", Text: "d1 owns g in epoch 812"}
	for _, tt := range []struct {
		name        string
		c           fsm.Change
		index, past uint64
		want        bool
	}{
		{"before", owner, 1400, 1500, false},
		{"the last of them", owner, 1500, 1500, false},
		{"after", owner, 1501, 1500, true},
		{"what another change of the entry says", fsm.Change{Kind: fsm.OwnerChanged}, 1501, 1500, false},
		{"what it has done itself", fsm.Change{Kind: fsm.StateHealed, Text: "made anew"}, 1400, 1500, true},
	} {
		if got := isNews(tt.c, tt.index, tt.past); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
