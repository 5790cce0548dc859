package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// Limits on stopping: a stop hands leadership over if that is quick, and does not wait for a disk
// that hangs.
const (
	transferLimit = time.Second
	shutdownLimit = 5 * time.Second
)

// logCacheSize is how many of the log's last entries are kept in memory.
const logCacheSize = 512

// Node is this agent's membership in its cluster.
type Node struct {
	cfg     Config
	id      pki.Identity
	process string // tells this process from a copy of it
	log     hclog.Logger
	life    context.Context // of everything that Run started
	end     context.CancelFunc
	part    context.Context // in Raft: ends with life, or when this node was removed
	depart  context.CancelFunc

	lock      *lock
	store     *logstore.Store
	disk      *logstore.Watch
	record    *logstore.Record
	opened    time.Time
	recorded  uint64      // what had been applied when this node started
	blind     atomic.Bool // that is not known: there was no record
	past      past        // which entries are no news
	kept      atomic.Bool // what made this node a member is on record
	machine   *machine
	health    health
	creds     *pki.Credentials
	dialer    *port.Dialer
	port      *port.Port
	strangers *port.Strangers
	server    *http.Server
	clients   clients
	lanes     lanes
	groups    groups
	barriers  barriers
	tenure    tenure
	overdue   atomic.Pointer[string] // why the certificate was not renewed, nil if it was
	refused   atomic.Pointer[string] // why no other member takes it, nil if they do

	raft       atomic.Pointer[raft.Raft]             // nil before Run
	gossip     atomic.Pointer[memberlist.Memberlist] // for tests: nothing is decided by it
	ring       atomic.Pointer[memberlist.Keyring]    // of the gossip
	turning    sync.Mutex                            // held while that is changed
	admitting  sync.Mutex                            // held while somebody is let in
	removed    atomic.Pointer[removal]
	leadership chan bool     // from Raft: gained, lost
	pace       *pace         // of elections
	timeouts   timeouts      // Raft's
	took       sync.Map      // raft.ServerID: what a member has [sent] taken last from this leader, but for pipelines
	away       away          // members
	handing    atomic.Int32  // how many calls hand leadership over
	agreed     bells         // ring when entries are agreed
	keyNews    bells         // ring when a key of the cluster is another
	membership chan struct{} // capacity 1: Raft's configuration may differ from the members
	twins      twins
	heard      whereabouts
	clocks     clocks
	space      space
	hopes      hopes // of the calls that wait for a leader

	leaving  atomic.Bool   // Leave is under way
	left     atomic.Bool   // and this node is no member any more
	oneLeave chan struct{} // capacity 1: held by the Leave that is under way
	abrupt   bool          // tests: end as if killed
	unkept   bool          // tests: let the certificate run out
	eager    bool          // tests: ask for votes without asking first whether there would be any
	running  atomic.Bool
	done     chan struct{} // closed when everything is closed
	close    sync.Once
	failed   error // of closing
	wiped    bool  // by closing
}

// Open prepares the node in cfg.DataDir: what it had applied is there to read from then on, quorum
// or not. [Node.Run] does the rest.
func Open(cfg Config) (*Node, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	if !Exists(cfg.DataDir) {
		return nil, errors.New("this agent is in no cluster")
	}
	n := &Node{
		cfg: cfg, log: cfg.Log, process: rand.Text(), opened: time.Now(), machine: newMachine(cfg.Log), health: health{only: make(chan struct{}, 1)}, done: make(chan struct{}),
		leadership: make(chan bool, 16), membership: make(chan struct{}, 1), oneLeave: make(chan struct{}, 1), lanes: lanes{opening: make(chan struct{}, 1)},
		groups: groups{places: make(chan struct{}, underWay)},
	}
	n.machine.supports = n.supports
	n.strangers, n.pace = port.NewStrangers(n.ofMember), newPace(cfg.Heartbeat)
	n.life, n.end = context.WithCancel(context.Background())
	n.part, n.depart = context.WithCancel(n.life)
	n.away.life, n.away.awaited, n.away.back = n.life, n.awaited, make(chan struct{}, 1)
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.machine.onChange, n.machine.onAgreed = n.applied, n.agreed.ring
	return n, nil
}

func (n *Node) open() (err error) {
	dir := filepath.Join(n.cfg.DataDir, liveDir)
	if n.lock, err = takeLock(n.cfg.DataDir); err != nil {
		return err
	}
	if n.id, err = readIdentity(dir); err != nil {
		return err
	}
	if n.creds, err = readCredentials(dir, n.id, []string{port.ALPNRaft, port.ALPNHTTP}, n.keyNews.ring); err != nil {
		return err
	}
	if n.id.Name != n.cfg.Name {
		return fmt.Errorf("data directory %s belongs to director %s of cluster %s, and this agent is named %s: set name or data_dir in the agent file right", n.cfg.DataDir, n.id.Name, n.id.ClusterID, n.cfg.Name)
	}
	n.dialer = port.NewDialer(n.creds)
	if n.store, err = logstore.Open(dir, n.log); err != nil {
		return err
	}
	n.disk = n.newDiskWatch()
	if n.record, err = logstore.OpenRecord(filepath.Join(dir, logstore.RecordFile)); err != nil {
		return err
	}
	n.recorded = n.record.Last()
	n.blind.Store(n.recorded == 0)
	n.kept.Store(n.recorded >= n.id.Admitted)
	if err := n.openPast(); err != nil {
		return err
	}
	snapshot, err := n.machine.replayAtRest(n.store, n.recorded)
	if err != nil {
		return err
	}
	if is := n.State().Index; is < n.recorded && n.Halted() == nil {
		return n.store.Damaged("replay the log", fmt.Errorf("it leads to entry %d, and %d was applied", is, n.recorded))
	}
	if err := errors.Join(n.fits(), n.creds.Follow(n.State().Secrets()), n.recallFence()); err != nil {
		return err
	}
	if err := errors.Join(n.aloneAtStart(), forget(n.store, n.State().Recovery)); err != nil {
		return err
	}
	// what a snapshot has of a healed state may be ahead of the log that was read
	if err := n.store.ReadAll(max(snapshot, min(n.recorded, n.State().Index))); err != nil {
		return err
	}
	return n.listen()
}

// fits refuses state that is another cluster's, or too new for this binary.
func (n *Node) fits() error {
	s := n.State()
	if s.ClusterID != "" && s.ClusterID != n.id.ClusterID {
		return fmt.Errorf("data directory %s is of cluster %s, but its log is of cluster %s: restore one or the other", n.cfg.DataDir, n.id.ClusterID, s.ClusterID)
	}
	if s.ClusterID != "" {
		return n.supports(s.Level)
	}
	return nil
}

func (n *Node) supports(level int) error { return n.cfg.supports(level) }

// supports says why this binary cannot take part at a feature level.
func (c Config) supports(level int) error {
	return supports(level, c.MinLevel, c.MaxLevel, "this binary")
}

// errUnsupported means that a binary cannot take part in a cluster at its feature level.
var errUnsupported = errors.New("install a version that fits")

// supports says why a binary cannot take part at a feature level.
func supports(level, lowest, highest int, who string) error {
	if level < lowest || level > highest {
		return fmt.Errorf("the cluster is at feature level %d, and %s supports %d to %d: %w", level, who, lowest, highest, errUnsupported)
	}
	return nil
}

// maxHeader bounds what is read of a request before it is known who asks.
const maxHeader = 16 << 10

func (n *Node) listen() error {
	l, err := port.Listen(n.cfg.Bind)
	if err != nil {
		return err
	}
	n.port = port.New(l, port.Config{
		Name: raftAddr(raftAddress(n.id.ID, n.cfg.Bind)), TLS: n.creds.Server(), Authorize: n.authorize, Strangers: n.strangers, Log: n.log,
	})
	n.server = &http.Server{
		Handler:           n.handler(),
		ReadHeaderTimeout: port.HandshakeLimit,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          hush.Logger(n.log).StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		ConnContext:       withConn,
	}
	return port.TryGossip(n.cfg.Gossip)
}

// applied is the machine's feed.
func (n *Node) applied(prev, next *fsm.State, changes []fsm.Change) {
	if prev.ClusterID == "" {
		n.newKeys(next) // the first ones
	}
	for _, c := range changes {
		switch c.Kind {
		case fsm.MemberChanged:
			poke(n.membership)
		case fsm.KeyChanged, fsm.StateHealed:
			n.newKeys(next)
		}
	}
	if n.cfg.OnChange != nil {
		n.cfg.OnChange(prev, next, changes)
	}
}

// newKeys takes the keys that a state has into use.
func (n *Node) newKeys(s *fsm.State) {
	if err := n.creds.Follow(s.Secrets()); err != nil {
		n.log.Error("the CAs that the state trusts cannot be used", "err", err)
	}
	n.turnRing()
	n.keyNews.ring()
}

// Run is the node's life in the cluster. It returns when ctx has ended, or [Node.Leave] has ended
// it, and everything is closed: a leader hands over first. A node that was removed stays up, and
// says so by [Node.Removed].
func (n *Node) Run(ctx context.Context) error {
	if !n.running.CompareAndSwap(false, true) {
		return errors.New("this node runs or has run already")
	}
	group, life := errgroup.WithContext(n.life)
	group.Go(n.port.Run)
	group.Go(n.serve)
	err := error(nil)
	if n.Removed() == nil {
		err = n.meet(life)
	}
	if err == nil && n.Removed() == nil {
		err = n.startRaft(group.Go)
	}
	if r := n.raft.Load(); r != nil && n.Removed() != nil {
		r.Shutdown() // told meanwhile; stopRaft waits for it
	}
	if err == nil {
		for _, run := range []func(context.Context) error{n.keepRecord, n.lead, n.keepPace, n.yieldTooOld, n.gossips, n.watchMembership, n.keepsTrust, n.renews, n.callFormer, n.disk.Run, n.watchSpace, n.scrub} {
			group.Go(func() error { return run(life) })
		}
		select {
		case <-ctx.Done():
			n.handOver()
		case <-life.Done():
		}
	}
	n.end()
	n.stopRaft()
	err = errors.Join(err, n.server.Close(), n.port.Close())
	n.clients.close()
	return errors.Join(err, group.Wait(), n.Close())
}

func (n *Node) serve() error {
	if err := n.server.Serve(n.port.Requests()); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve the cluster port: %w", err)
	}
	return nil
}

// Close lets go of everything. It is for a node that does not run; Run calls it at its end.
func (n *Node) Close() error {
	n.close.Do(func() {
		n.end()
		var errs []error
		if n.port != nil {
			errs = append(errs, n.port.Close())
		}
		if n.record != nil {
			errs = append(errs, n.record.Close())
		}
		if n.store != nil {
			errs = append(errs, n.store.Close())
		}
		if n.left.Load() {
			n.wiped = true
			errs = append(errs, wipe(n.cfg.DataDir))
		}
		if n.lock != nil {
			errs = append(errs, n.lock.release())
		}
		n.failed = errors.Join(errs...)
		close(n.done)
	})
	return n.failed
}

func (n *Node) startRaft(run func(func() error)) error {
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  stream{n.port.Members(), n},
		MaxPool: 3,
		Timeout: max(n.cfg.patience(), 2*time.Second),
		Logger:  hush.Logger(n.log.Named("raft")),
	})
	logs, err := raft.NewLogCache(logCacheSize, n.store.Logs())
	if err != nil {
		return fmt.Errorf("start Raft: %w", err)
	}
	hears := attentive{transport{trans, n.hangs, n.store.Cannot, n.tooOld, n.leadsIn, &n.agreed, &n.took, n.pace, &n.away}, &n.past, make(chan raft.RPC)}
	r, err := raft.NewRaft(n.raftConfig(), n.machine, logs, n.store.Stable(), n.store.Snapshots, hears)
	if err != nil {
		return errors.Join(fmt.Errorf("start Raft: %w", err), trans.Close())
	}
	n.raft.Store(r)
	run(func() error { return hears.run(n.life) })
	return nil
}

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.id.ID)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = n.cfg.Heartbeat, n.cfg.Heartbeat, n.cfg.Heartbeat
	c.CommitTimeout = n.cfg.commitTimeout()
	c.PreVoteDisabled = n.eager
	c.MaxAppendEntries = maxAppend
	c.BatchApplyCh = true // has room for all that is under way. What is left there at a shutdown is never answered, see part
	c.TrailingLogs, c.SnapshotThreshold = 1000, 4096
	c.NotifyCh = n.leadership
	c.NoLegacyTelemetry = true
	c.Logger = raftLog{hush.Logger(n.log.Named("raft")), n.votes, n.tookAny, &arrivals{began: map[raft.ServerID]time.Time{}}}
	return c
}

// leadsIn returns the index up to which the log is agreed, if this node leads in a term.
func (n *Node) leadsIn(term uint64) (agreed uint64, ok bool) {
	r := n.raft.Load()
	if r == nil {
		return 0, false
	}
	agreed = r.CommitIndex() // first: what another leader agrees later is not among it
	return agreed, r.State() == raft.Leader && r.CurrentTerm() == term
}

// handOver gives leadership away before a stop, so that nobody has to find out.
func (n *Node) handOver() {
	if !n.abrupt {
		n.giveLead(context.Background(), "leadership not handed over before the stop; the others will elect")
	}
}

// giveLead has another member lead, if this one leads and there is another. What is said if none took it is a warning.
func (n *Node) giveLead(ctx context.Context, failed string) {
	if err := n.tryGiveLead(ctx); err != nil {
		n.log.Warn(failed, "err", err)
	}
}

// tryGiveLead is giveLead, and returns why none took it.
func (n *Node) tryGiveLead(ctx context.Context) error {
	if !n.IsLeader() || len(n.State().Members) < 2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, transferLimit)
	defer cancel()
	return n.LeadershipTransfer(ctx)
}

// stopRaft ends Raft. One that hangs in its disk is left behind.
func (n *Node) stopRaft() {
	r := n.raft.Load()
	if r == nil {
		return
	}
	n.store.Release()
	stopped := make(chan error, 1)
	future := r.Shutdown()
	go func() { stopped <- future.Error() }() // ends with Raft
	select {
	case err := <-stopped:
		if err != nil {
			n.log.Error("stop Raft", "err", err)
		}
	case <-time.After(shutdownLimit):
		n.log.Error("Raft does not stop: its disk hangs")
	}
}

// poke says "look again" on a channel of capacity 1.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
