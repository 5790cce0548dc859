package address

import (
	"fmt"
	"testing"
	"time"
)

// fourInterfaces adds qc to qf, pairs with their own peers, and returns them with 250 addresses on each.
func fourInterfaces(t testing.TB) (names []string, all []Address) {
	t.Helper()
	for i := range 4 {
		name := fmt.Sprintf("qm%d", i)
		script(t, fmt.Sprintf("ip link add %s type veth peer name qn%d && ip link set %s up && ip link set qn%d up", name, i, name, i))
		names = append(names, name)
		for j := range 250 {
			prefix := fmt.Sprintf("10.%d.0.%d/32", i, j)
			if j%2 == 1 {
				prefix = fmt.Sprintf("2001:db8:%d::%x/128", i, j)
			}
			all = append(all, on(name, prefix))
		}
	}
	return names, all
}

// BenchmarkAThousandAddressesOnFourInterfaces adds and announces; half of them are of each family.
func BenchmarkAThousandAddressesOnFourInterfaces(b *testing.B) {
	h := newNamespace(b)
	_, all := fourInterfaces(b)
	var added, announced time.Duration
	for b.Loop() {
		start := time.Now()
		must(b, h.Renew(all, 3*time.Second))
		added += time.Since(start)
		start = time.Now()
		must(b, h.Announce(all, always))
		announced += time.Since(start)
		b.StopTimer()
		must(b, h.Remove(all))
		b.StartTimer()
	}
	b.ReportMetric(float64(added.Microseconds())/1000/float64(b.N), "ms-added")
	b.ReportMetric(float64(announced.Microseconds())/1000/float64(b.N), "ms-announced")
}
