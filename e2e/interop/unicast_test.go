package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// pairFile is the file of one host of a pair whose keepaliveds speak to each other by unicast.
func pairFile(iface, own, other string, priority int) string {
	return fmt.Sprintf(`vrrp_instance gateway {
  state BACKUP
  interface %s
  virtual_router_id %d
  priority %d
  advert_int 1
  unicast_src_ip %s
  unicast_peer {
    %s
  }
  virtual_ipaddress {
    %s
  }
}
`, iface, vrid, priority, own, other, virtual4)
}

// TestAPairOfUnicastChangesOver has a host of a pair go over to what is imported from its file, while keepalived serves on
// the other: they hear each other once the cluster file names the other as a peer, and only then.
func TestAPairOfUnicastChangesOver(t *testing.T) {
	needs(t, Keepalived)
	t.Parallel()
	stands.mu.Lock()
	n := lab.New(t)
	a := &lab.Article{Net: n, Outer: n.Segment("lan"), Inner: n.Segment("own")}
	d := n.Director("u1", a.Outer.At("192.0.2.1/24"), a.Inner.At("198.51.100.1/24"))
	a.Directors = []*lab.Director{d}
	other := n.Host("u2", a.Outer.At("192.0.2.2/24"))
	stands.mu.Unlock()
	cell := Cell{Peer: Keepalived, Version: 2, Interval: time.Second}

	k := &keepalived{t: t, cell: cell, on: other}
	k.run(pairFile(other.Interface(a.Outer), "192.0.2.2", "192.0.2.1", 150))
	hold := func(what string, want ...*lab.Host) {
		t.Helper()
		lab.Eventually(t, 30*time.Second, what, func() error {
			got := n.Holders(cell.virtual())
			if len(got) != len(want) || slices.ContainsFunc(want, func(h *lab.Host) bool { return !slices.Contains(got, h) }) {
				return fmt.Errorf("%d hosts hold the address", len(got))
			}
			return nil
		})
	}
	hold("keepalived serves", other)
	a.Cluster(t)

	imported := d.MustQuorate("import", "keepalived", d.WriteFile("keepalived.conf", pairFile(d.Interface(a.Outer), "192.0.2.1", "192.0.2.2", 100)))
	d.MustQuorate("apply", d.WriteFile("imported.hcl", imported), "--yes")
	hold("the control: whom the cluster file does not name is not heard, and both serve", d.Host, other)
	const unicast = "unicast   = true\n"
	if !strings.Contains(imported, unicast) {
		t.Fatalf("no %q in\n%s", unicast, imported)
	}
	named := strings.Replace(imported, unicast, unicast+"  peer \"192.0.2.2\" {}\n", 1)
	d.MustQuorate("apply", d.WriteFile("named.hcl", named), "--yes")
	hold("one of them gives way to the other", d.Host)
	k.Stop()
	hold("the director serves alone", d.Host)
	d.MustQuorate("apply", d.WriteFile("imported.hcl", imported), "--yes")
	hold("nobody else is there to be named", d.Host)
}
