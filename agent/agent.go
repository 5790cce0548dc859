// Package agent is the control process: it puts the cluster, the checks, this host's tables and
// the API together. It decides nothing itself; decisions are pure functions of the packages that
// it joins.
//
// A session is the agent's life in one cluster; without one the agent waits for init or join.
package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// The feature levels that this binary supports.
const (
	MinLevel = 1
	MaxLevel = fsm.Newest
)

// Config is what an agent needs.
type Config struct {
	File       config.Agent
	KeeperArgv []string // starts a keeper on this host; empty: it is a unit of its own, not started or stopped here
	Version    string
	Log        hclog.Logger
	Ready      func() // called once the API answers
}

// Agent is one director's control process.
type Agent struct {
	cfg    Config
	keeper *keeperlink.Link
	events eventLog

	change  sync.Mutex // held by init, join and leave, one at a time
	mu      sync.Mutex
	session *session        // nil without a cluster
	between error           // what goes on while there is none for a moment
	joining *api.Joining    // what has come so far of the join that the agent file asks for, while there is none
	ctx     context.Context // of the agent's life: sessions end with it
	failed  chan error      // a session that ended by itself
}

var _ api.Agent = (*Agent)(nil)

// New returns an agent that does nothing yet.
func New(cfg Config) *Agent {
	return &Agent{
		cfg:    cfg,
		keeper: keeperlink.New(cfg.File.KeeperSocket, cfg.KeeperArgv, cfg.Log.Named("keeper")),
		failed: make(chan error, 1),
	}
}

// Run is the agent's whole life. It returns when ctx has ended and everything is handed over and
// stopped; the kernel's tables stay as they are.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.prepare(); err != nil {
		return err
	}
	listener, err := listen(a.cfg.File.Socket, a.cfg.File.SocketGroup)
	if err != nil {
		return err
	}
	defer listener.Close()
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	a.ctx = life
	group, life := errgroup.WithContext(life)
	if cluster.Exists(a.cfg.File.DataDir) { // before the keeper: an agent that cannot take part starts nothing
		if err := a.start(); err != nil {
			return err
		}
	} else {
		a.keeper.Want(keeper.Order{}) // whatever one before was told
		a.clearLeft(life)
		if a.cfg.File.Join != nil {
			group.Go(func() error { a.joinUnattended(life, a.Join); return nil })
		}
	}
	group.Go(func() error { return a.keeper.Run(life) })
	server := &http.Server{Handler: api.Handler(a, a.caller), IdleTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return life }, ConnContext: withCaller}
	group.Go(func() error { return serve(server, listener) })
	if a.cfg.Ready != nil {
		a.cfg.Ready()
	}
	whole := false // after a failure the keeper goes on, and systemd starts this process again
	select {
	case <-ctx.Done():
		whole = true
		a.handOver()
	case <-life.Done():
	case err = <-a.failed:
	}
	err = errors.Join(err, a.stop(whole))
	_ = server.Close()
	end()
	return errors.Join(err, group.Wait())
}

// prepare makes the directories and finds out at once whether the agent can do its work at all.
func (a *Agent) prepare() error {
	if err := privileged(); err != nil {
		return err
	}
	for dir, mode := range map[string]os.FileMode{
		a.cfg.File.DataDir: 0o700, filepath.Dir(a.cfg.File.Socket): 0o755, filepath.Dir(a.cfg.File.KeeperSocket): 0o755,
	} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	return CloseData(a.cfg.File.DataDir, a.cfg.Log)
}

// start opens the session on the data directory.
func (a *Agent) start() error {
	s, err := a.open(a.ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session, a.joining = s, nil
	go func() { // ends with the session
		<-s.done
		if !s.closing.Load() && !s.node.Left() {
			select {
			case a.failed <- fmt.Errorf("this director's part in the cluster ended: %w", s.err):
			default:
			}
		}
	}()
	return nil
}

var errNoCluster = errors.New("this agent is in no cluster: make one with `quorate init`, or join one with `quorate join ADDR --token TOKEN`")

// current returns the session, or an error that says how to get into a cluster.
func (a *Agent) current() (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil && a.between != nil {
		return nil, a.between
	}
	if a.session == nil && a.joining != nil {
		return nil, unjoined{*a.joining}
	}
	if a.session == nil {
		return nil, errNoCluster
	}
	return a.session, nil
}

// handOver gives what this host owns to successors, within a bounded time: make before break. A keeper
// that is a unit of its own goes on without control, unless it is about to be stopped as well. What did not move in that
// time is given up on the wire, as long as this agent is there for who takes it.
func (a *Agent) handOver() {
	s, err := a.current()
	if err != nil || len(a.cfg.KeeperArgv) == 0 && !unitStops(keeperUnit) {
		return
	}
	if left := s.giver().giveAway(context.Background(), s.cfg.Name+" stops", nil); len(left) == 0 {
		return
	}
	kept, open := s.giver().letGo(context.Background())
	if len(kept) > 0 {
		s.log.Warn("not given up: the addresses of these groups stay", "groups", said(kept))
	}
	if len(open) > 0 {
		s.log.Warn(NotTaken, "groups", said(open))
	}
}

// NotTaken is said of groups that were given up on the wire, and of whose successor nothing more was heard.
const NotTaken = "given up, and nobody has said in time that it took them over and has their newest connections"

// stop ends the session and, if the whole agent is to stop and it is ours, the keeper.
func (a *Agent) stop(whole bool) error {
	a.mu.Lock()
	s := a.session
	a.session = nil
	a.mu.Unlock()
	var errs []error
	if whole && len(a.cfg.KeeperArgv) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		owned, known := a.keeper.Owned()
		errs = append(errs, a.keeper.Stop(ctx, known && len(owned) == 0))
	}
	if s != nil {
		if whole && len(a.cfg.KeeperArgv) > 0 {
			s.stopHooks(s.cfg.Name + " stops")
		}
		if whole {
			s.goodbye()
		}
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// clusterConfig is what the cluster package is told of this agent; handlers are added by open.
func (a *Agent) clusterConfig() cluster.Config {
	f := a.cfg.File
	var contact netip.AddrPort
	if f.Join != nil {
		contact = f.Join.Address
	}
	return cluster.Config{
		Name: f.Name, DataDir: f.DataDir, Bind: f.Bind, Gossip: f.Gossip, Contact: contact, Role: f.Role,
		Sources: a.sources, Version: a.cfg.Version, MinLevel: MinLevel, MaxLevel: MaxLevel,
		Heartbeat: f.Heartbeat, Log: a.cfg.Log.Named("cluster"),
		Unfenced: func() bool { return mutant.On(mutant.NoFence) },
		Patient:  func() bool { return mutant.On(mutant.Patient) },
	}
}

// sources returns the addresses that this host has before it knows of virtual ones. Once it is in the
// cluster it tells what they are without those.
func (a *Agent) sources() []netip.Addr {
	own, err := hostAddresses(nil)
	if err != nil {
		a.cfg.Log.Warn("own addresses not known yet", "err", err)
	}
	return own
}

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}
