package vrrp

import (
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
// group answered; time in them is since the first line. A case ends with an empty line, and is called
// what the comment above it says. It begins with its routers:
//
//	> router NAME SOURCE INTERVAL PRIORITY [preempt] [v2] [vmac] [delay DURATION]
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
			var out []string
			for c := range strings.SplitSeq(string(want), "\n\n") {
				t.Run(title(c), func(t *testing.T) {
					got := replay(t, c)
					out = append(out, strings.TrimSuffix(got, "\n"))
					if diff := cmp.Diff(strings.TrimSuffix(c, "\n"), strings.TrimSuffix(got, "\n")); diff != "" && !*update {
						t.Errorf("%s (-want +got):\n%s", file, diff)
					}
				})
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// title is the comment above a case, in one line.
func title(c string) string {
	var words []string
	for line := range strings.Lines(c) {
		if line[0] == '#' {
			words = append(words, strings.Fields(line[1:])...)
		}
	}
	return strings.Join(words, " ")
}

func replay(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	base := time.Unix(0, 0)
	g := NewGroup()
	for line := range strings.SplitSeq(script, "\n") {
		if line == "" || line[0] != '>' {
			if line != "" && line[0] == '#' {
				fmt.Fprintln(&out, line)
			}
			continue
		}
		fmt.Fprintln(&out, line)
		f := strings.Fields(line[1:])
		if f[0] == "router" {
			g.Add(f[1], config(t, f), "")
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
	return out.String()
}

func config(t *testing.T, f []string) Config {
	t.Helper()
	cfg := Config{
		Source:     netip.MustParseAddr(f[2]),
		Interval:   duration(t, f[3]),
		Priority:   number(t, f[4]),
		Preempt:    slices.Contains(f, "preempt"),
		VirtualMAC: slices.Contains(f, "vmac"),
	}
	if slices.Contains(f, "v2") {
		cfg.Version = V2
	}
	if i := slices.Index(f, "delay"); i >= 0 {
		cfg.PreemptDelay = duration(t, f[i+1])
	}
	return cfg
}

func show(a Action) string {
	switch a := a.(type) {
	case Advertise:
		return fmt.Sprintf("advertise %d", a.Priority)
	case Ask:
		return fmt.Sprintf("ask for %v", a.For)
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
		return "", Expired{Unattended: arg(1) == "unattended"}
	case "answer":
		a := Answer{Until: base.Add(duration(t, arg(1))), Taken: arg(2) == "taken"}
		if arg(3) != "" {
			a.Signed = base.Add(duration(t, arg(3)))
		}
		return "", a
	case "resign":
		return "", Resign{Linger: arg(1) == "linger"}
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
	case "carrier":
		return f[0], Carrier{Up: arg(2) == "up"}
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
