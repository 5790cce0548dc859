package lab

import (
	"testing"
	"time"
)

func TestAProbeTellsItsOwnStallFromAnAddressThatIsAway(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name     string
		at       []time.Duration
		answered string // x for yes
		want     ProbeReport
	}{
		{"all is well", []time.Duration{0, ms, 2 * ms}, "xxx", ProbeReport{Sent: 3, Answered: 3, Longest: ms, Stall: ms}},
		{"the client stood still", []time.Duration{0, ms, 21 * ms}, "xxx", ProbeReport{Sent: 3, Answered: 3, Longest: 20 * ms, Stall: 20 * ms}},
		{"two were lost", []time.Duration{0, ms, 2 * ms, 3 * ms}, "x..x", ProbeReport{Sent: 4, Answered: 2, Lost: 2, Longest: 3 * ms, Away: 3 * ms, Stall: ms}},
		{"one was lost, and later it stood still", []time.Duration{0, ms, 2 * ms, 12 * ms}, "x.xx",
			ProbeReport{Sent: 4, Answered: 3, Lost: 1, Longest: 10 * ms, Away: 2 * ms, Stall: 10 * ms}},
		{"away to the end", []time.Duration{0, ms, 2 * ms}, "x..", ProbeReport{Sent: 3, Answered: 1, Lost: 2, Longest: 2 * ms, Away: 2 * ms, Stall: ms}},
		{"nothing was sent", nil, "", ProbeReport{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start, p := time.Unix(0, 0), &probing{}
			for i, d := range tt.at {
				p.sent, p.answered = append(p.sent, start.Add(d)), append(p.answered, tt.answered[i] == 'x')
			}
			got := p.report()
			got.At = time.Time{}
			if got != tt.want {
				t.Errorf("report %+v\nwant   %+v", got, tt.want)
			}
		})
	}
}
