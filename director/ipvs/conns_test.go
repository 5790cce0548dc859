package ipvs

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// connTable was taken from a 6.1 kernel.
const connTable = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
IP  C0000209 0000 00000005 0000 0A000001 0000 ASSURED          49
TCP C0000209 CB32 C0000201 0050 0A000001 1F90 ESTABLISHED     897
TCP fd01:0000:0000:0000:0000:0000:0000:0009 DED8 fd01:0000:0000:0000:0000:0000:0000:0001 0050 fd02:0000:0000:0000:0000:0000:0000:0002 1F90 TIME_WAIT       119
TCP C0000209 95A0 C0000205 0063 0A000001 0063 TIME_WAIT       119
TCP C0000209 0000 C0000201 0000 0A000001 0000 ASSURED          99
TCP C0000209 0000 C0000201 0051 0A000001 1F90 ASSURED          98
UDP C0000209 C2FD C0000201 0035 0A000001 0035 UDP             299
UDP C0000209 13C4 C0000206 13C4 0A000001 13C4 UDP             299 sip 7-4711@192.0.2.9
TCP C0000209 B150 C0000201 3039 0A000001 3039 CLOSE             9
SCTP C0000209 B150 C0000201 3039 0A000001 3039 ESTABLISHED     900
`

func flow(protocol uint8, client, virtual, server string, state uint16, expires uint32) Conn {
	return Conn{Protocol: protocol, Client: netip.MustParseAddrPort(client), Virtual: netip.MustParseAddrPort(virtual), Real: netip.MustParseAddrPort(server), State: state, Expires: expires}
}

// A busy kernel runs its timers late: one connection whose time is over must not hide all others.
func TestAConnectionWhoseTimerIsDueIsReadAsOneThatEndsNow(t *testing.T) {
	got, err := ParseConns(strings.NewReader("TCP C0000209 CB32 C0000201 0050 0A000001 1F90 CLOSE       184467440737095516"))
	want := []Conn{flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", 6, 0)}
	if diff := cmp.Diff(want, got, compare); diff != "" || err != nil {
		t.Errorf("connections (-want +got), %v:\n%s", err, diff)
	}
}

func TestTheKernelsConnectionTableIsRead(t *testing.T) {
	got, err := ParseConns(strings.NewReader(connTable))
	if err != nil {
		t.Fatal(err)
	}
	want := []Conn{
		flow(0, "192.0.2.9:0", "0.0.0.5:0", "10.0.0.1:0", 1, 49),
		flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", 1, 897),
		flow(TCP, "[fd01::9]:57048", "[fd01::1]:80", "[fd02::2]:8080", 5, 119),
		flow(TCP, "192.0.2.9:38304", "192.0.2.5:99", "10.0.0.1:99", 5, 119),
		flow(TCP, "192.0.2.9:0", "192.0.2.1:0", "10.0.0.1:0", 1, 99),
		flow(TCP, "192.0.2.9:0", "192.0.2.1:81", "10.0.0.1:8080", 1, 98),
		flow(UDP, "192.0.2.9:49917", "192.0.2.1:53", "10.0.0.1:53", 0, 299),
		flow(UDP, "192.0.2.9:5060", "192.0.2.6:5060", "10.0.0.1:5060", 0, 299),
		flow(TCP, "192.0.2.9:45392", "192.0.2.1:12345", "10.0.0.1:12345", 6, 9),
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"TCP", "TCP C0000209 CB32 C0000201 0050 0A000001 1F90 ESTABLISHED x", "TCP C00002090 CB32 C0000201 0050 0A000001 1F90 CLOSE 1", "TCP : CB32 C0000201 0050 0A000001 1F90 CLOSE 1"} {
		if got, err := ParseConns(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseConns(%q) = %v, want an error", bad, got)
		}
	}
}

func TestTheTableKnowsHowConnectionsAreForwarded(t *testing.T) {
	conns, err := ParseConns(strings.NewReader(connTable))
	if err != nil {
		t.Fatal(err)
	}
	direct := Dest{Weight: 1, Forward: Direct}
	table := Table{
		tcp("192.0.2.1:80"): {Service{}, dests(one, "10.0.0.2:80")}, // the connection's own server is gone
		tcp("192.0.2.1:81"): {Service{Timeout: 300}, dests(one, "10.0.0.1:8080")},
		tcp("192.0.2.1:0"):  {Service{Timeout: 300}, dests(direct, "10.0.0.1:0")},
		udp("192.0.2.1:81"): {Service{Timeout: 300}, dests(direct, "10.0.0.1:0")},
		tcp("192.0.2.9:80"): {Service{}, dests(one, "10.0.0.2:80")},
		{Mark: 5}:           {Service{Timeout: 50}, dests(Dest{Weight: 1, Forward: Tunnel}, "10.0.0.1:0")},
	}.Normalize()
	asked := MayHave(conns)
	for key, entry := range table {
		if !asked(key) {
			table[key] = Entry{Service: entry.Service} // as [Host.Part] gives it
		}
	}
	for key, want := range map[Key]bool{tcp("192.0.2.1:80"): true, tcp("192.0.2.9:80"): false} {
		if got := asked(key); got != want {
			t.Errorf("MayHave of %v = %v, want %v", key, got, want)
		}
	}
	got := table.Resolve(conns)
	want := []struct {
		forward Forward
		mark    uint32
		expires uint32
	}{
		{Tunnel, 5, 50},  // the template of the mark
		{NAT, 0, 897},    // as all others of its service
		{Tunnel, 5, 119}, // no service by address, so of the mark
		{Direct, 0, 300}, // a template lasts as long as persistence
		{NAT, 0, 300},
		{Tunnel, 5, 299}, // udp by mark
		{Tunnel, 5, 299},
		{Direct, 0, 9},
	}
	if len(got) != len(want) {
		t.Fatalf("Resolve = %d connections, want %d: %v", len(got), len(want), got)
	}
	for i, w := range want {
		if g := got[i]; g.Forward != w.forward || g.Mark != w.mark || g.Expires != w.expires {
			t.Errorf("connection %d = %+v, want %+v", i, g, w)
		}
	}
}

func TestSyncMessagesHaveTheBytesThatTheKernelExpects(t *testing.T) {
	c := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", finWait, 117)
	c.Mark = 7
	template := flow(TCP, "192.0.2.9:0", "192.0.2.1:80", "10.0.0.1:8080", 1, 300)
	template.Forward = Direct
	six := flow(UDP, "[fd01::9]:57048", "[fd01::1]:53", "[fd02::2]:53", 0, 0)
	mixed := flow(TCP, "[fd01::9]:57048", "[fd01::1]:53", "10.0.0.1:53", 0, 0)
	got := EncodeSync(9, []Conn{c, {}, template, mixed, six}, 0)
	want := strings.Join([]string{
		"00 09 00bc 04 01 0000", // 188 bytes, 4 entries, version 1
		"00 06 0024 00000000 0004 cb32 0050 1f90 00000007 00000075 c0000209 c0000201 0a000001",
		"00 06 0024 00000100 0004 cb32 0050 1f90 00000007 00000075 c0000209 c0000201 0a000001",
		"00 06 0024 00001083 0001 0000 0050 1f90 00000000 0000012c c0000209 c0000201 0a000001",
		"01 11 0048 00000000 0000 ded8 0035 0035 00000000 00000001",
		"fd010000000000000000000000000009 fd010000000000000000000000000001 fd020000000000000000000000000002",
	}, "")
	want = strings.ReplaceAll(want, " ", "")
	if len(got) != 1 || hex.EncodeToString(got[0]) != want {
		t.Errorf("EncodeSync = %x, want\n%s", got, want)
	}
}

// What was lost of its last data is sent again through the entry of one that was over a moment ago, and what was reset may have
// been by a path that is none.
func TestWhatLivesElsewhereIsNotForgottenNorIsWhatMayStillSend(t *testing.T) {
	over := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", timeWait, restsAt)
	fresh := flow(TCP, "192.0.2.9:52021", "192.0.2.1:80", "10.0.0.1:8080", timeWait, restsAt+1)
	reset := flow(TCP, "192.0.2.9:52022", "192.0.2.1:80", "10.0.0.1:8080", closed, 5)
	again, open := over, flow(TCP, "192.0.2.9:52020", "192.0.2.1:80", "10.0.0.1:8080", 1, 100)
	again.Client = netip.MustParseAddrPort("192.0.2.9:52019")
	live := again
	live.Real, live.State = netip.MustParseAddrPort("10.0.0.2:8080"), 1
	want := over
	want.Real, want.Forward, want.Expires = over.Virtual, Local, 1
	if diff := cmp.Diff([]Conn{want}, Forgotten([]Conn{over, again, open, fresh, reset}, []Conn{live}), compare); diff != "" {
		t.Errorf("Forgotten (-want +got):\n%s", diff)
	}
}

func TestSyncMessagesAreNeverLongerThanAsked(t *testing.T) {
	conns := make([]Conn, 1000)
	for i := range conns {
		conns[i] = flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", 1, 1)
		if i%3 == 0 {
			conns[i] = flow(UDP, "[fd01::9]:57048", "[fd01::1]:53", "[fd02::2]:53", 0, 1)
		}
	}
	for _, size := range []int{0, 80, 81, 500, 1400, 9000} {
		limit, total := size, 0
		if size == 0 || size > 1400 {
			limit = 1400
		}
		for _, m := range EncodeSync(1, conns, size) {
			if len(m) > limit || int(m[2])<<8|int(m[3]) != len(m) {
				t.Errorf("size %d: message of %d bytes says %x", size, len(m), m[2:4])
			}
			total += int(m[4])
		}
		if total != len(conns) {
			t.Errorf("size %d: %d connections, want %d", size, total, len(conns))
		}
	}
	if got := EncodeSync(1, nil, 0); len(got) != 0 {
		t.Errorf("EncodeSync of nothing = %x", got)
	}
}

func TestTheDaemonsQueueIsFound(t *testing.T) {
	const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  984: 510000E0:2290 00000000:0000 07 00000000:00001A40 00:00000000 00000000     0        0 244 2 000000004c63b85f 3
  985: 510000E0:2291 00000000:0000 07 00000000:00000001 00:00000000 00000000     0        0 244 2 000000004c63b85f 0
`
	queued, drops, ok := socketQueue([]byte(table), netip.MustParseAddrPort("224.0.0.81:8848"))
	if queued != 0x1a40 || drops != 3 || !ok {
		t.Errorf("socketQueue = %d, %d, %v", queued, drops, ok)
	}
	if _, _, ok := socketQueue([]byte(table), netip.MustParseAddrPort("224.0.0.82:8848")); ok {
		t.Error("found a socket that is not there")
	}
}

func FuzzParseConns(f *testing.F) {
	f.Add(connTable)
	f.Fuzz(func(t *testing.T, s string) {
		conns, err := ParseConns(strings.NewReader(s))
		if err != nil {
			return
		}
		everything().Resolve(conns)
		for _, m := range EncodeSync(1, conns, 0) {
			if len(m) > maxSync {
				t.Errorf("message of %d bytes", len(m))
			}
		}
	})
}
