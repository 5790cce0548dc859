package main

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
)

func TestAnExplanationBeginsWithWhatIsAboutToHappen(t *testing.T) {
	for _, tt := range []struct {
		e    api.Explanation
		want string
	}{
		{api.Explanation{Order: []string{"d3", "d1"}}, "d2 owns g\n  epoch 0: -\n  next: d3, d1\n\n"},
		{api.Explanation{Order: []string{"d3", "d1"}, Next: []string{"d3"}, Cannot: []string{"d1 drains"}}, "d2 owns g\n  epoch 0: -\n  next: d3\n  not next: d1 drains\n\n"},
		{api.Explanation{Next: []string{}, Order: []string{"d1"}}, "d2 owns g\n  epoch 0: -\n  next: -\n\n"},
		{
			api.Explanation{Placement: "pinned to d3, holds for 30s", Wish: "d3", WishReason: "it is pinned to d3 before d2", WishIn: 11.6},
			"d2 owns g\n  epoch 0: -\n  next: -\n  placement: pinned to d3, holds for 30s\n  moves to d3 in 12s: it is pinned to d3 before d2\n\n",
		},
		{api.Explanation{Wish: "d3", WishReason: "r"}, "d2 owns g\n  epoch 0: -\n  next: -\n  is to move to d3 as soon as that can take it: r\n\n"},
		{
			api.Explanation{Members: []api.Attestation{{Name: "d1", Part: "active"}, {Name: "d2", Part: "active"}, {Name: "d3", Part: "backup"}}},
			"d2 owns g\n  epoch 0: -\n  next: -\n! d1 and d2 own it, each of them: `quorate status` says more\n\n",
		},
		{api.Explanation{Moving: "d3", Wish: "d1"}, "d2 owns g\n  epoch 0: -\n  next: -\n  moving to d3\n\n"},
	} {
		tt.e.Group, tt.e.Owner = "g", "d2"
		var b strings.Builder
		if err := printExplanation(&b, tt.e); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), tt.want) {
			t.Errorf("%s, want %s", b.String(), tt.want)
		}
	}
}

func TestARowOfAnExplanationSaysWhatTheMemberIs(t *testing.T) {
	for _, tt := range []struct {
		m    api.Attestation
		want string
	}{
		{api.Attestation{Name: "w1", Role: "witness", Ready: true, Gone: []string{"d3"}}, "w1 witness - 0 yes - silent to it: d3"},
		{api.Attestation{Name: "d2", Role: "director", Part: "backup", Draining: true, Ready: true, Reason: "start"}, "d2 backup, drains - 0 yes - start"},
		{api.Attestation{Name: "d2", Role: "director", Ready: true}, "d2 - - 0 yes - -"},
	} {
		var b strings.Builder
		printAttestations(&b, []api.Attestation{tt.m})
		_, row, _ := strings.Cut(b.String(), "\n")
		if got := strings.TrimSpace(strings.ReplaceAll(row, "\t", " ")); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
