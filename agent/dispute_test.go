package agent

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// disputedState has a group that d1 owns by the log, with adverts each second.
func disputedState(edit func(*fsm.Router)) *fsm.State {
	r := fsm.Router{Name: "g", VRID: 51, Interface: "wan", Interval: time.Second}
	if edit != nil {
		edit(&r)
	}
	member := func(name string, source string) fsm.Member {
		return fsm.Member{Name: name, Role: fsm.RoleDirector, Sources: []netip.Addr{netip.MustParseAddr(source)}}
	}
	return &fsm.State{
		Members: map[string]fsm.Member{"d1": member("d1", "192.0.2.1"), "d2": member("d2", "192.0.2.2"), "d3": member("d3", "192.0.2.3")},
		Groups:  map[string]fsm.Ownership{"g": {Owner: "d1", Epoch: 2}},
		Config:  fsm.Config{Routers: map[string]fsm.Router{"g": r}},
	}
}

// says is a report of one group's state and of who is heard.
func says(state, heard string) received {
	return received{report: report{Groups: map[string]groupReport{"g": {State: state, Heard: heard}}}}
}

func TestV81WhoIsHeardAndIsNotWhomTheLogNamesIsReported(t *testing.T) {
	for _, tt := range []struct {
		name string
		live map[string]received
		want []string
	}{
		{"the log's owner is heard", map[string]received{"d1": says("active", ""), "d2": says("backup", "192.0.2.1")}, nil},
		{"nobody is heard", map[string]received{"d2": says("backup", "")}, nil},
		{"another member", map[string]received{"d1": says("backup", "192.0.2.2"), "d3": says("backup", "192.0.2.2")},
			[]string{"d1 hears d2 (192.0.2.2) own g, and the log names d1", "d3 hears d2 (192.0.2.2) own g, and the log names d1"}},
		{"a stranger", map[string]received{"d3": says("backup", "192.0.2.99")}, []string{"d3 hears 192.0.2.99 own g, and the log names d1"}},
		{"a report of who is no member any more", map[string]received{"d9": says("backup", "192.0.2.99")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ds disputes
			found := disputed(disputedState(nil), tt.live)
			ds.look(noon, found)
			ds.look(noon.Add(4*time.Second), found)
			if got := ds.lasting(noon.Add(6 * time.Second)); len(got) > 0 {
				t.Errorf("within a down interval, and the time that reports take: %v", got)
			}
			if diff := cmp.Diff(tt.want, ds.lasting(noon.Add(6001*time.Millisecond))); diff != "" {
				t.Errorf("later (-want +got):\n%s", diff)
			}
			ds.look(noon.Add(7*time.Second), nil)
			ds.look(noon.Add(8*time.Second), found)
			if got := ds.lasting(noon.Add(9 * time.Second)); len(got) > 0 {
				t.Errorf("it was over, and began again: %v", got)
			}
		})
	}
}

func TestTwoOwnersThatNoSegmentJoinsAreSaidToBeSo(t *testing.T) {
	apart := says("active", "")
	apart.Groups["g"] = groupReport{State: "active", Apart: true}
	for _, tt := range []struct {
		d2   received
		want string
	}{
		{says("active", ""), "d1 and d2 own g, each of them: they do not hear each other"},
		{apart, "d1 and d2 own g, each on a side of its own: no segment joins them"},
	} {
		got := disputed(disputedState(nil), map[string]received{"d1": says("active", ""), "d2": tt.d2})
		if len(got) != 1 || got[0].text != tt.want {
			t.Errorf("%+v, want %s", got, tt.want)
		}
	}
	want := []string{"d1 and d2 and d3 own g: no segment joins all of them", "d1 and d2 and d3 own g, each of them: they do not hear each other"}
	var texts []string
	for _, d := range disputed(disputedState(nil), map[string]received{"d1": says("active", ""), "d2": apart, "d3": says("active", "")}) {
		texts = append(texts, d.text)
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("three of them (-want +got):\n%s", diff)
	}
}

func TestV81WhatLastsIsToldOnceWithTheMACAddressOfWhoIsHeard(t *testing.T) {
	live := map[string]received{"d1": says("active", ""), "d3": says("backup", "192.0.2.99")}
	found := disputed(disputedState(nil), live)
	var ds disputes
	var told []dispute
	for at := range 20 {
		told = append(told, ds.look(noon.Add(time.Duration(at)*time.Second), found)...)
	}
	if len(told) != 1 || told[0].by != "d3" || told[0].group != "g" || told[0].heard != "192.0.2.99" {
		t.Fatalf("told %+v, want once that d3 hears 192.0.2.99", told)
	}
	ds.answered(told[0], net.HardwareAddr{2, 0, 0, 0, 0, 0x99})
	want := []string{"d3 hears 192.0.2.99 own g, and the log names d1 (192.0.2.99 has the MAC address 02:00:00:00:00:99)"}
	if diff := cmp.Diff(want, ds.lasting(noon.Add(20*time.Second))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ds.look(noon.Add(21*time.Second), nil)
	if len(ds.macs) != 0 {
		t.Errorf("what is over is remembered: %v", ds.macs)
	}
	if again := ds.look(noon.Add(22*time.Second), found); len(again) != 0 {
		t.Errorf("it began again, and is told at once: %v", again)
	}
	if again := ds.look(noon.Add(30*time.Second), found); len(again) != 1 {
		t.Errorf("it has lasted again, and is told %d times", len(again))
	}
}

func TestV81NoOwnerInTheLogIsNoDispute(t *testing.T) {
	s := disputedState(nil)
	s.Groups["g"] = fsm.Ownership{}
	if got := disputed(s, map[string]received{"d2": says("backup", "192.0.2.99")}); len(got) > 0 {
		t.Errorf("disputes %v", got)
	}
}

func TestV71DirectorsThatDoNotHearEachOtherSaySo(t *testing.T) {
	both := map[string]received{"d1": says("active", ""), "d2": says("active", ""), "d3": says("backup", "192.0.2.1")}
	for name, tt := range map[string]struct {
		edit func(*fsm.Router)
		want string
	}{
		"plain": {nil, "d1 and d2 own g, each of them: they do not hear each other"},
		"virtual MAC": {func(r *fsm.Router) { r.VirtualMAC = true },
			"d1 and d2 own g, each of them: they do not hear each other (a virtual MAC address needs a network that lets frames from and to it pass)"},
	} {
		t.Run(name, func(t *testing.T) {
			var ds disputes
			ds.look(noon, disputed(disputedState(tt.edit), both))
			if diff := cmp.Diff([]string{tt.want}, ds.lasting(noon.Add(time.Minute))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var ds disputes
	ds.look(noon, disputed(disputedState(nil), map[string]received{"d1": says("active", ""), "d2": says("backup", "192.0.2.1")}))
	if got := ds.lasting(noon.Add(time.Minute)); len(got) > 0 {
		t.Errorf("one owner: %v", got)
	}
}

func TestV71AnOwnerWithAVirtualMACThatNobodyHearsIsNamed(t *testing.T) {
	deaf := received{report: report{Groups: map[string]groupReport{"g": {State: "backup", Deaf: "outside is silent"}}}}
	virtual := disputedState(func(r *fsm.Router) { r.VirtualMAC = true })
	for _, tt := range []struct {
		name  string
		state *fsm.State
		live  map[string]received
		want  []string
	}{
		{"nobody hears it", virtual, map[string]received{"d1": says("active", ""), "d2": deaf, "d3": deaf},
			[]string{"nobody hears d1 own g (a virtual MAC address needs a network that lets frames from and to it pass)"}},
		{"one does", virtual, map[string]received{"d1": says("active", ""), "d2": deaf, "d3": says("backup", "192.0.2.1")}, nil},
		{"no virtual MAC", disputedState(nil), map[string]received{"d1": says("active", ""), "d2": deaf, "d3": deaf}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ds disputes
			ds.look(noon, disputed(tt.state, tt.live))
			if diff := cmp.Diff(tt.want, ds.lasting(noon.Add(time.Minute))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
