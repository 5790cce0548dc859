package levels

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var begin = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func members(highest ...int) []Member {
	var all []Member
	for i, h := range highest {
		all = append(all, Member{Name: string(rune('a' + i)), Min: 1, Max: h})
	}
	return all
}

// TestTheLevelIsRaisedADayAfterTheLastMemberSupportsIt plays an upgrade with a way back, hour by hour: d2 goes back to
// the older version in the middle, d3 is upgraded last.
func TestTheLevelIsRaisedADayAfterTheLastMemberSupportsIt(t *testing.T) {
	var w Watch
	level, raisedAt := 1, -1
	for hour := range 120 {
		now := begin.Add(time.Duration(hour) * time.Hour)
		supports := []int{1, 1, 1}
		if hour >= 1 {
			supports[0] = 2
		}
		if hour >= 2 && (hour < 20 || hour >= 30) {
			supports[1] = 2
		}
		if hour >= 10 {
			supports[2] = 2
		}
		next, since := w.Look(now, level, members(supports...))
		why, due := Due(now, next, since, 24*time.Hour)
		if !due {
			continue
		}
		if raisedAt >= 0 || next != 2 || why != "every member has supported it for a day" {
			t.Fatalf("hour %d: raised to %d again, after hour %d: %q", hour, next, raisedAt, why)
		}
		level, raisedAt = next, hour
	}
	if raisedAt != 54 {
		t.Errorf("raised in hour %d, want 54: a day after the last member supports it", raisedAt)
	}
}

func TestTheLevelIsNotRaisedWhereThatIsNotDue(t *testing.T) {
	for _, tt := range []struct {
		name    string
		level   int
		members []Member
		after   time.Duration
		wait    time.Duration
		want    int
	}{
		{"all support it for long enough", 1, members(2, 2, 2), time.Hour, time.Hour, 2},
		{"all support more than one higher", 1, members(4, 3, 4), time.Hour, time.Hour, 3},
		{"not long enough", 1, members(2, 2, 2), time.Hour, time.Hour - time.Nanosecond, 0},
		{"never", 1, members(2, 2, 2), Never, 1000 * time.Hour, 0},
		{"no setting at all", 1, members(2, 2, 2), 0, 1000 * time.Hour, 0},
		{"one does not", 1, members(2, 1, 2), time.Hour, 1000 * time.Hour, 0},
		{"the cluster is there", 2, members(2, 2, 2), time.Hour, 1000 * time.Hour, 0},
		{"the cluster is beyond it", 3, members(2, 2, 2), time.Hour, 1000 * time.Hour, 0},
		{"nobody", 1, nil, time.Hour, 1000 * time.Hour, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var w Watch
			w.Look(begin, tt.level, tt.members)
			now := begin.Add(tt.wait)
			next, since := w.Look(now, tt.level, tt.members)
			if _, due := Due(now, next, since, tt.after); due != (tt.want > 0) || due && next != tt.want {
				t.Errorf("due %v, to %d, want %d", due, next, tt.want)
			}
		})
	}
}

func TestAHigherLevelStillBeginsItsWaitAnew(t *testing.T) {
	var w Watch
	w.Look(begin, 1, members(2, 2))
	later := begin.Add(time.Hour)
	if next, since := w.Look(later, 1, members(3, 3)); next != 3 || !since.Equal(later) {
		t.Errorf("level %d since %v", next, since)
	}
	if next, since := w.Look(later.Add(time.Hour), 1, members(2, 3)); next != 2 || !since.Equal(later.Add(time.Hour)) {
		t.Errorf("after a way back: level %d since %v", next, since)
	}
}

func TestTheLowerOfWhatIsKnownOfAMemberCounts(t *testing.T) {
	older, newer := Member{Name: "d", Version: "1", Min: 1, Max: 1}, Member{Name: "d", Version: "2", Min: 1, Max: 2}
	for _, tt := range []struct {
		name string
		log  Member
		said *Member
		want Member
	}{
		{"it does not answer", newer, nil, newer},
		{"it says nothing of levels", newer, &Member{Name: "d", Version: "0"}, newer},
		{"it has gone back a moment ago", newer, &older, older},
		{"what was heard of it is older", older, &newer, older},
		{"both agree", newer, &newer, newer},
	} {
		if diff := cmp.Diff(tt.want, Seen(tt.log, tt.said)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWhoLacksALevelIsNamed(t *testing.T) {
	if diff := cmp.Diff([]Member{{Name: "b", Min: 1, Max: 1}}, Lacking(members(2, 1, 3), 2)); diff != "" {
		t.Error(diff)
	}
	if got := Lacking(members(2, 3), 2); got != nil {
		t.Errorf("%v", got)
	}
}

func TestTheLongestWaitCountsAndNeverIsLonger(t *testing.T) {
	for _, tt := range []struct {
		of   []time.Duration
		want time.Duration
	}{
		{nil, 0}, {[]time.Duration{0, time.Hour, time.Minute}, time.Hour}, {[]time.Duration{time.Hour, Never, time.Minute}, Never},
	} {
		if got := Longest(tt.of...); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.of, got, tt.want)
		}
	}
}
