package ipvs

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDaemonsThatAreAsWantedAreLeftAlone(t *testing.T) {
	group := netip.MustParseAddr("224.0.0.81")
	master := Daemon{Master: true, Interface: "eth0", SyncID: 1, MaxLen: 1440, Group: group, Port: 8848, TTL: 1}
	backup := Daemon{Interface: "eth0", SyncID: 1, MaxLen: 1440, Group: group, Port: 8848, TTL: 1}
	wish := func(d Daemon) Daemon { return Daemon{Master: d.Master, Interface: d.Interface, SyncID: d.SyncID} }
	other := wish(master)
	other.SyncID = 2
	port := wish(backup)
	port.Port = 9000
	for _, tt := range []struct {
		name              string
		have, want        []Daemon
		wantStop, wantNew []Daemon
	}{
		{"both run", []Daemon{master, backup}, []Daemon{wish(backup), wish(master)}, nil, nil},
		{"none runs", nil, []Daemon{wish(master)}, nil, []Daemon{wish(master)}},
		{"none is wanted", []Daemon{master, backup}, nil, []Daemon{master, backup}, nil},
		{"another id", []Daemon{master, backup}, []Daemon{other, wish(backup)}, []Daemon{master}, []Daemon{other}},
		{"another port", []Daemon{backup}, []Daemon{port}, []Daemon{backup}, []Daemon{port}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stop, start := DiffDaemons(tt.have, tt.want)
			if diff := cmp.Diff([][]Daemon{tt.wantStop, tt.wantNew}, [][]Daemon{stop, start}, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("DiffDaemons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDaemonsStartAndStopAndMayBeToldTwice(t *testing.T) {
	needIPVS(t)
	h := open(t)
	run(t, "ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan2")
	run(t, "ip", "addr", "add", "10.0.0.1/24", "dev", "lan")
	run(t, "ip", "link", "set", "lan", "up")
	run(t, "ip", "link", "set", "lan2", "up")
	if got, err := h.Daemons(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("Daemons = %v, %v", got, err)
	}
	want := []Daemon{
		{Master: true, Interface: "lan", SyncID: 7},
		{Interface: "lan", SyncID: 8, Port: 9000, Group: netip.MustParseAddr("224.0.0.99")},
	}
	check := func(want []Daemon) {
		t.Helper()
		got, err := h.Daemons(t.Context())
		stop, start := DiffDaemons(got, want)
		if err != nil || len(stop)+len(start) != 0 {
			t.Errorf("Daemons = %+v, %v; want %v", got, err, want)
		}
	}
	for range 2 {
		for _, d := range want {
			if err := h.StartDaemon(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		check(want)
	}
	want[0].SyncID = 9 // stopping right after starting is what the kernel does not answer
	if err := h.StartDaemon(t.Context(), want[0]); err != nil {
		t.Fatal(err)
	}
	check(want)
	for range 2 {
		for _, d := range want {
			if err := h.StopDaemon(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		check(nil)
	}
	if err := h.StartDaemon(t.Context(), Daemon{Master: true, Interface: "nosuch"}); err == nil {
		t.Error("a daemon on an interface that does not exist started")
	}
}
