package main

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
)

func TestWhatALevelWaitsForIsSaid(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	for _, tt := range []struct {
		st    api.UpgradeStatus
		lacks []string
		want  string
	}{
		{api.UpgradeStatus{}, []string{"d1", "d3"}, "waits for a newer version on d1, d3;"},
		{api.UpgradeStatus{}, nil, "or for the leader, which does not say when"},
		{api.UpgradeStatus{RaiseTo: 2, ByHand: true}, nil, "waits for `quorate upgrade finish` alone"},
		{api.UpgradeStatus{RaiseTo: 2, RaiseAt: at}, nil, "comes at 2026-11-01 12:00:00, or with `quorate upgrade finish`;"},
		{api.UpgradeStatus{RaiseTo: 2, RaiseAt: at, RaiseAwaits: []string{"d2 does not answer", "d3 drains"}}, nil,
			"comes at 2026-11-01 12:00:00 at the earliest, and not while d2 does not answer or d3 drains; or with `quorate upgrade finish`."},
	} {
		if got := waits(tt.st, api.NextLevel{Level: 2, WaitsFor: tt.lacks}); !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %s, want %s", tt.st, got, tt.want)
		}
	}
}
