package wire

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// ticks is the kernel's USER_HZ: the unit of /proc/PID/stat.
const ticks = 100

// BenchmarkIdle is what the two processes of a director cost while nothing happens: percent of a core.
func BenchmarkIdle(b *testing.B) {
	t := quiet{b}
	w := owned(t, 3)
	roles := []string{"agent", "keeper"}
	total, most := map[string]float64{}, map[string]float64{}
	rounds := 0.0
	for b.Loop() {
		w.quiet(t)
		before := w.cpu(t, roles)
		begin := time.Now()
		time.Sleep(30 * time.Second)
		for name, spent := range w.cpu(t, roles) {
			share := 100 * (spent - before[name]).Seconds() / time.Since(begin).Seconds()
			role := strings.Fields(name)[0]
			total[role] += share / float64(len(w.Directors))
			most[role] = max(most[role], share)
		}
		rounds++
	}
	for _, role := range roles {
		b.ReportMetric(total[role]/rounds, "%core-"+role)
		b.ReportMetric(most[role], "%core-"+role+"-max")
	}
	b.ReportMetric(0, "ns/op") // the time of a round means nothing
}

// cpu is the processor time of each process of all directors so far, by role and director.
func (w *testnet) cpu(t lab.T, roles []string) map[string]time.Duration {
	t.Helper()
	out := map[string]time.Duration{}
	for _, d := range w.Directors {
		for _, role := range roles {
			p, err := d.FindProcess(role)
			if err != nil {
				t.Fatalf("%v", err)
			}
			spent, err := cpuOf(p.Pid)
			if err != nil {
				t.Fatalf("%v", err)
			}
			out[role+" "+d.Name] = spent
		}
	}
	return out
}

// cpuOf reads a process's time in user and system mode from proc(5).
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after) // from the third of proc(5) on
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of %d: %q", pid, text)
	}
	var sum int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}
