package cluster

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is what clients of all directors asked of registers and were answered, with the times of both.
type history struct {
	began time.Time

	mu  sync.Mutex
	ops []porcupine.Operation
	not int // deeds that surely had no effect
}

// registerAccess is an operation on one register.
type registerAccess struct {
	key   int
	write bool
	value string
}

// unknown is when an operation returns of which nobody knows whether it took effect.
const unknown = math.MaxInt64

// registers is what a register does: a read shows what was written last.
var registers = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[int][]porcupine.Operation{}
		for _, op := range all {
			key := op.Input.(registerAccess).key
			byKey[key] = append(byKey[key], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range byKey {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		if a := in.(registerAccess); a.write {
			return true, a.value
		}
		return out == state, state
	},
}

// add makes an access through a puppet and writes it down.
func (h *history) add(p *puppet, client int, a registerAccess) (ok bool) {
	d := deed{Verb: "get", Key: a.key, Value: a.value}
	if a.write {
		d.Verb = "set"
	}
	op := porcupine.Operation{ClientId: client, Input: a, Call: int64(time.Since(h.began))}
	r := p.do(d)
	op.Return, op.Output = int64(time.Since(h.began)), r.Value
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case r.Error == "":
	case !a.write || r.Nothing:
		h.not++
		return false
	default:
		op.Return = unknown
	}
	h.ops = append(h.ops, op)
	return op.Return != unknown
}

// known returns the history without writes of which nobody knows and that nobody has read: these may never have
// been, so that the rest can be explained without them if it can be explained with them.
func (h *history) known() (ops []porcupine.Operation, uncertain, dropped int) {
	read := map[string]bool{}
	for _, op := range h.ops {
		if a := op.Input.(registerAccess); !a.write {
			read[op.Output.(string)] = true
		}
	}
	for _, op := range h.ops {
		if op.Return == unknown {
			uncertain++
			if !read[op.Input.(registerAccess).value] {
				dropped++
				continue
			}
		}
		ops = append(ops, op)
	}
	return ops, uncertain, dropped
}

// run has clients of every puppet write and read until stop: the registers of a phase, so that what is uncertain
// of one burdens no other.
func (h *history) run(ps []*puppet, perPuppet int, phase *atomic.Int64, stop <-chan struct{}) (wait func()) {
	var all sync.WaitGroup
	for i, p := range ps {
		for j := range perPuppet {
			client := i*perPuppet + j
			all.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					a := registerAccess{key: int(phase.Load())*perPhase + rand.N(perPhase), write: rand.N(2) == 0}
					if a.write {
						a.value = fmt.Sprintf("%d/%d", client, n)
					}
					if !h.add(p, client, a) {
						time.Sleep(puppetBeat / 20) // one that is down refuses fast
					}
				}
			})
		}
	}
	return all.Wait
}

const perPhase = 4 // registers

func (h *history) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// until waits until so many operations more are in the history.
func (h *history) until(t *testing.T, more int) {
	t.Helper()
	to := h.count() + more
	eventually(t, fmt.Sprintf("%d operations", to), func() error {
		if n := h.count(); n < to {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
}

// faults are what happens to one of the puppets, the leader half of the time.
var faults = []struct {
	name string
	do   func(t *testing.T, h *history, ps []*puppet, who *puppet)
}{
	{"kill", func(t *testing.T, h *history, _ []*puppet, who *puppet) {
		who.kill()
		h.until(t, 20)
		who.start(t)
	}},
	{"cut", func(t *testing.T, h *history, ps []*puppet, who *puppet) {
		cut(ps, who)
		time.Sleep(4 * puppetBeat) // an election, and both sides in what they believe
		h.until(t, 20)
		cut(ps, nil)
	}},
	{"freeze", func(t *testing.T, h *history, _ []*puppet, who *puppet) {
		who.signal(t, syscall.SIGSTOP)
		time.Sleep(4 * puppetBeat)
		h.until(t, 20)
		who.signal(t, syscall.SIGCONT)
	}},
	{"transfer", func(t *testing.T, h *history, ps []*puppet, _ *puppet) {
		for range 3 {
			for _, p := range ps {
				_ = p.do(deed{Verb: "transfer"}) // who does not lead refuses
			}
			h.until(t, 20)
		}
	}},
}

// victim is the leader, or another.
func victim(ps []*puppet, leader bool) *puppet {
	name := ""
	for _, p := range ps {
		if l := p.do(deed{Verb: "leader"}).Value; l != "" {
			name = l
		}
	}
	i := slices.IndexFunc(ps, func(p *puppet) bool { return (p.Name == name) == leader })
	return ps[max(i, 0)]
}

// askedByLane reports whether a puppet has asked its leader for something by a lane.
func askedByLane(ps []*puppet) bool {
	return slices.ContainsFunc(ps, func(p *puppet) bool {
		r := p.do(deed{Verb: "asked"})
		return r.Error == "" && r.Value != "0"
	})
}

// TestWhatAllDirectorsAnswerIsOneHistory has clients write and read through all directors while these are killed,
// cut off, frozen and made to give leadership away. What they were answered must be explained by registers that
// exist once: every consistent read shows what was confirmed before it, whichever director is asked.
func TestWhatAllDirectorsAnswerIsOneHistory(t *testing.T) {
	t.Parallel()
	rounds, least := 1, 1000
	if os.Getenv("QUORATE_PROOFS") != "" {
		rounds, least = 5, 5000
	}
	n := rounds * len(faults)
	ps := puppets(t, (n+1)*perPhase, false)
	h := &history{began: time.Now()}
	var phase atomic.Int64
	stop := make(chan struct{})
	wait := h.run(ps, 3, &phase, stop)
	byLane := false
	for i := range n {
		f := faults[i%len(faults)]
		phase.Add(1)
		h.until(t, 50)
		who := victim(ps, (i/len(faults)+i)%2 == 0)
		f.do(t, h, ps, who)
		whole(t, ps)
		byLane = byLane || askedByLane(ps)
	}
	for h.count() < least {
		h.until(t, 50)
	}
	if !byLane && !askedByLane(ps) {
		t.Error("nothing was asked by a lane: what is found holds for requests only")
	}
	close(stop)
	wait()
	for key := range (n + 1) * perPhase { // what was confirmed is there to the end
		for i, p := range ps {
			if !h.add(p, i, registerAccess{key: key}) {
				t.Errorf("%s cannot be read at the end", p.Name)
			}
		}
	}
	ops, uncertain, dropped := h.known()
	checked := time.Now()
	verdict := porcupine.CheckOperationsTimeout(registers, ops, 2*time.Minute)
	t.Logf("%d operations in %v, %d of them uncertain (%d never seen again), %d had no effect; %d faults; checked in %v",
		len(h.ops), checked.Sub(h.began).Round(time.Millisecond), uncertain, dropped, h.not, n, time.Since(checked).Round(time.Millisecond))
	if verdict != porcupine.Ok {
		t.Errorf("no one register explains the history: %v", verdict)
	}
}

// The control: directors that serve what they have as what is agreed are found.
func TestWithoutAskingTheLeaderAStaleReadIsFound(t *testing.T) {
	t.Parallel()
	ps := puppets(t, perPhase, true)
	h := &history{began: time.Now()}
	who := victim(ps, false)
	for key := range perPhase {
		h.add(victim(ps, true), 0, registerAccess{key, true, "before"})
	}
	cut(ps, who)
	eventually(t, "one is written meanwhile", func() error {
		if !h.add(victim(ps, true), 0, registerAccess{0, true, fmt.Sprint("after ", h.count())}) {
			return errors.New("not yet")
		}
		return nil
	})
	if !h.add(who, 1, registerAccess{key: 0}) {
		t.Fatal("who is cut off does not read")
	}
	cut(ps, nil)
	ops, _, _ := h.known()
	if porcupine.CheckOperations(registers, ops) {
		t.Errorf("a read of %q after another value was confirmed is taken for one of what is agreed", ops[len(ops)-1].Output)
	}
}
