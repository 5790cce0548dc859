package director

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/ipvs"
)

func conn(port uint16, expires uint32, real string) ipvs.Conn {
	client := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.9"), port)
	return ipvs.Conn{
		Protocol: ipvs.TCP, Client: client, Virtual: netip.MustParseAddrPort("192.0.2.1:80"), Real: netip.MustParseAddrPort(real), Expires: expires,
	}
}

// A kernel that is busy hands what was injected to its daemon late, and a move is refused on too few.
func TestWhatWasInjectedIsCountedWhenItIsThere(t *testing.T) {
	const real4, real6 = "10.0.0.1:80", "[2001:db8::1]:80"
	kept := []ipvs.Conn{conn(1, 60, real4), conn(2, 60, real4), conn(3, 60, real4)}
	for name, tt := range map[string]struct {
		conns  []ipvs.Conn
		share  float64
		after  time.Duration // the table has only the first of them before
		then   int           // and so many after it
		have   int
		within time.Duration
	}{
		"all are there at once":                  {kept, 1, 0, 3, 3, 0},
		"the last ones come late":                {kept, 1, 300 * time.Millisecond, 3, 3, 300*time.Millisecond + arriveAgain},
		"some never come":                        {kept, 1, 0, 2, 2, arriveLimit},
		"one never comes, and is not needed":     {kept, 0.6, 300 * time.Millisecond, 2, 2, 300*time.Millisecond + arriveAgain},
		"none is needed":                         {kept, 0, 0, 0, 0, 0},
		"they come too late":                     {kept, 1, 2 * arriveLimit, 3, 1, arriveLimit},
		"one that ends is not waited for":        {append(kept[:2:2], conn(3, 2, real4)), 1, 0, 2, 2, 0},
		"nor one that cannot be injected at all": {append(kept[:2:2], conn(3, 60, real6)), 1, 0, 2, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				table := func() ([]ipvs.Conn, error) {
					if time.Since(began) < tt.after {
						return tt.conns[:1], nil
					}
					return tt.conns[:tt.then], nil
				}
				have, err := arrived(t.Context(), table, tt.conns, tt.share)
				if took := time.Since(began); have != tt.have || err != nil || took > tt.within {
					t.Errorf("%d after %v, %v; want %d within %v", have, took, err, tt.have, tt.within)
				}
			})
		})
	}
}

func TestATableThatCannotBeReadCoversNothing(t *testing.T) {
	broken := errors.New("broken")
	have, err := arrived(t.Context(), func() ([]ipvs.Conn, error) { return nil, broken }, []ipvs.Conn{conn(1, 60, "10.0.0.1:80")}, 1)
	if have != 0 || !errors.Is(err, broken) {
		t.Errorf("%d, %v", have, err)
	}
}
