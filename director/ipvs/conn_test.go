package ipvs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

func TestAKernelThatDoesNotAnswerIsNotWaitedForLongerThanTheDeadline(t *testing.T) {
	fd, err := socket()
	if err != nil {
		t.Skip("needs a netlink socket: ", err)
	}
	c := &conn{fd: fd, buf: make([]byte, receiveSize)}
	defer c.close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = c.receive(ctx, func(message) (bool, error) { return true, nil })
	if _, broken := errors.AsType[*brokenError](err); !broken || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("receive = %v, want a broken conversation, for the deadline", err)
	}
	if took := time.Since(start); took > 50*time.Millisecond+3*poll {
		t.Errorf("it took %v", took)
	}
}

func TestAnAnswerThatComesTooLateIsNotTakenForAnother(t *testing.T) {
	needIPVS(t)
	h := open(t)
	key := tcp("192.0.2.1:80")
	do(t, h, []Op{{Verb: AddService, Key: key, Service: Service{Scheduler: "rr", Netmask: 32}}})
	ctx, cancel := context.WithCancel(t.Context())
	err := h.with(ctx, time.Second, func(ctx context.Context, c *conn) error {
		cancel() // while the request is on its way
		return c.ask(ctx, request{cmd: cmdGetService, dump: true}, func([]byte) error { return nil })
	})
	if err == nil {
		t.Error("a cancelled request succeeded")
	}
	if got := table(t, h); len(got) != 1 {
		t.Errorf("table = %v, want %v", got, key)
	}
}

// TestAModuleThatComesAndGoesIsFoundAgain takes the module away from everybody, so it runs in the
// guest alone.
func TestAModuleThatComesAndGoesIsFoundAgain(t *testing.T) {
	if os.Getenv("QUORATE_IN_GUEST") != "guest" {
		t.Skip("needs a kernel of its own: it unloads the module")
	}
	needIPVS(t)
	h := open(t)
	table(t, h) // the conversation knows the family's number
	modules := strings.Fields("ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_dh ip_vs_sh ip_vs_sed ip_vs_nq ip_vs_fo ip_vs_ovf ip_vs_mh ip_vs_pe_sip ip_vs_ftp ip_vs")
	var out []byte
	var err error
	for range 50 { // namespaces of earlier tests may still be on their way out
		for _, module := range modules {
			out, err = exec.CommandContext(t.Context(), "rmmod", module).CombinedOutput()
		}
		if err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("rmmod ip_vs: %v: %s", err, out)
	}
	const loader = "/proc/sys/kernel/modprobe"
	program, err := os.ReadFile(loader)
	if err == nil {
		err = os.WriteFile(loader, []byte("/bin/false"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.WriteFile(loader, program, 0) }()
	path := os.Getenv("PATH")
	t.Setenv("PATH", "/nowhere")
	if got, err := h.Table(t.Context()); !errors.Is(err, ErrNoIPVS) {
		t.Errorf("without the module: %v, %v, want %v", got, err, ErrNoIPVS)
	}
	op := Op{Verb: AddService, Key: tcp("192.0.2.1:80"), Service: Service{Scheduler: "rr", Netmask: 32}}
	if errs := h.Do(t.Context(), []Op{op, {Verb: DelService, Key: op.Key}}); !errors.Is(errs[0], ErrNoIPVS) || !errors.Is(errs[1], ErrNoIPVS) {
		t.Errorf("without the module: %v, want %v", errs, ErrNoIPVS)
	}
	t.Setenv("PATH", path)
	if err := os.WriteFile(loader, program, 0); err != nil {
		t.Fatal(err)
	}
	do(t, h, []Op{op})
	if got := table(t, h); len(got) != 1 {
		t.Errorf("table = %v, want %v", got, op.Key)
	}
}

func TestTheReconcilerKeepsARealKernelsTable(t *testing.T) {
	needIPVS(t)
	h, foreign := open(t), tcp("203.0.113.1:1")
	do(t, h, []Op{{Verb: AddService, Key: foreign, Service: Service{Scheduler: "rr", Netmask: 32}}})
	cfg := Config{Kernel: h, LedgerFile: filepath.Join(t.TempDir(), "ipvs.json"), Log: hclog.NewNullLogger()}
	want := everything()
	parts := uint32(0)
	check := func(r *Reconciler, wantDrift int) {
		t.Helper()
		audit := r.Audit
		if parts > 0 {
			audit = func(ctx context.Context) (all Result, err error) { return glances(ctx, r, parts) }
		}
		result, err := audit(t.Context())
		if err != nil || len(result.Drift) != wantDrift || len(result.Foreign) != 1 {
			t.Errorf("Audit = %+v, %v; want %d changes and 1 foreign service", result, err, wantDrift)
		}
		got := table(t, h)
		delete(got, foreign)
		if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("table (-want +got):\n%s", diff)
		}
	}
	for parts = range uint32(4) { // each but the first is a restart, and audited in so many parts
		r := New(cfg)
		if _, err := r.Apply(t.Context(), Desired{Table: want, Complete: true}); err != nil {
			t.Fatal(err)
		}
		check(r, 0)
		run(t, "ipvsadm", "-D", "-t", "192.0.2.1:443")
		run(t, "ipvsadm", "-e", "-u", "192.0.2.1:53", "-r", "10.0.0.1:53", "-m", "-w", "9")
		run(t, "ipvsadm", "-a", "-u", "192.0.2.1:53", "-r", "10.0.0.7:53", "-m")
		check(r, 5)
		check(r, 0)
	}
	run(t, "ipvsadm", "-C")
	do(t, h, []Op{{Verb: AddService, Key: foreign, Service: Service{Scheduler: "rr", Netmask: 32}}})
	r := New(cfg)
	if _, err := r.Apply(t.Context(), Desired{Table: want, Complete: true}); err != nil {
		t.Fatal(err)
	}
	check(r, 0)
	if _, err := r.Apply(t.Context(), Desired{Complete: true}); err != nil {
		t.Fatal(err)
	}
	if got := table(t, h); len(got) != 1 {
		t.Errorf("after all was removed: %v, want %v alone", got, foreign)
	}
}

func TestCountersAreRead(t *testing.T) {
	n := newNetwork(t)
	if err := ask(n.dial("tcp", "192.0.2.1:80"), "one"); err != nil {
		t.Fatal(err)
	}
	addr := n.table[virtualTCP].Dests
	for deadline := time.Now().Add(5 * time.Second); !deadline.IsZero(); time.Sleep(100 * time.Millisecond) {
		got, err := n.first.Counters(t.Context())
		if err != nil || len(got) != 2 {
			t.Fatalf("Counters = %v, %v", got, err)
		}
		for a := range addr {
			c := got[virtualTCP][a]
			if c.Active == 1 && c.Persistent == 1 && c.Connections == 1 && c.PacketsIn >= 3 && c.PacketsOut >= 2 && c.BytesIn > 100 {
				deadline = time.Time{}
			} else if time.Now().After(deadline) {
				t.Fatalf("counters of %v = %+v", a, c)
			}
		}
	}
}

func TestTheKernelsOwnWordsAreInTheError(t *testing.T) {
	b := native.AppendUint32(nil, 0)
	b = native.AppendUint16(b, unix.NLMSG_ERROR)
	b = native.AppendUint16(b, unix.NLM_F_ACK_TLVS|unix.NLM_F_CAPPED)
	b = append(b, 7, 0, 0, 0, 0, 0, 0, 0)
	errno := -int32(unix.EINVAL)
	b = native.AppendUint32(b, uint32(errno))
	b = append(b, make([]byte, 16)...)
	b = appendString(b, 1, "no such thing")
	native.PutUint32(b, uint32(len(b)))
	m, rest, err := parseMessage(b)
	if err != nil || len(rest) != 0 || !errors.Is(m.err, unix.EINVAL) || !strings.Contains(m.err.Error(), "no such thing") {
		t.Errorf("parseMessage = %+v, %x, %v", m, rest, err)
	}
}
