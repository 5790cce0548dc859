package main

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
)

func TestTheHeaderClaimsNoQuorumThatDoesNotAnswer(t *testing.T) {
	for _, tt := range []struct {
		answering, cannot int
		cutOff            bool
		want              string
	}{
		{3, 1, false, "cluster c  quorum  leader d2  revision 0  index 0  level 0\n3 of 3 voters answer, 1 of these cannot write, none more may fail\n"},
		{2, 0, false, "cluster c  quorum  leader d2  revision 0  index 0  level 0\n2 of 3 voters answer, none more may fail\n"},
		{1, 0, true, "cluster c  CUT OFF  leader d2  revision 0  index 0  level 0\n1 of 3 voters answer, 2 must reach each other\n"},
	} {
		var b strings.Builder
		if err := printStatus(&b, api.Status{Cluster: "c", Leader: "d2", Quorum: true, CutOff: tt.cutOff, Voters: 3, Answering: tt.answering, CannotWrite: tt.cannot}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), tt.want) {
			t.Errorf("%d answer: %s", tt.answering, b.String())
		}
	}
}

func TestWhereTooFewAnswerNobodyIsSaidToOwn(t *testing.T) {
	mute := api.Attestation{Name: "d2", Error: "ask d2: no answer in time"}
	for want, members := range map[string][]api.Attestation{
		"nobody owns g\n": {{Name: "d1"}, mute, {Name: "d3"}},
		"it is not known here who owns g: too few answer\n": {{Name: "d1"}, mute, mute},
		"d2 owns g\n": nil,
	} {
		e := api.Explanation{Group: "g", Members: members}
		if members == nil {
			e.Owner = "d2"
		}
		var b strings.Builder
		if err := printExplanation(&b, e); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), want) {
			t.Errorf("%s, want %s", b.String(), want)
		}
	}
}
