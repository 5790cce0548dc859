package moves

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

func errOwners(outer, inner []*lab.Host) error {
	var text []string
	for _, h := range outer {
		text = append(text, "outer: "+h.Name)
	}
	for _, h := range inner {
		text = append(text, "inner: "+h.Name)
	}
	if len(text) == 0 {
		text = append(text, "nobody has either")
	}
	return errors.New(strings.Join(text, ", "))
}

// What is in the kernels.
var (
	Tables  = proof.Step{Name: "a change on any director is in every kernel", Proof: anyDirector}
	Foreign = proof.Step{Name: "what quorate did not make stays", Proof: foreignStays}
)

func anyDirector(t lab.T, a *lab.Article) {
	lab.Eventually(t, 15*time.Second, "the first table is everywhere", func() error { return proof.SameTables(a, servers) })
	for i, d := range a.Directors {
		weight := 10 + i
		text := strings.Replace(File, `"192.168.2.11:80" { weight = 1 }`, fmt.Sprintf(`"192.168.2.11:80" { weight = %d }`, weight), 1)
		d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")
		want := fmt.Sprintf("-r 192.168.2.11:80 -m -w %d", weight)
		lab.Eventually(t, 10*time.Second, "the change made on "+d.Name+" is everywhere", func() error {
			if err := proof.SameTables(a, servers); err != nil {
				return err
			}
			if lines := strings.Join(d.IPVS(), "\n"); !strings.Contains(lines, want) {
				return fmt.Errorf("no %q in\n%s", want, lines)
			}
			return nil
		})
	}
}

func foreignStays(t lab.T, a *lab.Article) {
	d := a.Directors[0]
	d.MustRun("ipvsadm", "-A", "-t", "203.0.113.1:25", "-s", "rr")
	d.MustRun("ipvsadm", "-a", "-t", "203.0.113.1:25", "-r", "203.0.113.2:25", "-m")
	defer d.MustRun("ipvsadm", "-D", "-t", "203.0.113.1:25")
	d.MustQuorate("apply", d.WriteFile("empty.hcl", ""), "--yes", "--allow-empty")
	lab.Eventually(t, 10*time.Second, "quorate's services are gone", func() error {
		lines := strings.Join(d.IPVS(), "\n")
		if strings.Contains(lines, "192.168.1.1") || !strings.Contains(lines, "203.0.113.2:25") {
			return errors.New(lines)
		}
		return nil
	})
}
