package agent

import (
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func TestWhoGoesAndComesBackIsToldOnce(t *testing.T) {
	const patience = 7 * time.Second
	type look struct {
		at    time.Duration
		here  bool
		begun int64
		want  string
	}
	for _, tt := range []struct {
		name  string
		looks []look
	}{
		{"it is there from the first look on", []look{{0, true, 1, ""}, {time.Second, true, 1, ""}}},
		{"it comes while it is waited for", []look{{0, false, 0, ""}, {patience - 1, false, 0, ""}, {patience - 1, true, 1, ""}}},
		{"it is never heard of, then comes", []look{{0, false, 0, ""}, {patience, false, 0, "gone"}, {2 * patience, false, 0, ""}, {2 * patience, true, 1, "back"}}},
		{"it goes and comes back", []look{{0, true, 1, ""}, {time.Second, false, 1, "gone"}, {2 * time.Second, false, 1, ""}, {3 * time.Second, true, 2, "back"}, {4 * time.Second, true, 2, ""}}},
		{"it is another process, and was not missed", []look{{0, true, 1, ""}, {time.Second, true, 2, "anew"}, {2 * time.Second, true, 2, ""}}},
	} {
		a := attendance{since: noon}
		for _, l := range tt.looks {
			if got, _ := a.look(noon.Add(l.at), l.here, l.begun, patience); got != l.want {
				t.Errorf("%s, after %v: %q, want %q", tt.name, l.at, got, l.want)
			}
		}
	}
	a := attendance{known: true, since: noon}
	if news, away := a.look(noon.Add(9*time.Second), true, 1, patience); news != "back" || away != 9*time.Second {
		t.Errorf("%q after %v", news, away)
	}
}

func TestWhoSaidThatItStopsIsNoSuccessorAndNoVoterThatAnswers(t *testing.T) {
	var rs reports
	rs.put(report{Name: "d2", Begun: 1, Number: 7, Ready: true}, noon)
	if rs.stopped("d2", noon) || rs.stopped("d3", noon) {
		t.Error("nobody has said it")
	}
	rs.put(report{Name: "d2", Begun: 1, Number: 8, Stopped: true}, noon.Add(time.Second))
	rs.put(report{Name: "d2", Begun: 1, Number: 7, Ready: true}, noon.Add(2*time.Second)) // it was overtaken
	if !rs.stopped("d2", noon.Add(stoppedLife)) {
		t.Error("it has said it")
	}
	if rs.stopped("d2", noon.Add(time.Second+stoppedLife)) {
		t.Error("it may have been started again, behind a path that is cut")
	}
	m := fsm.Member{Name: "d2", Role: fsm.RoleDirector}
	if why := cannotTake(m, rs.live(noon.Add(2 * time.Second))["d2"], true, "g").why; why != "was stopped" {
		t.Errorf("as a successor: %q", why)
	}
	if !rs.lost("d2", noon.Add(time.Second)) || rs.lost("d3", noon) {
		t.Error("lost is who was there")
	}
	rs.put(report{Name: "d2", Begun: 2, Number: 3, Ready: true}, noon.Add(3*time.Second))
	if rs.stopped("d2", noon.Add(3*time.Second)) {
		t.Error("another process is there")
	}
	if rs.lost("d2", noon.Add(4*time.Second)) || !rs.lost("d2", noon.Add(3*time.Second+reportLife)) {
		t.Error("lost is who has said nothing for its report's life")
	}
}

func TestANewLeaderIsToldOnceWithWhoLedBefore(t *testing.T) {
	var p presence
	for _, tt := range []struct{ leads, before string }{{"", ""}, {"d1", ""}, {"d1", ""}, {"", ""}, {"d1", ""}, {"", ""}, {"d2", "d1"}, {"d2", ""}, {"d1", "d2"}} {
		if got := p.led(tt.leads); got != tt.before {
			t.Errorf("%q leads: before %q, want %q", tt.leads, got, tt.before)
		}
	}
	if got := leads("d2", "d1", "does not answer"); got != "d2 leads, before: d1, which does not answer" {
		t.Error(got)
	}
	if got := leads("d2", "d1", ""); got != "d2 leads, before: d1" {
		t.Error(got)
	}
}
