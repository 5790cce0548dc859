package track

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// at is a time of the transcripts.
func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// play feeds a tracker with a transcript: "2.5 ok", "3 bad", or "4 -" where only time passes, and
// returns the states after each, with a star where a deadline is set.
func play(t *testing.T, tr *Tracker, transcript string) string {
	t.Helper()
	var out []string
	for step := range strings.SplitSeq(transcript, ", ") {
		var when float64
		var what string
		if _, err := fmt.Sscan(step, &when, &what); err != nil {
			t.Fatalf("%q: %v", step, err)
		}
		switch what {
		case "ok":
			tr.Observe(at(when), Observation{OK: true})
		case "bad":
			tr.Observe(at(when), Observation{Reason: "bad"})
		default:
			tr.Expire(at(when))
		}
		word := string(tr.Result().State)
		if !tr.Deadline().IsZero() {
			word += fmt.Sprintf("*%v", tr.Deadline().Sub(at(0)))
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func TestATrackTurnsWhenEnoughResultsSayItForLongEnough(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		tracker    Tracker
		transcript string
		want       string
	}{
		{"the first result decides", Tracker{Rise: 3, Fall: 3, DownDelay: time.Hour}, "0 bad", "failing"},
		{"the first result decides", Tracker{Rise: 3, Fall: 3, UpDelay: time.Hour}, "0 ok", "passing"},
		{"fall in a row", Tracker{Rise: 1, Fall: 2}, "0 ok, 1 bad, 2 ok, 3 bad, 4 bad", "passing passing passing passing failing"},
		{"rise in a row", Tracker{Rise: 2, Fall: 1}, "0 bad, 1 ok, 2 bad, 3 ok, 4 ok", "failing failing failing failing passing"},
		{"a short outage is not seen", Tracker{Rise: 1, Fall: 1, DownDelay: 2 * time.Second},
			"0 ok, 1 bad, 2.5 -, 2.9 ok, 3 -, 4 -", "passing passing*3s passing*3s passing passing passing"},
		{"a long one is, at its deadline", Tracker{Rise: 1, Fall: 1, DownDelay: 2 * time.Second},
			"0 ok, 1 bad, 2 bad, 2.9 -, 3 -", "passing passing*3s passing*3s passing*3s failing"},
		{"it comes back after the up delay", Tracker{Rise: 1, Fall: 1, UpDelay: 5 * time.Second},
			"0 bad, 1 ok, 5 bad, 6 ok, 10.9 -, 11 -", "failing failing*6s failing failing*11s failing*11s passing"},
		{"the delay begins when the results are enough", Tracker{Rise: 1, Fall: 3, DownDelay: time.Second},
			"0 ok, 1 bad, 2 bad, 3 bad, 4 -", "passing passing passing passing*4s failing"},
		{"a late result ends the delay too", Tracker{Rise: 1, Fall: 1, DownDelay: time.Second}, "0 ok, 1 bad, 9 bad", "passing passing*2s failing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := play(t, &tt.tracker, tt.transcript); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.transcript, got, tt.want)
			}
		})
	}
}

func TestAResultSaysWhySinceWhenAndHowMuch(t *testing.T) {
	t.Parallel()
	tr := Tracker{Rise: 1, Fall: 1, DownDelay: time.Second}
	if got := tr.Result(); got.State != Unknown {
		t.Errorf("before the first look: %+v", got)
	}
	tr.Observe(at(0), Observation{OK: true})
	tr.Observe(at(1), Observation{Value: 7, Reason: "holds 7"})
	if got, want := tr.Result(), (Result{State: Passing, Value: 7, Since: at(0)}); got != want {
		t.Errorf("while it waits: %+v, want %+v", got, want)
	}
	tr.Observe(at(2), Observation{Value: 8, Reason: "holds 8"})
	if got, want := tr.Result(), (Result{State: Failing, Value: 8, Reason: "holds 8", Since: at(2)}); got != want {
		t.Errorf("after that: %+v, want %+v", got, want)
	}
	tr.Observe(at(3), Observation{Fault: true, Reason: "gone"})
	if got, want := tr.Result(), (Result{State: Failing, Fault: true, Reason: "gone", Since: at(2)}); got != want {
		t.Errorf("for another reason: %+v, want %+v", got, want)
	}
	tr.Observe(at(4), Observation{OK: true})
	if got, want := tr.Result(), (Result{State: Passing, Since: at(4)}); got != want {
		t.Errorf("over: %+v, want %+v", got, want)
	}
}
