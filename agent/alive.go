package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agent/groups"
	"github.com/quorate/quorate/agent/liveness"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/director/suspend"
	"github.com/quorate/quorate/fsm"
)

// mute is for how long an agent may say nothing, while its machine is there, before people are told.
const mute = 5 * time.Second

// alive is what this director knows of who else is there.
type alive struct {
	tracker *liveness.Tracker
	pulse   *liveness.Pulse
	watcher *probe.Watcher
	asked   []probe.Target // what the watcher asks; it belongs to follow
}

// pulseDead is how long a pulse may go unacknowledged before its stream is given up: after an outage, a new connection
// is there long before the kernel would try the old one again.
const pulseDead = time.Second

// newAlive prepares what looks after the others.
func (s *session) newAlive() {
	s.alive.tracker = liveness.NewTracker(time.Now(), s.cfg.Liveness, suspend.NewClock().SinceLast)
	s.alive.tracker.OnReturn(s.returned)
	s.alive.tracker.OnReach(func() { s.groups.Poke() })
	s.alive.pulse = liveness.New(liveness.Config{
		Members: s.others,
		Open: func(ctx context.Context, member string) (net.Conn, error) {
			conn, err := s.node.Stream(ctx, member, "/peer/pulse", pulseDead)
			if err == nil {
				s.tellings.forget(member)
				poke(s.tellNow)
			}
			return conn, err
		},
		Tracker: s.alive.tracker,
		Beat:    func() { s.groups.Beat() },
		Word:    func() uint32 { return s.tellings.stands(time.Now()) },
		Said:    func(member string, word uint32) { s.reports.renew(member, word, time.Now()) },
		Log:     s.log,
	})
	s.reports.reaches = s.alive.pulse.Reaches
	s.alive.watcher = probe.NewWatcher(probe.WatchConfig{
		Every:    s.cfg.Liveness,
		Asked:    s.alive.tracker.Asked,
		Answered: s.alive.tracker.Answered,
		Ran:      s.alive.tracker.Ran,
		Ended:    s.alive.tracker.Ended,
	})
	s.alive.tracker.BeforeDoubt(s.alive.watcher.Look)
}

// watchSegments has the segments asked for the members as they are now.
func (s *session) watchSegments() {
	state, runs := s.node.State(), s.keeper.Status()
	var targets []probe.Target
	for _, g := range runs.Groups {
		for _, r := range g.Routers {
			for name, m := range state.Members {
				if name != s.cfg.Name {
					targets = append(targets, targetsOf(r, m)...)
				}
			}
		}
	}
	slices.SortFunc(targets, probe.Target.Compare)
	if targets = slices.Compact(targets); slices.Equal(targets, s.alive.asked) {
		return
	}
	s.alive.asked = targets
	s.alive.tracker.Watch(targets)
	s.alive.watcher.Set(targets)
}

// others are the names of all other members.
func (s *session) others() []string {
	var names []string
	for name := range s.node.State().Members {
		if name != s.cfg.Name {
			names = append(names, name)
		}
	}
	return names
}

// servePulse takes another director's stream.
func (s *session) servePulse(w http.ResponseWriter, r *http.Request) {
	name, ok := cluster.Peer(r.Context())
	if !ok {
		http.Error(w, "not a member", http.StatusForbidden)
		return
	}
	conn, err := port.TakeStream(w, r)
	if err != nil {
		s.log.Debug("stream not taken", "from", name, "err", err)
		return
	}
	s.alive.pulse.Receive(name, conn)
}

// onTime reports whether this process ran when it should have: what was not heard was not said.
func (s *session) onTime(now time.Time) bool { return s.alive.tracker.OnTime(now) }

// apart reports whether any other director has not been heard for as long as an owner must be silent not to be asked before
// a claim: it may claim here without having asked. The others may not have heard this one for as long where it has stood still.
func (s *session) apart() bool { return s.apartFrom(director.Candidates(s.node.State()), time.Now()) }

func (s *session) apartFrom(directors []string, now time.Time) bool {
	if now.Sub(s.alive.tracker.Thawed(muteAfter(s.cfg.Liveness), now)) < ownership.Mute {
		return true
	}
	return slices.ContainsFunc(directors, func(name string) bool {
		return name != s.cfg.Name && s.usual(s.alive.tracker.Unheard(name, now)) >= ownership.Mute
	})
}

// muteAfter is how late this director's beats may be before another can have found it mute, which counts from the last beat
// that came: that was due a beat before, and may have taken another one to come.
func muteAfter(every time.Duration) time.Duration { return scaled(every, ownership.Mute) - 2*every }

// suspects returns when to look again because a member has just missed a word, or an answer: it is about to count as gone, or was
// late. 0: none has.
func (s *session) suspects(now time.Time) time.Duration {
	again, every := time.Duration(0), s.cfg.Liveness
	silent := []time.Duration{s.alive.tracker.Doubted(every*3/2, now)} // of those whose agents may have been silent for long
	for _, name := range s.others() {
		silent = append(silent, s.alive.tracker.Unheard(name, now))
	}
	for _, d := range silent {
		if d <= every*3/2 || d >= 10*every {
			continue
		}
		next := every / 2
		if left := scaled(every, ownership.GoneAfter) - d; left > 0 && left < next {
			next = left + time.Millisecond // what its machine says last is a moment younger
		}
		if again == 0 || next < again {
			again = next
		}
	}
	return again
}

// silence is for how long nothing came from a member's agent over the cluster port, and for how long its own
// address has not answered on the segment of each router of a group, in the order of the configuration:
// negative where it has none, or was not asked yet. It is told in beats of the usual length: who is asked more rarely
// is silent for longer before it counts.
func (s *session) silence(member fsm.Member, g fsm.Group, own keeper.GroupStatus, now time.Time) (unheard time.Duration, unreached []time.Duration) {
	for _, r := range g.Routers {
		reached := time.Duration(-1)
		if i := slices.IndexFunc(own.Routers, func(st keeper.RouterStatus) bool { return st.Name == r.Name }); i >= 0 {
			reached = s.usual(s.alive.tracker.Unreached(targetsOf(own.Routers[i], member), now))
		}
		unreached = append(unreached, reached)
	}
	return s.usual(s.alive.tracker.Unheard(member.Name, now)), unreached
}

// scaled is a silence with beats of some length that counts as long as one with beats of the usual length.
func scaled(every, usual time.Duration) time.Duration { return usual / config.DefaultLiveness * every }

// usual is a silence as it would be with beats of the usual length.
func (s *session) usual(d time.Duration) time.Duration {
	if d < 0 {
		return d
	}
	return time.Duration(float64(d) * float64(config.DefaultLiveness) / float64(s.cfg.Liveness))
}

// muteAgents names the members whose machines answer on a segment, and whose agents say nothing, those where nothing listens, and
// those that reach this director and are not reached; of those that cannot prove themselves the reason is told anyway.
func (s *session) muteAgents(live map[string]received, unproved map[string]string, now time.Time) []string {
	state := s.node.State()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(state.Members)) {
		if _, reports := live[name]; reports || name == s.cfg.Name || s.reports.stopped(name, now) || unproved[name] != "" {
			continue
		}
		if s.alive.pulse.OneWay(name) {
			out = append(out, oneWay(name, s.cfg.Name, state.Members[name].Address.String()))
			continue
		}
		if why := s.muteAgent(state, name, now); why != "" {
			out = append(out, why)
		}
	}
	return out
}

// muteAgent says why a member's agent is silent, as far as that is known. That nothing listens needs no silence that was listened
// to on time, which a busy host may not have for long.
func (s *session) muteAgent(state *fsm.State, name string, now time.Time) string {
	failed := s.alive.pulse.Failed(name)
	for _, g := range state.Config.Groups() {
		own, _ := s.keeper.Status().Group(g.Name)
		unheard, unreached := s.silence(state.Members[name], g, own, now)
		if why := muteAgent(name, g, unheard, unreached, failed); why != "" {
			return why
		}
	}
	if errors.Is(failed, unix.ECONNREFUSED) {
		return name + " is not reached on the cluster port: " + whyMute(name, failed)
	}
	return ""
}

// oneWay says that a member is not reached which reaches this one.
func oneWay(name, self, address string) string {
	return fmt.Sprintf("%s reaches %s on the cluster port, but %s does not answer at %s: the path is cut one way, so %s takes no part",
		name, self, name, address, name)
}

// muteAgent says that a member's machine answers on a segment, and its agent does not; failed is why its cluster port was not
// reached the last time.
func muteAgent(name string, g fsm.Group, unheard time.Duration, unreached []time.Duration, failed error) string {
	for i, d := range unreached {
		if unheard >= mute && d >= 0 && d < time.Second {
			return fmt.Sprintf("the machine of %s answers on the segment of %s, but its agent has said nothing on the cluster port for %v: %s",
				name, g.Routers[i].Name, unheard.Truncate(time.Second), whyMute(name, failed))
		}
	}
	return ""
}

// whyMute says what may be wrong, by what became of the last connection to the member's cluster port.
func whyMute(name string, failed error) string {
	if errors.Is(failed, unix.ECONNREFUSED) {
		return "nothing listens there, so it does not run, or it is in no cluster, as one that has lost its data: `quorate status` on " + name + " says which"
	}
	return "it is stopped or hangs, or that path is cut"
}

// targetsOf are the addresses by which a member is asked for on the segment of a router: none while the
// router cannot work, because then it is this host that is cut off.
func targetsOf(r keeper.RouterStatus, m fsm.Member) []probe.Target {
	if !r.Source.IsValid() || r.Fault != "" {
		return nil
	}
	own := groups.OnLink(r, m.Sources)
	if global := slices.DeleteFunc(slices.Clone(own), netip.Addr.IsLinkLocalUnicast); len(global) > 0 {
		own = global // an address of the link's own kind may be that of another link
	}
	var out []probe.Target
	for _, a := range own {
		out = append(out, probe.Target{Interface: r.Interface, Source: r.Source, Address: a})
	}
	return out
}
