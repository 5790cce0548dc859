package vrrp

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts; commit a rewrite only if you can explain it")

// TestTranscripts runs testdata/*.txt. Lines that begin with ">" are input, all others are what the
// group answered; time in them is since the first line. Every case begins with its routers:
//
//	> router NAME SOURCE INTERVAL PRIORITY [preempt]
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, want)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func replay(t *testing.T, script []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	base := time.Unix(0, 0)
	g := NewGroup()
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			if line == "" {
				g = NewGroup() // a case ends with an empty line
			}
			fmt.Fprintln(&out, line)
			continue
		}
		if line[0] != '>' {
			continue
		}
		fmt.Fprintln(&out, line)
		f := strings.Fields(line[1:])
		if f[0] == "router" {
			g.Add(f[1], Config{
				Source:   netip.MustParseAddr(f[2]),
				Interval: duration(t, f[3]),
				Priority: number(t, f[4]),
				Preempt:  slices.Contains(f, "preempt"),
			}, "")
			continue
		}
		at := duration(t, f[0])
		router, ev := event(t, base, f[1:])
		for _, e := range g.Step(base.Add(at), router, ev) {
			fmt.Fprintln(&out, strings.TrimSpace(fmt.Sprintf("%s %s", e.Router, show(e.Action))))
		}
		next := "never"
		if d := g.Deadline(); !d.IsZero() {
			next = d.Sub(base).String()
		}
		fmt.Fprintf(&out, "%v next %s\n", g.State(), next)
	}
	return out.Bytes()
}

func show(a Action) string {
	switch a := a.(type) {
	case Advertise:
		return fmt.Sprintf("advertise %d", a.Priority)
	case Became:
		return strings.TrimSuffix(fmt.Sprintf("became %v: %s, by %s", a.To, a.Reason, a.Router), ", by ")
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a), "vrrp."))
}

func event(t *testing.T, base time.Time, f []string) (string, Event) {
	t.Helper()
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	switch f[0] {
	case "start":
		if arg(1) != "" {
			return "", Start{Resume: duration(t, arg(1))}
		}
		return "", Start{}
	case "stop":
		return "", Stop{}
	case "expired":
		return "", Expired{}
	case "resign":
		return "", Resign{}
	case "abandon":
		return "", Abandon{}
	case "stalled":
		return "", Stalled{Resume: 50 * time.Millisecond}
	case "claim":
		return "", Claim{Priority: number(t, arg(1))}
	case "yield":
		return "", Yield{Wait: duration(t, arg(1))}
	case "hold":
		return "", Hold{Until: base.Add(duration(t, arg(1)))}
	case "priority":
		return "", SetPriority{Priority: number(t, arg(1)), Preempt: arg(2) == "preempt"}
	}
	switch arg(1) {
	case "received":
		return f[0], Received{
			Source: netip.MustParseAddr(arg(2)), Priority: number(t, arg(3)), Interval: duration(t, arg(4)), Member: arg(5) == "member",
		}
	case "fault":
		return f[0], Fault{Reason: strings.Join(f[2:], " ")}
	case "fit":
		return f[0], Fit{}
	case "interval":
		return f[0], SetInterval{Interval: duration(t, arg(2))}
	}
	t.Fatalf("unknown event %q", f)
	return "", nil
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func number(t *testing.T, s string) uint8 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		t.Fatal(err)
	}
	return uint8(n)
}
