package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/keeper"
)

func TestAGroupIsContestedWhenAnotherDirectorOwnsWhatTheKeeperOwns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		own   string // the state of the group here
		other string // and by the other's report
		age   time.Duration
		want  []string
	}{
		{"both own it", "active", "active", 0, []string{"web"}},
		{"the other is Backup", "active", "backup", 0, nil},
		{"this one is Backup", "backup", "active", 0, nil},
		{"the report is old", "active", "active", reportLife, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &session{keeper: newKeeperLink("", nil, nil)}
			s.cfg.Name = "d1"
			s.keeper.order = &keeper.Order{Groups: []keeper.Group{{Name: "web"}, {Name: "mail"}}}
			s.keeper.last = keeper.Status{Groups: []keeper.GroupStatus{{Name: "web", State: tt.own}}}
			s.reports.put(report{Name: "d1", Groups: map[string]groupReport{"web": {State: "active"}}}, time.Now())
			s.reports.put(report{Name: "d2", Groups: map[string]groupReport{"web": {State: tt.other}, "mail": {State: "active"}}}, time.Now().Add(-tt.age))
			var got []string
			for _, g := range s.contested() {
				got = append(got, g.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("contested (-want +got):\n%s", diff)
			}
		})
	}
}

// systemctl puts a program of that name first on the path.
func systemctl(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestAJobForTheKeeperMayComeAMomentAfterTheStopOfControl(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         bool
	}{
		{"at once", "echo 17", true},
		{"by the third look", "echo >>asked; [ $(wc -l <asked) -lt 3 ] && echo || echo 17", true},
		{"never", "echo", false},
		{"never, as an older systemctl says it", "echo 0", false},
		{"systemctl fails", "echo 17; exit 1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			systemctl(t, tt.script)
			if got := unitStops(keeperUnit); got != tt.want {
				t.Errorf("unitStops = %v, want %v", got, tt.want)
			}
		})
	}
}
