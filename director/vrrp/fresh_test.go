package vrrp

import (
	"testing"
	"time"
)

func TestAConcessionEndsAResumption(t *testing.T) {
	r := newRig(t, Config{Priority: 100})
	r.at(0, Start{Resume: 50 * time.Millisecond})
	r.expect(10*time.Millisecond, Concede{}, "release", Backup)
	r.expect(20*time.Millisecond, Concede{}, "", Backup)
	r.timer(10*time.Millisecond + 3609375*time.Microsecond)
}
