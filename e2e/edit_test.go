package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

func TestChangesWithoutAFile(t *testing.T) {
	proof.Series(t, 3, lab.ArticleFile,
		proof.Step{Name: "an edit reaches every kernel and touches only what it names", Proof: edited},
		proof.Step{Name: "a service that gets another name is the same to every kernel", Proof: renamed},
		proof.Step{Name: "checks that come to ask something else take out nobody before they say so", Proof: askedOtherwise},
		proof.Step{Name: "a plan counts the connections that would end, and says why", Proof: atRisk},
		proof.Step{Name: "a change that takes too many servers down takes itself back", Proof: takenBack})
}

func TestChangesWithoutAFileControl(t *testing.T) {
	proof.Controls(t, 3, lab.ArticleFile, proof.Broken{
		Mutant: mutant.NoRevert, Step: proof.Step{Name: "a change that takes too many servers down takes itself back", Proof: takenBack},
		Because: "it was not taken back",
	})
}

// inEveryTable waits until every kernel has these lines of servers, and no others.
func inEveryTable(t lab.T, a *lab.Article, what string, servers ...string) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, what, func() error {
		var errs []error
		for _, d := range a.Directors {
			var have []string
			for _, line := range d.IPVS() {
				if rest, ok := strings.CutPrefix(line, "-a -t 192.168.1.1:80 -r 192.168.2."); ok {
					have = append(have, rest)
				}
			}
			slices.Sort(have)
			if diff := cmp.Diff(servers, have); diff != "" {
				errs = append(errs, fmt.Errorf("%s (-want +got):\n%s", d.Name, diff))
			}
		}
		return errors.Join(errs...)
	})
}

// edited is that a script's edits, made on any director, are in every kernel, and that no owner, verdict or
// connection knows of them.
func edited(t lab.T, a *lab.Article) {
	d1, d2, d3 := a.Directors[0], a.Directors[1], a.Directors[2]
	inEveryTable(t, a, "all servers are up", "11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1")
	c := client{t, a}
	h := c.hold("", lab.OuterVIP+":80")
	defer func() { h.conn.Close() }()
	for h.server == "rs3" { // which goes
		defer h.conn.Close()
		h = c.hold("", lab.OuterVIP+":80")
	}
	var before lab.Status
	lab.Eventually(t, 10*time.Second, "the log names the owner", func() (err error) {
		before, err = d1.Status()
		if err == nil && slices.ContainsFunc(before.Groups, func(g lab.GroupStatus) bool { return g.Epoch == 0 }) {
			err = fmt.Errorf("%+v", before.Groups)
		}
		return err
	})

	d1.MustQuorate("set", "server", "web", "192.168.2.11:80", "weight=3")
	inEveryTable(t, a, "the weight is in every kernel", "11:80 -m -w 3", "12:80 -m -w 1", "13:80 -m -w 1")
	d2.MustQuorate("remove", "server", "web", "192.168.2.13:80")
	inEveryTable(t, a, "the server is in no kernel", "11:80 -m -w 3", "12:80 -m -w 1")
	d3.MustQuorate("add", "server", "web", "192.168.2.13:80", "weight=5")
	inEveryTable(t, a, "the server is in every kernel", "11:80 -m -w 3", "12:80 -m -w 1", "13:80 -m -w 5")

	after, err := d1.Status()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if after.Revision != before.Revision+3 {
		t.Errorf("revision %d, before the three edits %d", after.Revision, before.Revision)
	}
	if server, err := get(h.conn); err != nil || server != h.server {
		t.Errorf("a connection to %s is with %q now: %v", h.server, server, err)
	}
	if diff := cmp.Diff(before.Groups, after.Groups); diff != "" {
		t.Errorf("owners (-before +after):\n%s", diff)
	}
	out := d2.MustQuorate("events")
	_, since, _ := strings.Cut(out, "(weight 1 -> 3)")
	for _, kept := range []string{"192.168.2.11:80 is up, was unknown", "192.168.2.12:80 is up, was unknown"} {
		if strings.Contains(since, kept) {
			t.Errorf("a verdict was forgotten:\n%s", out)
		}
	}
	for _, want := range []string{"change server web/192.168.2.11:80 (weight 1 -> 3)", "remove server web/192.168.2.13:80", "add server web/192.168.2.13:80"} {
		if !strings.Contains(out, want) {
			t.Errorf("no event of %q in\n%s", want, out)
		}
	}
}

// askedOtherwise is that servers which are up stay in every kernel, with their connections, when their check comes to ask
// something else, and go when one that is added says that they are down.
func askedOtherwise(t lab.T, a *lab.Article) {
	all := []string{"11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1"}
	inEveryTable(t, a, "all servers are up", all...)
	c := client{t, a}
	h := c.hold("", lab.OuterVIP+":80")
	defer h.conn.Close()
	d1 := a.Directors[0]
	d1.MustQuorate("set", "check", "web", "http", "path=/")
	lab.Consistently(t, 3*time.Second, "all servers stay", func() error {
		for _, d := range a.Directors {
			if n := strings.Count(strings.Join(d.IPVS(), "\n"), "-a -t 192.168.1.1:80"); n != len(all) {
				return fmt.Errorf("%s has %d servers", d.Name, n)
			}
		}
		return nil
	})
	lab.Eventually(t, 10*time.Second, "the new check says that they are up", func() error {
		st, err := d1.Status()
		if err != nil {
			return err
		}
		for _, s := range st.Services {
			for _, server := range s.Servers {
				if fallback := server.Address == "192.168.2.250:80"; !fallback && !strings.HasPrefix(server.Cause, "up at ") {
					return fmt.Errorf("%s of %s: %s", server.Address, s.Name, server.Cause)
				}
			}
		}
		return nil
	})
	if server, err := get(h.conn); err != nil || server != h.server {
		t.Errorf("a connection to %s is with %q now: %v", h.server, server, err)
	}
	d1.MustQuorate("add", "check", "web", "tcp", "port=9")
	inEveryTable(t, a, "what nobody listens at takes them out", "250:80 -m -w 1")
}

// renamed is that no kernel knows of a service's new name: its entry stays and counts on, and so do its servers and their
// connections.
func renamed(t lab.T, a *lab.Article) {
	inEveryTable(t, a, "all servers are up", "11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1")
	owner := a.Director(a.AwaitOwner(t, ownedWithin, lab.OuterVIP))
	c := client{t, a}
	h := c.hold("", lab.OuterVIP+":80")
	defer h.conn.Close()
	for range 5 {
		c.ask("", lab.OuterVIP+":80")
	}
	table := owner.IPVS()
	var counted map[string]int
	lab.Eventually(t, 10*time.Second, "all are counted", func() error { // which the kernel tells every two seconds
		counted = connections(owner)
		for _, of := range []string{lab.OuterVIP + ":80", "192.168.2.11:80", "192.168.2.12:80", "192.168.2.13:80"} {
			if counted[of] == 0 {
				return fmt.Errorf("none of %s: %v", of, counted)
			}
		}
		return nil
	})

	d1 := a.Directors[0]
	d1.MustQuorate("apply", d1.WriteFile("shop.hcl", strings.Replace(lab.ArticleFile, `service "web"`, `service "shop"`, 1)), "--yes")
	lab.Consistently(t, 2*time.Second, "the kernels are as they were", func() error { // a check would have found the servers up again by then
		for _, d := range a.Directors {
			if diff := cmp.Diff(table, d.IPVS()); diff != "" {
				return fmt.Errorf("%s (-before +after):\n%s", d.Name, diff)
			}
		}
		if server, err := get(h.conn); err != nil || server != h.server {
			return fmt.Errorf("a connection to %s is with %q now: %w", h.server, server, err)
		}
		return nil
	})
	for of, n := range connections(owner) {
		if n < counted[of] {
			t.Errorf("%s counts anew: %d connections, %d before", of, n, counted[of])
		}
	}
	for _, d := range a.Directors {
		st, err := d.Status()
		if server, ok := st.Server("shop", "192.168.2.11:80"); err != nil || !ok || server.Verdict != "up" {
			t.Errorf("%s says of the service that has the new name: %+v, %v", d.Name, server, err)
		}
	}
}

// atRisk is that a plan counts every connection once that a change would end, whichever director is asked, where its address
// goes as well as where its server does; and that it counts none where the addresses stay in place.
func atRisk(t lab.T, a *lab.Article) {
	inEveryTable(t, a, "all servers are up", "11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1")
	a.AwaitOwner(t, ownedWithin, lab.OuterVIP)
	c := client{t, a}
	const all = 6
	on := map[string]int{}
	for range all {
		h := c.hold("", lab.OuterVIP+":80")
		defer h.conn.Close()
		on[h.server]++
	}
	without := strings.Replace(lab.ArticleFile, "  server \"192.168.2.11:80\" { weight = 1 }\n", "", 1)
	server := fmt.Sprintf("%d: real server 192.168.2.11:80 is removed from service web\n", on["rs1"])
	for _, tt := range []struct {
		what, file string
		total      int
		want       []string
	}{
		{"an address", strings.Replace(lab.ArticleFile, "192.168.1.1/24", "192.168.1.9/24", 1), all,
			[]string{fmt.Sprintf("%d: 192.168.1.1 is taken from router outside\n", all)}},
		{"another interface", strings.Replace(lab.ArticleFile, `"wan"`, `"lan"`, 1), all,
			[]string{fmt.Sprintf("%d: router outside moves from interface wan to lan\n", all)}},
		{"a server", without, on["rs1"], []string{server}},
		{"a server and an address", strings.Replace(without, "192.168.1.1/24", "192.168.1.9/24", 1), all,
			[]string{server, fmt.Sprintf("%d: 192.168.1.1 is taken from router outside\n", all-on["rs1"])}},
		{"another VRID", strings.Replace(lab.ArticleFile, "= 51", "= 53", 1), 0, nil},
	} {
		lab.Eventually(t, 10*time.Second, "a plan of "+tt.what, func() error { // what came before takes a while to end
			for _, d := range a.Directors {
				out, _ := d.Quorate("plan", d.WriteFile("planned.hcl", tt.file)) // which ends with 2, or 1
				for _, want := range append(tt.want, fmt.Sprintf("established connections at risk: %d\n", tt.total)) {
					if strings.Contains(out, want) != (tt.total > 0) {
						return fmt.Errorf("%s says, want %q:\n%s", d.Name, want, out)
					}
				}
			}
			return nil
		})
	}
}

// connections are those that a kernel has counted since it has the services and servers, by their addresses.
func connections(d *lab.Director) map[string]int {
	counted := map[string]int{}
	for line := range strings.Lines(d.MustRun("ipvsadm", "-Ln", "--stats", "--exact")) {
		if f := strings.Fields(line); len(f) == 7 && f[0] != "Prot" {
			counted[f[1]], _ = strconv.Atoi(f[2])
		}
	}
	return counted
}

// takenBack is that a check which finds every server dead is taken back by itself, long before its time is up,
// and that the servers serve again.
func takenBack(t lab.T, a *lab.Article) {
	d := a.Directors[1]
	inEveryTable(t, a, "all servers are up", "11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1")
	before, err := d.Status()
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := d.MustQuorate("set", "check", "web", "http", "port=81", "--confirm", "60s", "--revert-below", "50%", "-m", "try another port")
	if !strings.Contains(out, "it is taken back at") {
		t.Errorf("%s", out)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if st, err := d.Status(); err == nil && st.Revision == before.Revision+2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it was not taken back")
		}
	}
	if out := d.MustQuorate("history"); !strings.Contains(out, fmt.Sprintf("takes back revision %d: ", before.Revision+1)) || !strings.Contains(out, "so that fewer than 50% are up") {
		t.Errorf("%s", out)
	}
	inEveryTable(t, a, "all servers are up again", "11:80 -m -w 1", "12:80 -m -w 1", "13:80 -m -w 1")
}
