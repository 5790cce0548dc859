package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func TestATokenIsGoodForAYearAtMostAndNotBeyondTheCA(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		lifetime time.Duration
		end      time.Time
		want     string // "": it is fine
	}{
		{"a second", time.Second, now.AddDate(10, 0, 0), ""},
		{"a year", maxTokenLife, now.AddDate(10, 0, 0), ""},
		{"no time", 0, now.AddDate(10, 0, 0), "at most 365d"},
		{"less than that", -time.Hour, now.AddDate(10, 0, 0), "at most 365d"},
		{"more than a year", maxTokenLife + time.Second, now.AddDate(20, 0, 0), "lifetime of 8760h0m1s: it must be more than nothing, and at most 365d"},
		{"to the end of the CA", 48 * time.Hour, now.AddDate(0, 0, 2), ""},
		{"beyond the end of the CA", 72 * time.Hour, now.AddDate(0, 0, 2), "lifetime of 3d: the cluster's CA ends on 2026-11-03T12:00:00Z"},
	} {
		err := checkTokenLife(tt.lifetime, now, tt.end)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestATokenForTooLongIsNotMade(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	if _, err := a.CreateToken(t.Context(), fsm.RoleDirector, 99999*time.Hour); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("it says %v", err)
	}
	if n := len(a.State().Secrets().Tokens); n > 0 {
		t.Errorf("there are %d tokens", n)
	}
}
