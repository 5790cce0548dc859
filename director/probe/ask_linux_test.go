package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asks asks for that long, and returns how many answered.
func asks(t *testing.T, long time.Duration, targets ...netip.Addr) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	found, err := AskEach(ctx, "qa", netip.MustParseAddr("192.0.2.1"), targets)
	return len(found), err
}

// Somebody takes an address while it is asked who has it.
func TestWhoComesToHaveAnAddressMeanwhileAnswers(t *testing.T) {
	n := segment(t)
	late := time.AfterFunc(100*time.Millisecond, func() { n.run("ip", "addr", "add", "192.0.2.7/24", "dev", "qb") })
	defer late.Stop()
	if got, err := asks(t, 800*time.Millisecond, netip.MustParseAddr("192.0.2.7")); got != 1 || err != nil {
		t.Errorf("%d answered, %v", got, err)
	}
}

// A thousand addresses are one host's, which answers for all at once.
func TestNoneOfManyAnswersIsLost(t *testing.T) {
	n := segment(t)
	n.run("ip", "route", "add", "local", "198.18.0.0/22", "dev", "lo")
	all := make([]netip.Addr, 1000)
	for i := range all {
		all[i] = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 198<<24+18<<16+uint32(i))))
	}
	if got, err := asks(t, time.Second, all...); got != len(all) || err != nil {
		t.Errorf("%d of %d answered, %v", got, len(all), err)
	}
}

// The kernel does not send the question for one address: the others are asked, and it is told.
func TestAQuestionThatIsNotSentKeepsNoOtherFromBeingAsked(t *testing.T) {
	n := segment(t)
	n.run("ip", "addr", "add", "192.0.2.7/24", "dev", "qb")
	run(t, "nft", `table netdev q { chain c { type filter hook egress device "qa" priority 0; @nh,192,32 0xc0000203 drop; }; }`)
	got, err := asks(t, 200*time.Millisecond, netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.7"))
	if got != 2 || !errors.Is(err, unix.ENOBUFS) {
		t.Errorf("%d answered, %v", got, err)
	}
}
