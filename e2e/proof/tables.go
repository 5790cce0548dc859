package proof

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
)

// SameTables is nil once the tables of all directors that are on are equal, line by line, and have
// that many real servers in all.
func SameTables(a *lab.Article, servers int) error {
	var first []string
	for _, d := range a.Directors {
		if !d.On() {
			continue
		}
		lines := d.IPVS()
		got := 0
		for _, l := range lines {
			if strings.HasPrefix(l, "-a ") {
				got++
			}
		}
		if got != servers {
			return fmt.Errorf("%s has %d real servers, want %d:\n%s", d.Name, got, servers, strings.Join(lines, "\n"))
		}
		if first == nil {
			first = lines
		}
		if diff := cmp.Diff(first, lines); diff != "" {
			return fmt.Errorf("%s differs:\n%s", d.Name, diff)
		}
	}
	return nil
}
