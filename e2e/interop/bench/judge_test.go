package main

import (
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/interop"
)

// asks is a capture of a question each ten milliseconds, with the hosts that answer each, a letter for one.
func asks(answers ...string) []interop.Frame {
	asker := []byte("?")
	var frames []interop.Frame
	at := time.Unix(1, 0)
	for _, hosts := range answers {
		frames = append(frames, interop.Frame{At: at, Op: 1, SenderMAC: asker, To: []byte("*")})
		for _, h := range hosts {
			frames = append(frames, interop.Frame{At: at.Add(time.Microsecond), Op: 2, SenderMAC: []byte(string(h)), To: asker})
		}
		frames = append(frames, interop.Frame{At: at.Add(time.Millisecond), Op: 2, SenderMAC: []byte("x"), To: []byte("*")}) // to all
		frames = append(frames, interop.Frame{At: at.Add(2 * time.Millisecond), Op: 1, SenderMAC: []byte("z"), To: []byte("*")})
		at = at.Add(10 * time.Millisecond)
	}
	return frames
}

func TestTwoHostsThatAnswerAreSeenAndForHowLong(t *testing.T) {
	for _, tt := range []struct {
		answers []string
		want    time.Duration
	}{
		{nil, 0},
		{[]string{"a", "a", "b", "b"}, 0},
		{[]string{"a", "ab", "b"}, 10 * time.Millisecond},
		{[]string{"a", "ab", "ab", "ba", "b", "ab", "b"}, 30 * time.Millisecond},
		{[]string{"ab", "", "ab", "ab", "", "aa"}, 20 * time.Millisecond},
		{[]string{"ab", "ab", "ab"}, 20 * time.Millisecond}, // what the last question tells is not known
	} {
		if got := twice(asks(tt.answers...), []byte("?")); got != tt.want {
			t.Errorf("%q: two for %v, want %v", tt.answers, got, tt.want)
		}
	}
}

func TestTheMiddleAndTheLists(t *testing.T) {
	if got := middle([]int{5, 0, 1, 0}); got != 0 {
		t.Errorf("middle %d", got)
	}
	if got := counts([]int{12, 0, 3}); got != "0 3 12" {
		t.Errorf("counts %q", got)
	}
	times := []time.Duration{30 * time.Millisecond, 1500 * time.Microsecond, 20 * time.Millisecond}
	if got := list(times); got != "1.50 20.0 30.0" || median(times) != 20*time.Millisecond || quantile(times, 1) != times[0] {
		t.Errorf("list %q, median %v, worst %v", got, median(times), quantile(times, 1))
	}
	if !slices.Equal(times, []time.Duration{30 * time.Millisecond, 1500 * time.Microsecond, 20 * time.Millisecond}) {
		t.Errorf("the times are sorted in place: %v", times)
	}
}
