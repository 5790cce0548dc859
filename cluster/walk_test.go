package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// walkBeat is the heartbeat of nodes that are walked over: they are alone, or their cluster waits for them.
const walkBeat = 100 * time.Millisecond

// walkCords are what a process that is walked over is told.
type walkCords struct {
	Scenario, Name, DataDir string
	Bind, Gossip            netip.AddrPort
	Via, Token              string // of a join
}

func (c walkCords) config() Config {
	return Config{Name: c.Name, DataDir: c.DataDir, Bind: c.Bind, Gossip: c.Gossip, Heartbeat: walkBeat, Version: "test", MinLevel: 1, MaxLevel: fsm.Newest}
}

// scenarios are what is walked over. Each acknowledges what is done, and ends.
var scenarios = map[string]func(walkCords){
	"write and compact":  func(c walkCords) { writeAndCompact(c.config()) },
	"receive a snapshot": func(c walkCords) { receiveSnapshot(c.config()) },
	"init": func(c walkCords) {
		check(Init(context.Background(), c.config()))
		acknowledge("init")
	},
	"recover": func(c walkCords) {
		must(RecoverData(c.config(), func(string) {}))
		acknowledge("recover")
	},
	"join": joinAndVote,
}

// beWalked is the main function of such a process.
func beWalked(text string) {
	var c walkCords
	check(json.Unmarshal([]byte(text), &c))
	beSupervised()
	scenarios[c.Scenario](c)
	os.Exit(0)
}

// writeAndCompact is a node alone that writes, and makes three snapshots of which the first goes again.
func writeAndCompact(cfg Config) {
	n := must(Open(cfg))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	written := 0
	write := func(times int) {
		for range times {
			written++
			id := fmt.Sprint("t", written)
			until(func() error {
				err := n.Propose(ctx, aToken(id))
				if errors.Is(err, fsm.ErrTaken) {
					return nil // it took effect, and the answer was lost
				}
				return err
			})
			acknowledge(id)
		}
	}
	snapshot := func() {
		until(func() error {
			r := n.raft.Load()
			c := r.ReloadableConfig()
			c.TrailingLogs = 1
			return errors.Join(r.ReloadConfig(c), r.Snapshot().Error())
		})
	}
	write(3)
	for range 3 {
		snapshot()
		write(2)
	}
	stop()
	check(<-ended)
}

// aToken is a change that leaves its trace in the state.
func aToken(id string) fsm.Command {
	return fsm.AddToken{ID: id, Token: fsm.Token{Hash: "aa", Role: fsm.RoleDirector, Expires: time.Unix(0, 0).UTC()}}
}

func until(f func() error) {
	for f() != nil {
		time.Sleep(walkBeat / 10)
	}
}

// walk is one scenario, and how to tell what is left after a crash.
type walk struct {
	scenario string
	template string // the data directory that it begins with
	cords    walkCords
	prepare  func(kill int, c *walkCords)
	every    int                  // the nth step is tried, not each: where each would take too long
	lie      func(fileStep) bool  // a control
	after    func(survivor) error // nil: all is there that was acknowledged
}

// survivor is what a crash left.
type survivor struct {
	t     *testing.T
	cfg   Config
	acked []string
	token string // of a join
}

// walked is what came of a walk.
type walked struct {
	steps []string // in front of which the process was killed, in order
	lost  []string // what was wrong after which
}

// begin is a supervised process on a copy of the template.
func (w walk) begin(t *testing.T, kill int) (*supervisor, walkCords) {
	t.Helper()
	cords := w.cords
	cords.Scenario, cords.DataDir, cords.Bind, cords.Gossip = w.scenario, filepath.Join(t.TempDir(), "data"), freePort(t), freePort(t)
	if w.template != "" {
		check(os.CopyFS(cords.DataDir, os.DirFS(w.template)))
	} else {
		check(os.Mkdir(cords.DataDir, 0o700))
	}
	if w.prepare != nil {
		w.prepare(kill, &cords)
	}
	return &supervisor{dir: cords.DataDir, kill: kill, lie: w.lie, disk: newMedium(cords.DataDir)}, cords
}

// run kills the process before each step, one after the other, until it comes to its end, and looks each time at what
// a kill leaves, and at what a power cut does.
func (w walk) run(t *testing.T) walked {
	t.Helper()
	var all walked
	var mu sync.Mutex
	for kill := 1; ; {
		var finished bool
		var wg sync.WaitGroup
		for range 2 { // side by side: each waits for elections
			wg.Go(func() {
				mu.Lock()
				n := kill
				kill += max(w.every, 1)
				mu.Unlock()
				s, cords := w.begin(t, n)
				defer s.disk.close()
				done, err := s.run(cords)
				if err != nil {
					t.Error(err)
					done = true
				}
				lost := w.look(t, s, cords)
				mu.Lock()
				defer mu.Unlock()
				if finished = finished || done; !done {
					all.steps = append(all.steps, fmt.Sprintf("%03d %v", n, s.last))
				}
				for _, l := range lost {
					all.lost = append(all.lost, fmt.Sprintf("killed before step %d, %v: %s", n, s.last, l))
				}
			})
		}
		wg.Wait()
		if finished {
			slices.Sort(all.steps)
			return all
		}
	}
}

// look returns what is wrong after a kill, and after a power cut.
func (w walk) look(t *testing.T, s *supervisor, cords walkCords) (wrong []string) {
	cut := filepath.Join(t.TempDir(), "cut")
	s.disk.write(cut)
	for what, dir := range map[string]string{"kill": cords.DataDir, "power cut": cut} {
		cfg := cords.config()
		cfg.DataDir = dir
		after := w.after
		if after == nil {
			after = survivor.has
		}
		if err := after(survivor{t, cfg, s.acked, cords.Token}); err != nil {
			wrong = append(wrong, fmt.Sprintf("after a %s: %v", what, err))
		}
	}
	return wrong
}

// has returns nil if a node starts from what is left with all tokens that were acknowledged, and goes on.
func (s survivor) has() error {
	if err := s.starts(); err != nil || !proofs() {
		return err
	}
	return s.goesOn()
}

// starts returns nil if a node can be started from what is left, and all tokens that were acknowledged are there.
func (s survivor) starts() error {
	s = s.elsewhere()
	n, err := Open(s.cfg)
	if err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	defer n.Close()
	all := newMachine(n.log)
	if _, err := all.replay(n.store, math.MaxUint64); err != nil { // a node alone: what is in its log is agreed
		return err
	}
	state := all.state.Load()
	for _, id := range s.acked {
		if _, ok := state.Secrets().Tokens[id]; !ok {
			return fmt.Errorf("%s was acknowledged, and is not there: the log leads to entry %d", id, state.Index)
		}
	}
	return errors.Join(all.asHalted(), state.Verify(), n.Close())
}

// elsewhere is the same with other ports: a process that is being started beside has the old ones until it runs.
func (s survivor) elsewhere() survivor {
	s.cfg.Bind, s.cfg.Gossip = freePort(s.t), freePort(s.t)
	return s
}

// goesOn returns nil if a node alone leads with all that was acknowledged, and takes a change.
func (s survivor) goesOn() error {
	s = s.elsewhere()
	n, err := Open(s.cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	for err = errors.New("not yet"); err != nil && ctx.Err() == nil; pause(ctx, walkBeat/10) {
		err = n.Propose(ctx, aToken("after"))
	}
	state := n.State()
	stop()
	for _, id := range append(s.acked, "after") {
		if _, ok := state.Secrets().Tokens[id]; !ok {
			err = errors.Join(err, fmt.Errorf("%s is not there when it goes on", id))
		}
	}
	return errors.Join(err, <-ended)
}

// asHalted is why a machine has halted, or nil.
func (m *machine) asHalted() error {
	if h := m.halted.Load(); h != nil {
		return h
	}
	return nil
}

// proofs reports whether all is to be walked, which takes minutes, or a part.
func proofs() bool { return os.Getenv("QUORATE_PROOFS") == "1" }

// part is how many steps are passed over where not all is walked.
func part(every int) int {
	if proofs() {
		return 1
	}
	return every
}

// single is the data directory of a node alone that has not run yet.
func single(t *testing.T) (template string, cords walkCords) {
	t.Helper()
	cfg := config(t, "a")
	cfg.Heartbeat = walkBeat
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg.DataDir, walkCords{Name: "a"}
}

func TestWhatWasAcknowledgedOutlivesAKillAndAPowerCutAtEachStep(t *testing.T) {
	t.Parallel()
	template, cords := single(t)
	w := walk{scenario: "write and compact", template: template, cords: cords, every: part(41)}
	if all := w.proves(t); proofs() && len(all.steps) < 100 {
		t.Errorf("only %d steps were walked", len(all.steps))
	}
}

func TestAnInitThatIsCutOffAtAnyStepIsRunAgain(t *testing.T) {
	t.Parallel()
	w := walk{scenario: "init", cords: walkCords{Name: "a"}, every: part(13), after: func(s survivor) error {
		if !Exists(s.cfg.DataDir) {
			if len(s.acked) > 0 {
				return errors.New("there is no cluster, and init had ended")
			}
			if err := Init(s.t.Context(), s.elsewhere().cfg); err != nil {
				return fmt.Errorf("init again: %w", err)
			}
		}
		return survivor{t: s.t, cfg: s.cfg}.has()
	}}
	w.proves(t)
}

// TestTheWalkFindsWhatIsAcknowledgedTooEarly has the disk lie about syncs: as if the product had left them out.
func TestTheWalkFindsWhatIsAcknowledgedTooEarly(t *testing.T) {
	t.Parallel()
	template, cords := single(t)
	for name, lie := range map[string]func(fileStep) bool{
		"the log is not synced":               func(s fileStep) bool { return strings.HasSuffix(s.path, logstore.LogFile) },
		"what is in a snapshot is not synced": func(s fileStep) bool { return strings.Contains(s.path, "snapshots/S.tmp/") },
		"directories are not synced": func(s fileStep) bool {
			return strings.HasSuffix(s.path, "snapshots") || strings.HasSuffix(s.path, "/S")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := walk{scenario: "write and compact", template: template, cords: cords, lie: lie, every: math.MaxInt / 4}
			s, cords := w.begin(t, 0) // to its end, and then the power is cut
			defer s.disk.close()
			if done, err := s.run(cords); !done {
				t.Fatal(err)
			}
			if lost := w.look(t, s, cords); len(lost) != 1 || !strings.Contains(lost[0], "power cut") {
				t.Errorf("found %q", lost)
			}
		})
	}
}

// proves walks, and holds that nothing is lost anywhere.
func (w walk) proves(t *testing.T) walked {
	t.Helper()
	all := w.run(t)
	for _, l := range all.lost {
		t.Error(l)
	}
	page(t, w.scenario, all)
	return all
}

// page writes what was walked into the page that the environment names.
func page(t *testing.T, scenario string, all walked) {
	t.Helper()
	t.Logf("%s: %d steps", scenario, len(all.steps))
	dir := os.Getenv("QUORATE_CRASH_PAGES")
	if dir == "" {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s: %d steps, %d losses\n\n", scenario, len(all.steps), len(all.lost))
	for _, s := range all.steps {
		fmt.Fprintf(&b, "    %s\n", s)
	}
	for _, l := range all.lost {
		fmt.Fprintf(&b, "\n- %s\n", l)
	}
	check(os.WriteFile(filepath.Join(dir, strings.ReplaceAll(scenario, " ", "-")+".md"), []byte(b.String()+"\n"), 0o644))
}
