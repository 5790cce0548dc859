package interop

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// watch probes the address while f runs, and returns the longest gap.
func (s *Stand) watch(f func() error) (lab.ProbeReport, error) {
	s.watched = len(s.lapses)
	probe := s.Client.Probe(lab.Probe{To: s.Cell.virtual(), Interval: 5 * time.Millisecond})
	err := f()
	time.Sleep(100 * time.Millisecond)
	return probe.Close(), err
}

// gap holds the client's longest time without an answer, while it was watched, against the most that it may
// be. Where nobody told the client who owns, it says nothing.
func (s *Stand) gap(report lab.ProbeReport, most time.Duration) error {
	untold := slices.ContainsFunc(s.lapses[s.watched:], func(l Lapse) bool { return l.Untold })
	if untold || report.Longest <= most+report.Stall {
		return nil
	}
	return fmt.Errorf("the client had no answer for %v, at most %v: %v", report.Longest, most, report)
}
