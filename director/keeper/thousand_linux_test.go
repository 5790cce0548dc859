package keeper

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// arrival is one frame and when it came.
type arrival struct {
	at    time.Time
	frame string
}

// recordFrames reads a packet socket until a time, with the kernel's own times of arrival: the keeper's
// real-time scheduling goes before the reader.
func recordFrames(fd int, until time.Time, out chan<- []arrival) {
	var got []arrival
	b, control := make([]byte, 2000), make([]byte, 200)
	for time.Now().Before(until) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, 20); n < 1 {
			continue
		}
		n, controls, _, _, err := unix.Recvmsg(fd, b, control, unix.MSG_DONTWAIT)
		if err != nil {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(control[:controls])
		if err == nil && len(messages) > 0 && len(messages[0].Data) >= 16 {
			d := messages[0].Data
			at := time.Unix(int64(binary.NativeEndian.Uint64(d)), int64(binary.NativeEndian.Uint64(d[8:])))
			got = append(got, arrival{at, hex.EncodeToString(b[:min(n, 100)])})
		}
	}
	out <- got
}

// fourInterfaces gives a space three interfaces more, and returns an order with 250 addresses on each of
// the four, and packet sockets on their wires.
func fourInterfaces(t *testing.T, s *space, interval time.Duration) (o Order, fds []int) {
	t.Helper()
	bridge := strings.TrimSuffix(s.name, "a") + "br"
	fds = []int{wireOf(t, s, "p0")}
	for i := range 4 {
		iface, port := fmt.Sprintf("eth%d", i), fmt.Sprintf("q%d", i)
		if i > 0 {
			ip(t, "-n", bridge, "link", "add", port, "type", "veth", "peer", "name", iface, "netns", s.name)
			ip(t, "-n", bridge, "link", "set", port, "up")
			ip(t, "-n", s.name, "link", "set", iface, "up")
			ip(t, "-n", s.name, "addr", "add", fmt.Sprintf("198.51.100.%d/24", i), "dev", iface)
			fds = append(fds, wireOf(t, s, port))
		}
		r := Router{Name: iface, VRID: uint8(i + 1), Interface: iface, Interval: interval}
		for j := range 250 { // half of them in the other family
			if j%2 == 0 {
				r.Addresses = append(r.Addresses, netip.MustParsePrefix(fmt.Sprintf("10.%d.0.%d/32", i, j)))
			} else {
				r.Excluded = append(r.Excluded, netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::%x/128", i, j)))
			}
		}
		o.Groups = append(o.Groups, Group{Name: iface, Priority: 220, Routers: []Router{r}})
	}
	return o, fds
}

// No advert waits for the announcements.
func TestV66V75AThousandAddressesOnFourInterfacesAreTakenOverAtOnce(t *testing.T) {
	const interval, watched = 400 * time.Millisecond, 6 * time.Second
	s := segment(t, 1)[0]
	o, fds := fourInterfaces(t, s, interval)
	records := make(chan []arrival)
	for _, fd := range fds {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			t.Fatal(err)
		}
		go recordFrames(fd, time.Now().Add(watched), records)
	}
	s.run()
	if err := s.Set(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var all [][]arrival
	for range fds {
		all = append(all, <-records)
	}
	begin, gap := adverts(all)
	firsts, said := announcements(all, begin)
	slices.Sort(firsts)
	if len(firsts) != 1000 {
		t.Fatalf("%d addresses were announced, want 1000", len(firsts))
	}
	t.Logf("after the first advert: first %v, median %v, last %v; the longest time without an advert on an interface %v",
		firsts[0], firsts[500], firsts[999], gap)
	if firsts[999] > 2*time.Second {
		t.Errorf("the last address was announced after %v", firsts[999])
	}
	if gap > 3*interval { // where another one would take over
		t.Errorf("no advert for %v", gap)
	}
	for target, n := range said {
		if n != 5 {
			t.Fatalf("%s was announced %d times in the first seconds, want 5", target, n)
		}
	}
}

// adverts returns when the first advert came, and the longest time without one on a wire.
func adverts(wires [][]arrival) (begin time.Time, gap time.Duration) {
	for _, wire := range wires {
		var last time.Time
		for _, a := range wire {
			if !strings.HasPrefix(a.frame, "01005e000012") {
				continue
			}
			if !last.IsZero() {
				gap = max(gap, a.at.Sub(last))
			} else if begin.IsZero() || a.at.Before(begin) {
				begin = a.at
			}
			last = a.at
		}
	}
	return begin, gap
}

// announcements returns how long after begin each address was first announced, and how often each was.
func announcements(wires [][]arrival, begin time.Time) (firsts []time.Duration, said map[string]int) {
	said = map[string]int{}
	for _, wire := range wires {
		for _, a := range wire {
			target := ""
			switch {
			case a.frame[24:28] == "0806":
				target = a.frame[56:64]
			case a.frame[24:28] == "86dd" && a.frame[108:110] == "88":
				target = a.frame[124:156]
			default:
				continue
			}
			if said[target]++; said[target] == 1 {
				firsts = append(firsts, a.at.Sub(begin))
			}
		}
	}
	return firsts, said
}
