package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// servers are the names of the real servers of a scheduled service, in the order of its weights.
var servers = []string{"rs1", "rs2", "rs3"}

// A scheduled is a service, and what it is defined to do. Holds returns how a definition is not met; what
// hinders it from finding out ends the test instead.
type scheduled struct {
	name      string
	scheduler string
	keys      string // further ones of the service
	weights   []int
	mark      int    // 0 for a service by address
	to        string // where clients connect: an address and port, or for a firewall mark a network
	holds     func(c client, s scheduled) error
	unlike    []string // services of which the same must not hold
}

// schedulers are those that the article names, each in a service of its own, and what else decides
// which server a connection gets.
func schedulers() []scheduled {
	return []scheduled{
		{name: "rr", scheduler: "rr", weights: []int{1, 1, 1}, to: "192.168.1.1:8001", holds: inTurn, unlike: []string{"wrr", "sh"}},
		{name: "wrr", scheduler: "wrr", weights: []int{1, 2, 3}, to: "192.168.1.1:8002", holds: sharesByWeight},
		{name: "lc", scheduler: "lc", weights: []int{1, 1, 4}, to: "192.168.1.1:8003", holds: leastConnections, unlike: []string{"wlc"}},
		{name: "wlc", scheduler: "wlc", weights: []int{1, 1, 4}, to: "192.168.1.1:8004", holds: weightedLeastConnections, unlike: []string{"lc", "sed", "nq"}},
		{name: "sed", scheduler: "sed", weights: []int{1, 1, 4}, to: "192.168.1.1:8005", holds: shortestExpectedDelay, unlike: []string{"wlc", "nq"}},
		{name: "nq", scheduler: "nq", weights: []int{1, 1, 4}, to: "192.168.1.1:8006", holds: neverQueue, unlike: []string{"wlc", "sed"}},
		{name: "sh", scheduler: "sh", weights: []int{1, 1, 1}, to: "192.168.1.1:8007", holds: bySource},
		{name: "dh", scheduler: "dh", weights: []int{2, 2, 2}, mark: 8, to: "192.168.1.16/29", holds: destinationHashing, unlike: []string{"lblc", "lblcr"}},
		{name: "lblc", scheduler: "lblc", weights: []int{2, 2, 2}, mark: 9, to: "192.168.1.24/29", holds: localityBased, unlike: []string{"dh", "lblcr"}},
		{name: "lblcr", scheduler: "lblcr", weights: []int{2, 2, 2}, mark: 10, to: "192.168.1.32/29", holds: localityBasedWithReplication, unlike: []string{"dh", "lblc"}},
		{name: "udp", scheduler: "wrr", keys: `protocol = "udp"`, weights: []int{1, 2, 3}, to: "192.168.1.1:7", holds: datagramsByWeight},
		{name: "persistence", scheduler: "rr", keys: `persistence = "1m"`, weights: []int{1, 1, 1}, to: "192.168.1.1:8011", holds: bySource, unlike: []string{"rr"}},
		{name: "weight-0", scheduler: "rr", weights: []int{1, 0, 1}, to: "192.168.1.1:8012", holds: weightNothing, unlike: []string{"rr"}},
	}
}

// clientAddresses is how many addresses the client has beside its first, from 192.168.1.101 on.
const clientAddresses = 12

func TestEverySchedulerDoesWhatItIsDefinedToDo(t *testing.T) {
	run(t, 1, schedulersFile(), "", func(t lab.T, a *lab.Article) {
		c, byName := scheduling(t, a), map[string]scheduled{}
		for _, s := range schedulers() {
			byName[s.name] = s
			if err := s.holds(c, s); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
		}
		for _, s := range schedulers() {
			for _, other := range s.unlike {
				mustNotHold(c, s, byName[other])
			}
		}
	})
}

func TestEverySchedulerControl(t *testing.T) {
	run(t, 1, schedulersFile(), mutant.RoundRobin, func(t lab.T, a *lab.Article) {
		c := scheduling(t, a)
		for _, s := range schedulers() {
			if s.scheduler != "rr" {
				mustNotHold(c, s, s)
			}
		}
	})
}

// mustNotHold holds that what is proven of one service is not so of another.
func mustNotHold(c client, s, of scheduled) {
	c.t.Helper()
	err := s.holds(c, of)
	if err == nil {
		c.t.Errorf("the proof of %s holds of %s: it proves nothing", s.name, of.name)
		return
	}
	c.t.Logf("as it must, %s, tried on %s: %v", s.name, of.name, err)
}

// schedulersFile is the article's two routers, more addresses for the schedulers that go by the
// destination, and a service without checks for each scheduler.
func schedulersFile() string {
	routers, _, _ := strings.Cut(lab.ArticleFile, "service ")
	addresses := []string{strconv.Quote(lab.OuterVIP + "/24")}
	for _, s := range schedulers() {
		for _, address := range destinations(s.to) {
			addresses = append(addresses, strconv.Quote(address+"/24"))
		}
	}
	var b strings.Builder
	b.WriteString(strings.Replace(routers, `"192.168.1.1/24"`, strings.Join(addresses, ", "), 1))
	for _, s := range schedulers() {
		at, port := fmt.Sprintf("address = %q", s.to), ":80"
		switch {
		case s.mark != 0:
			at, port = fmt.Sprintf("mark = %d", s.mark), ""
		case s.name == "udp":
			port = ":7"
		}
		fmt.Fprintf(&b, "service %q {\n %s\n scheduler = %q\n forward = \"nat\"\n %s\n", s.name, at, s.scheduler, s.keys)
		for j, w := range s.weights {
			fmt.Fprintf(&b, " server \"192.168.2.%d%s\" { weight = %d }\n", 11+j, port, w)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// destinations are the six virtual addresses of a service that is given as a network of eight.
func destinations(network string) []string {
	base, bits, ok := strings.Cut(network, "/")
	if !ok || bits != "29" {
		return nil
	}
	at := strings.LastIndex(base, ".") + 1
	first, _ := strconv.Atoi(base[at:])
	var all []string
	for i := range 6 {
		all = append(all, base[:at]+strconv.Itoa(first+1+i))
	}
	return all
}

// scheduling makes the network ready for the schedulers: more clients, marks, and the table in the kernel.
func scheduling(t lab.T, a *lab.Article) client {
	t.Helper()
	var add, mark []string
	for i := range clientAddresses {
		add = append(add, "ip addr add "+clientAddress(i)+"/24 dev eth0")
	}
	for _, s := range schedulers() {
		if s.mark != 0 {
			mark = append(mark, fmt.Sprintf("iptables-legacy -t mangle -A PREROUTING -d %s -p tcp --dport 80 -j MARK --set-mark %d", s.to, s.mark))
		}
	}
	a.Client.MustRun("sh", "-ec", strings.Join(add, "\n"))
	a.Directors[0].MustRun("sh", "-ec", strings.Join(mark, "\n"))
	lab.Eventually(t, 10*time.Second, "all services are in the kernel", func() error {
		return sameTables(a, len(schedulers())*len(servers))
	})
	return client{t, a}
}

func clientAddress(i int) string { return fmt.Sprintf("192.168.1.%d", 101+i) }

// inTurn is rr: every server once, again and again in one order.
func inTurn(c client, s scheduled) error {
	var got []string
	for range 9 {
		got = append(got, c.ask("", s.to))
	}
	for i := range got {
		if i >= 3 && got[i] != got[i-3] || i == 2 && len(tally(got[:3])) != 3 {
			return fmt.Errorf("not in turn: %v", got)
		}
	}
	return nil
}

// sharesByWeight is wrr: in as many requests as the weights are in sum, every server has its weight.
func sharesByWeight(c client, s scheduled) error {
	for range 2 {
		var got []string
		for range s.weights[0] + s.weights[1] + s.weights[2] {
			got = append(got, c.ask("", s.to))
		}
		if n := tally(got); !slices.Equal(counts(n), s.weights) {
			return fmt.Errorf("shares %v by weights %v: %v", counts(n), s.weights, got)
		}
	}
	return nil
}

// leastConnections is lc: the weight means nothing, and who lost connections is given the next.
func leastConnections(c client, s scheduled) error {
	l := c.load(s, func(conns, _ float64) float64 { return conns })
	defer l.close()
	if err := l.grow(6, []int{2, 2, 2}); err != nil {
		return err
	}
	l.end("rs2")
	return l.grow(2, []int{2, 2, 2})
}

// weightedLeastConnections is wlc: least connections by weight.
func weightedLeastConnections(c client, s scheduled) error {
	l := c.load(s, func(conns, weight float64) float64 { return conns / weight })
	defer l.close()
	if err := l.grow(6, []int{1, 1, 4}); err != nil {
		return err
	}
	if err := l.grow(6, []int{2, 2, 8}); err != nil {
		return err
	}
	l.end("rs3")
	return l.grow(8, []int{2, 2, 8})
}

// shortestExpectedDelay is sed: least connections by weight, the new one counted in.
func shortestExpectedDelay(c client, s scheduled) error {
	l := c.load(s, func(conns, weight float64) float64 { return (conns + 1) / weight })
	defer l.close()
	if err := l.grow(3, []int{0, 0, 3}); err != nil {
		return err
	}
	if err := l.grow(3, []int{1, 1, 4}); err != nil {
		return err
	}
	return l.grow(2, []int{1, 1, 6})
}

// neverQueue is nq: sed, but a server without connections comes first.
func neverQueue(c client, s scheduled) error {
	l := c.load(s, func(conns, weight float64) float64 {
		if conns == 0 {
			return 0
		}
		return (conns + 1) / weight
	})
	defer l.close()
	if err := l.grow(3, []int{1, 1, 1}); err != nil {
		return err
	}
	if err := l.grow(3, []int{1, 1, 4}); err != nil {
		return err
	}
	return l.grow(2, []int{1, 1, 6})
}

// bySource is sh, and persistence: a client stays with its server, and not all clients have the same.
func bySource(c client, s scheduled) error {
	used := map[string]int{}
	for i := range clientAddresses {
		first := c.ask(clientAddress(i), s.to)
		used[first]++
		for range 2 {
			if again := c.ask(clientAddress(i), s.to); again != first {
				return fmt.Errorf("client %s is with %s, then with %s", clientAddress(i), first, again)
			}
		}
	}
	if len(used) < 2 {
		return fmt.Errorf("all clients are with one server: %v", used)
	}
	return nil
}

// byDestination is common to dh, lblc and lblcr: a destination stays with its server whoever asks, and
// not all destinations have the same.
func byDestination(c client, s scheduled) error {
	used := map[string]int{}
	for _, to := range destinations(s.to) {
		first := c.ask("", to+":80")
		used[first]++
		for i := range 2 {
			if again := c.ask(clientAddress(i), to+":80"); again != first {
				return fmt.Errorf("destination %s is with %s, then with %s", to, first, again)
			}
		}
	}
	if len(used) < 2 {
		return fmt.Errorf("all destinations are with one server: %v", used)
	}
	return nil
}

// destinationHashing is dh: a destination stays with its server whatever that has to do.
func destinationHashing(c client, s scheduled) error {
	if err := byDestination(c, s); err != nil {
		return err
	}
	hot := c.load(s, nil)
	hot.to = destinations(s.to)[0] + ":80"
	defer hot.close()
	if n := tally(hot.open(5)); len(n) != 1 {
		return fmt.Errorf("a destination moved: %v", n)
	}
	return nil
}

// localityBased is lblc: a destination moves from a server with more connections than its weight to one
// that has less than half of its weight, and stays there.
func localityBased(c client, s scheduled) error {
	return hotDestination(c, s, func(before, after, last string) bool { return last == after })
}

// localityBasedWithReplication is lblcr: such a destination has both servers from then on, and goes to
// the one with less to do.
func localityBasedWithReplication(c client, s scheduled) error {
	return hotDestination(c, s, func(before, after, last string) bool { return last == before })
}

// hotDestination holds connections to one destination until its server has more than its weight, then
// ends those, and asks next which server the destination has.
func hotDestination(c client, s scheduled, next func(before, after, last string) bool) error {
	if err := byDestination(c, s); err != nil {
		return err
	}
	hot := c.load(s, nil)
	hot.to = destinations(s.to)[0] + ":80"
	defer hot.close()
	got := hot.open(s.weights[0] + 2)
	before, after := got[0], got[len(got)-1]
	if n := tally(got[:len(got)-1]); len(n) != 1 || before == after {
		return fmt.Errorf("connections to one destination, with a weight of %d: %v", s.weights[0], got)
	}
	hot.end(before)
	if last := hot.open(1)[0]; !next(before, after, last) {
		return fmt.Errorf("the destination was with %s, then %s, and with the first idle with %s", before, after, last)
	}
	return nil
}

// datagramsByWeight is wrr for UDP, where every datagram of a client that is new is a connection.
func datagramsByWeight(c client, s scheduled) error {
	before := column(c.a.Directors[0], "UDP", s.to, 5)
	for range 2 * (s.weights[0] + s.weights[1] + s.weights[2]) {
		c.echo(s.to)
	}
	got := column(c.a.Directors[0], "UDP", s.to, 5)
	for i := range got {
		if got[i] -= before[i]; got[i] != 2*s.weights[i] {
			return fmt.Errorf("datagrams %v by weights %v, all of them answered", got, s.weights)
		}
	}
	return nil
}

// weightNothing is weight 0: the server is given nothing new, and keeps what it has.
func weightNothing(c client, s scheduled) error {
	var got []string
	for range 6 {
		got = append(got, c.ask("", s.to))
	}
	if n := counts(tally(got)); !slices.Equal(n, []int{3, 0, 3}) {
		return fmt.Errorf("requests %v by weights %v", n, s.weights)
	}
	l := c.load(s, nil)
	defer l.close()
	l.open(2)
	before, after, _ := strings.Cut(schedulersFile(), `"weight-0"`)
	c.a.Apply(before + `"weight-0"` + strings.Replace(after, "weight = 1", "weight = 0", 1))
	lab.Eventually(c.t, 5*time.Second, "the weight is in the kernel", func() error {
		if w := column(c.a.Directors[0], "TCP", s.to, 3); !slices.Equal(w, []int{0, 0, 1}) {
			return fmt.Errorf("weights %v", w)
		}
		return nil
	})
	for _, h := range l.held {
		if server, err := get(h.conn); err != nil || server != h.server {
			return fmt.Errorf("a connection with %s, whose weight became 0: %s, %w", h.server, server, err)
		}
	}
	if n := counts(tally(l.open(4))); !slices.Equal(n, []int{0, 0, 4}) {
		return fmt.Errorf("connections %v by weights 0, 0, 1", n)
	}
	return nil
}
