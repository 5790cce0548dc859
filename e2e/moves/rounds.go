package moves

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// directVIP is the address of what is forwarded by direct routing; the real servers have it too.
const directVIP = "192.168.1.41"

// roundsFile is the article's set-up with an echo service beside the web, and both once more by direct routing.
// Its checks are patient: a guest has one slow processor that carries the load too, and a real server that is
// late there by half a second is not to be taken for dead, which would end its connections.
var roundsFile = strings.NewReplacer(
	`addresses = ["192.168.1.1/24"]`, `addresses = ["192.168.1.1/24", "`+directVIP+`/24"]`,
	`timeout  = "500ms"`, `timeout  = "`+patience+`"`,
).Replace(File) + direct("direct-web", "80") + direct("direct-echo", "7")

// patience is how long a check waits for an answer.
const patience = "2900ms"

func direct(name, port string) string {
	return fmt.Sprintf(`
service %[1]q {
  address   = "%[2]s:%[3]s"
  scheduler = "rr"
  forward   = "direct"
  check "tcp" {
    interval = "3s"
    timeout  = "%[4]s"
  }
  server "192.168.1.51:%[3]s" {}
  server "192.168.1.52:%[3]s" {}
}
`, name, directVIP, port, patience)
}

// roundsServers is how many real servers roundsFile has.
const roundsServers = servers + 4

// An act is something that is done to a cluster on purpose, and that its clients must not notice.
type act struct {
	name string
	do   func(t lab.T, a *lab.Article, owner *lab.Director)
	// back makes the cluster whole again, if that is not a part of it. Nobody makes new connections meanwhile: to
	// start and to join costs a guest more than the load.
	back func(t lab.T, a *lab.Article, owner *lab.Director)
	// within is how long it may take to be what is meant, if that is bounded.
	within time.Duration
}

// restarts bounds the restart of a control. From one that is away for more than two seconds the group is moved, and what
// began just before is fetched from it when it is back: too late for a request if that waits for as long as a client does.
const restarts = 4 * time.Second

// agentRestarts bounds the restart of an agent, which takes three seconds. Where a move takes longer than it may, time after
// time, a stop gives the address up on the wire, and a guest that gets no time may lose by it.
const agentRestarts = 8 * time.Second

var (
	drainAct = act{"drain", drainOwner, func(t lab.T, _ *lab.Article, owner *lab.Director) {
		order(t, owner, "enable", "director", owner.Name)
	}, 0}
	acts = []act{
		drainAct,
		{"move", moveOn, nil, 0},
		{"leave", leaveCluster, func(t lab.T, a *lab.Article, owner *lab.Director) { a.Join(t, owner) }, 0},
		{"leader change", changeLeader, func(t lab.T, a *lab.Article, _ *lab.Director) { a.Agents(t) }, 0},
		{"control restart", restartControl, nil, restarts},
		{"agent restart", restartAgent, nil, agentRestarts},
	}
)

func drainOwner(t lab.T, a *lab.Article, owner *lab.Director) {
	order(t, owner, "drain", "director", owner.Name)
	leaves(t, a, owner)
}

func moveOn(t lab.T, a *lab.Article, owner *lab.Director) {
	order(t, owner, "move", "gateway", another(a, owner).Name)
	leaves(t, a, owner)
}

func leaveCluster(t lab.T, a *lab.Article, owner *lab.Director) {
	order(t, owner, "leave")
	leaves(t, a, owner)
}

// changeLeader kills the control of the one that leads.
func changeLeader(t lab.T, a *lab.Article, owner *lab.Director) {
	st, err := owner.Status()
	if err != nil || st.Leader == "" {
		t.Fatalf("nobody leads: %v", err)
	}
	leader := a.Director(a.Find(st.Leader))
	leader.Control().Kill()
	other := another(a, leader)
	lab.Eventually(t, 20*time.Second, "another leads", func() error {
		st, err := other.Status()
		if err == nil && (st.Leader == "" || st.Leader == leader.Name) {
			err = errors.New("not yet")
		}
		if err != nil {
			time.Sleep(200 * time.Millisecond)
		}
		return err
	})
}

func restartControl(t lab.T, _ *lab.Article, owner *lab.Director) {
	owner.Control().Kill()
	owner.Agent(t)
}

func restartAgent(t lab.T, a *lab.Article, owner *lab.Director) {
	control := owner.Control()
	if err := control.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%v", err)
	}
	lab.Eventually(t, 30*time.Second, "the agent has stopped", func() error {
		if control.Alive() {
			return errors.New("it runs")
		}
		return nil
	})
	leaves(t, a, owner)
	owner.Agent(t)
}

// another is a director beside one.
func another(a *lab.Article, not *lab.Director) *lab.Director {
	if a.Directors[0] != not {
		return a.Directors[0]
	}
	return a.Directors[1]
}

// order gives a command. One that is refused has changed nothing, and is given again, as a person would: on a machine
// that others use a leader may be lost, or a move take longer than it may.
func order(t lab.T, d *lab.Director, args ...string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		out, err := d.Quorate(args...)
		if err == nil {
			t.Logf("%s: %s", args[0], strings.TrimSpace(out))
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("%s, again: %v", args[0], err)
		time.Sleep(500 * time.Millisecond)
	}
}

// leaves waits until another owns.
func leaves(t lab.T, a *lab.Article, owner *lab.Director) {
	t.Helper()
	movedTogether(t, a, owner.Host, 5*time.Second)
}

// few is how many rounds are made where nothing is said. `make proofs` makes many.
const few = 3

// What is done to the owner on purpose.
var (
	Rounds = proof.Step{Name: "round after round of all that is planned loses nothing", Proof: func(t lab.T, a *lab.Article) {
		roundsLoseNothing(t, a, proof.Rounds(few), acts...)
	}}
	// Drain is a part of Rounds, for a control of what most of the acts rest on: that a move is made before the old owner
	// gives up.
	Drain = proof.Step{Name: "it is drained and loses nothing", Proof: func(t lab.T, a *lab.Article) {
		roundsLoseNothing(t, a, 1, drainAct)
	}}
)

// roundsLoseNothing does all acts to the owner, round after round, each under 50 new connections a second and 100 that
// are open, half of each by NAT and half by direct routing. Of the open ones half are as old as the proof, and half
// were opened just before the act.
func roundsLoseNothing(t lab.T, a *lab.Article, rounds int, acts ...act) {
	prepareDirect(t, a)
	order(t, a.Directors[0], "apply", a.Directors[0].WriteFile("cluster.hcl", roundsFile), "--yes")
	whole(t, a)
	l := &load{t: t, a: a}
	old := l.connect()
	for round := range rounds {
		for _, act := range acts {
			l.calmly(fmt.Sprintf("round %d, %s", round+1, act.name), act)
		}
	}
	l.lived("old connections", old)
}

// A client that stood still for so long has lost its requests by itself: one waits for five seconds.
const stoodStill = 3 * time.Second

// calmly does one act under load, and does it again where requests were lost while the client itself stood still, or the
// act took longer than it may: a machine that others use may stop a guest for longer than a request waits.
func (l *load) calmly(what string, act act) {
	l.t.Helper()
	for range 3 {
		r, took := l.during(what, act)
		if len(r.Failures) == 0 {
			return
		}
		if r.Stall < stoodStill && (act.within == 0 || took <= act.within) {
			l.t.Errorf("%s: requests lost: %v", what, r)
			return
		}
	}
	l.t.Errorf("%s: the guest does not keep time", what)
}

// during does one act under load, and makes the cluster whole.
func (l *load) during(what string, act act) (lab.RequestReport, time.Duration) {
	l.t.Helper()
	owner := l.a.Director(l.a.AwaitOwner(l.t, proof.OwnedWithin, lab.OuterVIP))
	requests, young := l.request(), l.connect()
	start := time.Now()
	act.do(l.t, l.a, owner)
	took := time.Since(start)
	l.t.Logf("%s: from %s on it took %v", what, start.Format("15:04:05.000"), took.Round(time.Millisecond))
	time.Sleep(time.Second)
	r := requests.Close()
	l.stall = max(l.stall, r.Stall)
	l.t.Logf("%s: requests: %v", what, r)
	if act.back != nil {
		act.back(l.t, l.a, owner)
	}
	whole(l.t, l.a)
	l.lived(what+": young connections", young)
	if r.ByServer["rs1"]+r.ByServer["rs2"]+r.ByServer["rs3"] == 0 || r.ByServer["rs4"]+r.ByServer["rs5"] == 0 {
		l.t.Errorf("%s: the load was not what it should be: %v", what, r)
	}
	return r, took
}

// whole waits until all directors are ready and all servers are up. It looks twice a second: a look costs a guest more
// than the load.
func whole(t lab.T, a *lab.Article) {
	t.Helper()
	lab.Eventually(t, 60*time.Second, "the cluster is whole", func() error {
		st, err := a.Directors[0].Status()
		ready := 0
		for _, d := range st.Directors {
			if d.Ready && d.State == "alive" {
				ready++
			}
		}
		if err == nil && (st.Leader == "" || ready != len(a.Directors)) {
			err = fmt.Errorf("%d are ready, %q leads", ready, st.Leader)
		}
		if err == nil {
			err = proof.SameTables(a, roundsServers)
		}
		if err != nil {
			time.Sleep(500 * time.Millisecond)
		}
		return err
	})
}

// prepareDirect adds the real servers of direct routing, once for a network.
func prepareDirect(t lab.T, a *lab.Article) {
	t.Helper()
	for _, h := range a.Hosts() {
		if h.Name == "rs4" {
			return
		}
	}
	for i, name := range []string{"rs4", "rs5"} {
		rs := a.RealServer(name, a.Outer.At(fmt.Sprintf("192.168.1.%d/24", 51+i)), "")
		rs.MustRun("sh", "-ec", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce\n"+
			"ip addr add "+directVIP+"/32 dev lo")
	}
}

// load is what the clients do.
type load struct {
	t     lab.T
	a     *lab.Article
	stall time.Duration // for how long the client stood still at most
}

// hangs is how long a connection that is not broken waits for an answer at most, beside the time for which the client
// stood still: a packet may be lost and sent again.
const hangs = 5 * time.Second

// limit ends a client that nobody ends.
const limit = 2 * time.Hour

// connect opens 50 connections, half of them by NAT and half by direct routing.
func (l *load) connect() *lab.Conns {
	l.t.Helper()
	c := l.a.Client.Connections(lab.Connections{
		To: lab.OuterVIP + ":7," + directVIP + ":7", Count: 50, Interval: 2 * time.Second, Limit: limit,
	})
	l.t.Cleanup(c.Stop) // a proof that ends early leaves no load to the next
	return c
}

// request begins to make 50 requests a second, each on a connection of its own, half of them by NAT and half by direct
// routing.
func (l *load) request() *lab.HTTPClient {
	l.t.Helper()
	c := l.a.Client.Requests(lab.Requests{
		To: lab.OuterVIP + ":80," + directVIP + ":80", Rate: 50, Timeout: 5 * time.Second, Limit: limit,
	})
	l.t.Cleanup(c.Stop)
	return c
}

// lived closes connections, and holds that none was broken.
func (l *load) lived(what string, c *lab.Conns) {
	l.t.Helper()
	r := c.Close()
	l.t.Logf("%s: %v", what, r)
	if len(r.Broken()) > 0 || len(r) != 50 || r.Longest() > hangs+l.stall {
		l.t.Errorf("%s: connections broken: %v", what, r)
	}
}
