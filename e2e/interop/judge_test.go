package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
)

// finds holds that a judge says something with these words in it.
func finds(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the judge says %v, want something about %q", err, words)
	}
}

// settled waits until a judge has nothing to say.
func settled(t *testing.T, judge func() error) {
	t.Helper()
	if _, err := within(5*time.Second, judge); err != nil {
		t.Fatalf("%v", err)
	}
}

// hands gives a host addresses by hand, with a hello that tells the client.
func hands(h *lab.Host, verb, prefix string) {
	script := "ip addr " + verb + " " + prefix + " dev eth0"
	if strings.Contains(prefix, ":") && verb == "add" {
		script += " nodad"
	}
	h.MustRun("sh", "-c", script)
}

func TestTheJudgeOfOwnersSeesASecondOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []Cell{{Peer: Keepalived, Version: 3}, {Peer: Keepalived, Version: 3, V6: true}} {
		t.Run(c.String(), func(t *testing.T) {
			s := newStand(t, c)
			q, p := s.Quorate.Host(), s.Peer.Host()
			prefix := c.addresses(false)[len(c.addresses(false))-1].String()
			finds(t, s.serves(s.Quorate, c.virtual()), "held by []")
			hands(q, "add", prefix)
			settled(t, func() error { return s.serves(s.Quorate, c.virtual()) })
			finds(t, s.serves(s.Peer, c.virtual()), "want "+p.Name)
			hands(p, "add", prefix)
			finds(t, s.serves(s.Quorate, c.virtual()), p.Name)

			// A host whose kernel answers though no interface that works has the address: the question finds it.
			p.MustRun("sh", "-c", "ip addr del "+prefix+" dev eth0; ip link add away link eth0 type macvlan; ip addr add "+prefix+" dev away")
			if c.V6 {
				return // the other interface does not answer a neighbour solicitation
			}
			if n := len(s.Holders(c.virtual())); n != 1 {
				t.Fatalf("%d hosts hold the address on an interface that works", n)
			}
			settled(t, func() error { // a second answer may come later than is waited for
				if err := s.serves(s.Quorate, c.virtual()); err == nil || !strings.Contains(err.Error(), "2 hosts answer") {
					return fmt.Errorf("the judge says %v", err)
				}
				return nil
			})
		})
	}
}

func TestTheJudgeOfNeighboursSeesAWrongEntry(t *testing.T) {
	t.Parallel()
	s := newStand(t, Cell{Peer: Keepalived, Version: 3})
	q, p := s.Quorate.Host(), s.Peer.Host()
	finds(t, s.knows(s.Quorate), "no neighbour")
	hands(q, "add", virtual4)
	s.Client.MustRun("ping", "-c", "1", s.Cell.virtual())
	settled(t, func() error { return s.knows(s.Quorate) })
	finds(t, s.knows(s.Peer), "want "+p.Name)
	s.Client.MustRun("ip", "neigh", "replace", s.Cell.virtual(), "lladdr", p.MAC(s.Segment).String(), "dev", "eth0")
	finds(t, s.knows(s.Quorate), p.Name)

	// A virtual hardware address is where the switch sees it.
	virtual := "00:00:5e:00:01:33"
	s.Client.MustRun("ip", "neigh", "replace", s.Cell.virtual(), "lladdr", virtual, "dev", "eth0")
	finds(t, s.knows(s.Quorate), virtual)
	broadcast := append(slices.Repeat([]byte{0xff}, 6), 0, 0, 0x5e, 0, 1, 0x33, 0x88, 0xb5)
	q.Send(s.Segment, append(broadcast, make([]byte, 46)...))
	settled(t, func() error { return s.knows(s.Quorate) })
	p.Send(s.Segment, append(broadcast, make([]byte, 46)...))
	finds(t, s.knows(s.Quorate), p.Name)
}

// good is an advert as keepalived would send it: from 192.0.2.1, with priority 100, each second.
func good() []byte {
	return []byte{
		0x01, 0, 0x5e, 0, 0, 0x12, 2, 0, 0xc0, 0, 2, 1, 0x08, 0x00,
		0x45, 0xc0, 0, 0x20, 0, 1, 0, 0, 0xff, 0x70, 0x18, 0x99, 192, 0, 2, 1, 224, 0, 0, 18,
		0x31, 0x33, 0x64, 1, 0, 0x64, 0x05, 0x72, 192, 0, 2, 100,
	}
}

// pcap writes a capture of these frames, and returns its path.
func pcap(t *testing.T, frames ...[]byte) string {
	t.Helper()
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0}
	for i, f := range frames {
		for _, v := range []int{1, i, len(f), len(f)} {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, f...)
	}
	path := filepath.Join(t.TempDir(), "frames.pcap")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTsharkSeesABadPacket(t *testing.T) {
	needs(t)
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func([]byte)
		plain  bool
		want   string // "" is clean
	}{
		{"a good one", func([]byte) {}, false, ""},
		{"a wrong checksum", func(b []byte) { b[14+20+6] ^= 1 }, false, "checksum"},
		{"a checksum without pseudo-header", func(b []byte) { b[40], b[41] = 0xa8, 0x02 }, false, "checksum"},
		{"a checksum without pseudo-header where that is right", func(b []byte) { b[40], b[41] = 0xa8, 0x02 }, true, ""},
		{"a wrong IP checksum", func(b []byte) { b[14+10] ^= 1 }, false, "checksum"},
		{"an address too many in the count", func(b []byte) { b[14+20+3], b[40] = 2, 0x04 }, false, "frame"},
		{"none at all", nil, false, "no frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var frames [][]byte
			if tt.change != nil {
				frames = append(frames, good())
				tt.change(frames[0])
			}
			err := TsharkClean(pcap(t, frames...), "vrrp", tt.plain)
			if tt.want == "" && err != nil {
				t.Errorf("tshark says %v", err)
			} else if tt.want != "" {
				finds(t, err, tt.want)
			}
		})
	}
}

func TestACaptureIsReadAsItIs(t *testing.T) {
	t.Parallel()
	frames, err := ReadCapture(pcap(t, good(), good()))
	if err != nil || len(frames) != 2 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	f := frames[1]
	f.Bytes, f.VRRP, f.From, f.To = nil, nil, nil, nil
	want := Frame{
		At: time.Unix(1, 1000), Kind: Advert, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("224.0.0.18"), TTL: 255, TOS: 0xc0,
		Version: 3, Type: 1, VRID: 51, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")},
	}
	if diff := cmp.Diff(want, f, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if _, err := ReadCapture(os.DevNull); err == nil {
		t.Error("an empty file is read as a capture")
	}
}
