package ownership

import (
	"fmt"
	"slices"
	"time"
)

// Machine is what one director does about the ownership of one group, beside VRRP: it carries out the moves
// that the log wants to it, guards a Backup that hears nobody, claims from the dead before the timer does,
// settles with another owner that it does not hear, and answers what other directors ask. It does no I/O,
// starts no goroutine and reads no clock.
//
// What it does goes on side by side, each in a file of its own: take.go, quiet.go, dead.go, contest.go and
// answer.go. What is waited for is a func that is called with the outcome.
type Machine struct {
	last    uint64 // ID
	waiting map[uint64]func(*step, Done)
	timers  []timer

	claiming bool // the keeper was told to claim, and has not answered
	taking   *take
	quiet    quiet
	dead     dead
	proof    proof
	contests map[string]*contest // by the other owner
	// contenders are those that asked as an owner while this director was one, or said that they are.
	contenders map[string]contender
	answered   map[string]answered // by router
	fresh      fresh
	away       map[spot]bool   // who did not answer when it was looked at last
	lost       map[string]bool // of each that has reported, whether its reports have come to an end
	died       map[string]bool // who was silent on every path then
	began      bool            // the keeper has said what it is to the group

	ousted  ousted
	unheard bool // those that are not heard were asked a moment ago

	part      part
	records   Records
	claimed   string // why this director has claimed the group, while the log has not named it since
	claimedAt time.Time
}

type timer struct {
	at time.Time
	do func(*step)
}

// step is one Step: what is known in it, and what came out so far.
type step struct {
	*Machine
	Facts
	now     time.Time
	actions []Action
}

// NewMachine returns a machine that knows nothing yet.
func NewMachine() *Machine {
	return &Machine{waiting: map[uint64]func(*step, Done){}, contests: map[string]*contest{}, contenders: map[string]contender{}, answered: map[string]answered{}, away: map[spot]bool{}, died: map[string]bool{}, lost: map[string]bool{}}
}

// Deadline returns when the machine wants to Look though no fact has changed; zero for never.
func (m *Machine) Deadline() time.Time {
	var first time.Time
	for _, t := range m.timers {
		if first.IsZero() || t.at.Before(first) {
			first = t.at
		}
	}
	return first
}

// Claimed says why this director has claimed the group, as long as the log has not named it for that; else "".
func (m *Machine) Claimed() string { return m.claimed }

// Step advances the machine by one event at time now, with what is known then, and returns what is to be done.
func (m *Machine) Step(now time.Time, f Facts, ev Event) []Action {
	s := &step{Machine: m, Facts: f, now: now}
	switch ev := ev.(type) {
	case Done:
		if do := m.waiting[ev.ID]; do != nil {
			delete(m.waiting, ev.ID)
			do(s, ev)
		}
	case Asked:
		s.answer(ev)
	case Fenced:
		s.fenced()
	}
	if s.Log.Owner == s.Self || s.Keeper.Part != Owner && now.Sub(s.claimedAt) > time.Second { // the keeper may tell a moment later
		s.claimed = ""
	}
	s.lookPart()
	s.lookOusted()
	s.lookBegun()
	s.ring()
	s.lookTake()
	s.lookTaker()
	s.lookQuiet()
	s.lookDead()
	s.lookUnheard()
	s.lookContest()
	s.lookProof()
	s.lookReturned()
	s.lookDied()
	s.lookFresh()
	return s.actions
}

// ring calls what is due, in the order in which it became so.
func (s *step) ring() {
	slices.SortStableFunc(s.timers, func(a, b timer) int { return a.at.Compare(b.at) })
	for len(s.timers) > 0 && !s.timers[0].at.After(s.now) {
		t := s.timers[0]
		s.timers = s.timers[1:]
		t.do(s)
	}
}

// after has do called once d has passed.
func (s *step) after(d time.Duration, do func(*step)) {
	s.timers = append(s.timers, timer{s.now.Add(d), do})
}

// begin begins an action.
func (s *step) begin(a Action) { s.actions = append(s.actions, a) }

// await begins an action of which the outcome matters. Make is given the ID.
func (s *step) await(make func(id uint64) Action, then func(*step, Done)) {
	s.last++
	s.waiting[s.last] = then
	s.begin(make(s.last))
}

// tell has people told of something.
func (s *step) tell(kind, text string) {
	s.decided(kind, text)
	s.begin(Tell{Kind: kind, Text: text})
}

// warn is tell, of something that somebody should look at.
func (s *step) warn(kind, text string) {
	s.decided(kind, text)
	s.begin(Tell{Kind: kind, Text: text, Alarm: true})
}

// ask asks one member.
func (s *step) ask(to string, q Question, within time.Duration, then func(*step, Done)) {
	s.await(func(id uint64) Action { return Ask{id, to, within, q} }, then)
}

// attests is the question what another knows of the group.
func (s *step) attests() Question {
	epoch, named := s.known()
	return Question{Kind: Attest, Epoch: epoch, Named: named, Owns: s.Keeper.Part == Owner, Place: s.place()}
}

// survey asks members and the segments of routers, all at once. Then is called once with all that was said:
// words by member, without those that did not answer, and segments by router. Each, if any, is called with
// each word at once, of which the last may be what was waited for.
func (s *step) survey(members, routers []string, within time.Duration, each eachWord, then surveyed) {
	s.surveyEach(members, routers, within, each, nil, then)
}

type (
	eachWord func(s *step, from string, word Attestation, last bool)
	surveyed func(s *step, words map[string]Attestation, segments map[string]Segment)
)

// surveyEach is survey. Answered, if any, is called with what the segments say at once.
func (s *step) surveyEach(members, routers []string, within time.Duration, each eachWord, answered func(s *step, segments []Segment, last bool), then surveyed) {
	words, segments := map[string]Attestation{}, map[string]Segment{}
	open := len(members)
	if len(routers) > 0 {
		open++
	}
	done := func(s *step) {
		if open--; open == 0 {
			then(s, words, segments)
		}
	}
	for _, name := range members {
		s.ask(name, s.attests(), within, func(s *step, d Done) {
			if d.Err == nil {
				words[name] = d.Word
				if each != nil {
					each(s, name, d.Word, open == 1)
				}
			}
			done(s)
		})
	}
	if len(routers) > 0 {
		s.await(func(id uint64) Action { return Probe{id, routers, within} }, func(s *step, d Done) {
			s.note(d.Segments)
			for _, seg := range d.Segments {
				segments[seg.Router] = seg
			}
			if answered != nil {
				answered(s, d.Segments, open == 1)
			}
			done(s)
		})
	}
	if open == 0 {
		then(s, words, segments)
	}
}

// routers are the names of all routers of the group.
func (f Facts) routers() []string {
	var names []string
	for _, r := range f.Keeper.Routers {
		names = append(names, r.Name)
	}
	return names
}

// others are the names of all other members, but some.
func (f Facts) others(but ...string) []string {
	var names []string
	for _, m := range f.Members {
		if !slices.Contains(but, m.Name) {
			names = append(names, m.Name)
		}
	}
	return names
}

// claim has the keeper take the group, which the log has not ordered.
func (s *step) claimFor(reason string) {
	epoch := s.Log.Epoch
	s.claim(func(s *step, d Done) {
		if d.Err != nil {
			s.warn("claim", fmt.Sprintf("%s not claimed: %v", s.Group, d.Err))
			return
		}
		if s.Log.Epoch == epoch {
			s.claimed, s.claimedAt = reason, s.now
		}
		s.tell("claim", fmt.Sprintf("%s claims %s: %s", s.Self, s.Group, reason))
	})
}

// claim has the keeper take the group.
func (s *step) claim(then func(*step, Done)) {
	s.claiming = true
	s.await(func(id uint64) Action { return Claim{id, ClaimPriority(s.toBeat())} }, func(s *step, d Done) {
		s.claiming = false
		then(s, d)
	})
}
