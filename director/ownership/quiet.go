package ownership

import (
	"fmt"
	"slices"
	"time"
)

const (
	// surveyLimit is how long members and the segment may take for an answer at most. A timer that is faster
	// than the answers is not waited for: then the standard has its way.
	surveyLimit = 300 * time.Millisecond
	// releaseWait is how long an owner that is cut off may take to let go, before it is claimed from.
	releaseWait = 100 * time.Millisecond
	// beforeEnd is how long before the addresses of a frozen owner may end it is claimed from.
	beforeEnd = 50 * time.Millisecond
	// justConceded is for how long it is known without asking that another owns a group.
	justConceded = time.Second
)

// quiet is what is done while the owner is not heard on some router.
type quiet struct {
	busy  bool      // a survey is under way, or the next one waits
	rests bool      // the next one waits
	asked []string  // the routers that were silent when the last one was begun
	fell  []string  // who was heard on them last
	count int       // of surveys
	begun time.Time // when the last one was
	past  bool      // somebody was heard since then: what it finds is of before
	again bool      // a survey was made since the first router fell silent
	held  bool      // the keeper was told to hold its timer
	until time.Time // it does so until then at most
	free  time.Time // it is not told so again before

	conceded time.Time // when the group was given up to an owner that is not heard
	owned    []string  // who owned the group by its report when the last survey was begun
	epoch    uint64    // that the log had it in then
	lives    string    // who said last that it owns the group, which its keeper had confirmed
	lived    time.Time // when it did
	mute     spell     // since when nobody hears anything of the agent of an owner whose kernel served it when the last survey was made
	alone    time.Time // since when this director is cut off, while another could own the group, and nobody owns or serves it
	outlives time.Time // since when the kernel of one that does not own it serves meanwhile, on a segment that this director is on
	outlived []string  // whose kernels have, in this silence
	relief   spell     // since when nobody on the segment reaches an owner
	owner    bool      // this director owned the group at the last look
	taker    string    // who took the group from this director by a claim, and has not been heard on all routers since
	cut      bool      // this director reaches nobody on some silent segment: it could not serve there
	denies   []string  // who answered the last survey, and neither owns the group nor serves it here
	kernels  []string  // whose kernels served it here when the last survey was made
	half     spell     // since when an owner that is silent serves on one segment of the group, and nobody on another
	suspect  string    // the owner that was found cut off the last time
	choice   *Guarding // what was decided last; nil: nothing is silent
	told     Choice    // what people were told of last, of what the looks said
}

// Deaf says why the owner of the group is not heard here, or is empty.
func (m *Machine) Deaf() string {
	if g := m.quiet.choice; g != nil && g.Choice != Take {
		return g.Reason
	}
	return ""
}

// Found names who owns the group though it is not heard here, by its own word, by its adverts elsewhere or because its kernel
// answers for the address; "" where nobody is known to.
func (m *Machine) Found() string {
	if g := m.quiet.choice; g != nil && g.Choice != Take {
		return g.Owner
	}
	return ""
}

// silent are the routers that are Backup and hear nobody.
func (f Facts) silent() []string {
	var names []string
	for _, r := range f.Keeper.Routers {
		if f.Keeper.Part == Standby && r.Silent {
			names = append(names, r.Name)
		}
	}
	return names
}

// lastHeard are the members that were heard last as Active on some routers.
func (f Facts) lastHeard(routers []string) []string {
	var names []string
	for _, r := range f.Keeper.Routers {
		if r.Heard != "" && slices.Contains(routers, r.Name) {
			names = append(names, r.Heard)
		}
	}
	return names
}

// lookQuiet looks after a group whose owner is not heard here, from the second silent interval on, again and
// again, until it is heard or the group is taken. A survey may wait for the dead while another owner takes over and is heard:
// when that one is silent as well, all are asked anew, as they are where somebody is heard and falls silent while the next survey
// waits. So are they at once when another is known to have taken it since the last survey: that one knew of an owner before it,
// and may hold the timer no longer than that one's kernel serves.
func (s *step) lookQuiet() {
	silent := s.silent()
	if len(silent) == 0 {
		s.quiet.past = s.quiet.busy
		s.quiet.again, s.quiet.asked, s.quiet.alone, s.quiet.outlived = false, nil, time.Time{}, nil
		s.quiet.half, s.quiet.mute = spell{}, spell{}
		s.release()
		if s.quiet.choice != nil {
			s.endQuiet()
			s.quiet.choice, s.quiet.suspect, s.quiet.told, s.quiet.relief = nil, "", Take, spell{}
		}
		return
	}
	s.anew()
	late := s.quiet.again && slices.ContainsFunc(silent, func(r string) bool { return !slices.Contains(s.quiet.asked, r) })
	past := s.quiet.past && s.now.Sub(s.quiet.begun) >= surveyLimit/3
	taken := s.taken() && s.quiet.until.Before(s.now.Add(s.Keeper.Interval+surveyLimit)) // else the next survey is over before the hold
	if s.quiet.busy && !(s.quiet.rests && (late || taken)) && !past {
		return
	}
	s.quiet.busy, s.quiet.rests, s.quiet.past, s.quiet.asked, s.quiet.begun = true, false, false, silent, s.now
	s.quiet.fell = s.lastHeard(silent)
	s.quiet.count++
	if late && s.quiet.until.Before(s.now.Add(surveyLimit)) {
		s.quiet.again = false // the timer of one that is silent only since then is as near as that of the first was
	}
	begun, within, count := s.now, s.holdForSurvey(taken), s.quiet.count
	s.quiet.again = true
	s.quiet.owned, s.quiet.epoch = s.owners(), s.Log.Epoch
	newest := func(s *step) bool { return s.quiet.count == count } // else another one has been begun since, which asks anew
	heard := func(s *step, from string, word Attestation, last bool) {
		if newest(s) {
			s.heard(from, word, last)
		}
	}
	found := func(s *step, segments []Segment, last bool) {
		if newest(s) {
			s.found(segments, last)
		}
	}
	s.surveyEach(s.others(), silent, within, heard, found, func(s *step, words map[string]Attestation, segments map[string]Segment) {
		if !newest(s) {
			return
		}
		pause := s.Keeper.Interval
		still := slices.DeleteFunc(s.silent(), func(r string) bool { return !slices.Contains(silent, r) })
		if len(still) > 0 && !s.quiet.past {
			pause = s.guard(still, words, segments)
		}
		s.quiet.rests = true
		s.after(max(begun.Add(pause).Sub(s.now), surveyLimit/3), func(s *step) {
			if newest(s) {
				s.quiet.busy = false
			}
		})
	})
}

// holdForSurvey holds the timer where a survey that begins must be over before it fires, and returns how long the survey may take.
func (s *step) holdForSurvey(taken bool) (within time.Duration) {
	switch {
	case s.quiet.again && taken && s.quiet.until.Before(s.now.Add(surveyLimit)):
		s.hold(surveyLimit)
	case s.quiet.again:
	case s.now.Sub(s.quiet.conceded) < justConceded: // it is known that somebody owns it
		s.hold(surveyLimit)
	default: // an answer that comes after the timer is of no use, but where that is held
		return min(surveyLimit, max(s.Keeper.Interval/2, 20*time.Millisecond))
	}
	return surveyLimit
}

// release ends a hold.
func (s *step) release() {
	if s.quiet.held {
		s.quiet.held, s.quiet.until = false, time.Time{}
		s.begin(HoldTimer{})
	}
}

// endQuiet has people told that an alarm has ended: its owner is heard again, or another that owns the group by now. Who owns the
// group itself, or cannot own it, is not waiting for that any more, and its keeper tells so.
func (s *step) endQuiet() {
	if s.quiet.told == Take || s.Keeper.Part != Standby {
		return
	}
	for _, r := range s.Keeper.Routers {
		if r.hears() != "" {
			text := r.hears() + " is heard again"
			if r.hears() != s.quiet.choice.Owner && !slices.Contains(s.quiet.fell, r.hears()) {
				text = r.hears() + " owns it now, and is heard"
			}
			s.begin(Tell{Kind: "guard", Text: fmt.Sprintf("%s on %s: %s", s.Group, s.Self, text)})
			return
		}
	}
}

// guard acts on a survey, and returns when to make the next one.
func (s *step) guard(silent []string, words map[string]Attestation, segments map[string]Segment) (pause time.Duration) {
	var all []Guarding
	for _, router := range silent {
		seg, asked := segments[router]
		if !asked {
			all = append(all, s.unasked(words))
			continue
		}
		all = append(all, Guard(s.words(router, words, seg), seg.Gateway))
	}
	g, pause := Worst(all), s.Keeper.Interval
	worst := silent[slices.Index(all, g)]
	if name := s.ownsSince(words); (g.Choice == Take || g.Choice == Linger) && name != "" {
		g = Guarding{Hold, name, name + " has just taken it"}
	}
	switch {
	case g.Choice != Relieve:
		s.quiet.suspect, s.quiet.relief = "", spell{}
	case g.Owner != s.quiet.suspect: // in a move, the segment may have answered before it and the member after it
		s.quiet.suspect, pause = g.Owner, 0
		g.Choice = Hold
	}
	s.quiet.denies, s.quiet.kernels = denials(words, segments), s.kernels(segments)
	g = s.halved(s.waits(g), silent, all, segments)
	s.quiet.cut = unreached(silent, segments) != ""
	s.lookSilence(g, words)
	if g.Choice == Hold && s.servesFor(g.Owner) { // it serves here by now
		s.quiet.free = time.Time{}
	}
	fresh := g.Choice != s.quiet.told
	s.quiet.choice, s.quiet.told = &g, g.Choice
	if fresh && g.Choice != Take {
		s.warn("guard", fmt.Sprintf("%s on %s: %s", s.Group, s.Self, g.Reason))
	}
	switch g.Choice {
	case Hold, CutOff:
		s.hold(s.holdFor())
	case Linger:
		s.outlive(&g)
	case Relieve:
		s.hold(s.holdFor()) // a claim is not held
		s.quiet.relief.of(g.Owner, s.now)
		s.relieve(g.Owner, worst, s.muteToMost(g.Owner, words))
	case Take:
		s.release()
	}
	return pause
}

// waits leaves a group that nobody owns to one that could serve on its segments, where this director is cut off: for as
// long as that one needs, and no longer, for it may be cut off, too. That one waits as long as the kernel of an owner whose agent is
// silent may serve, and who took over from it here would end that on all segments.
func (s *step) waits(g Guarding) Guarding {
	if g.Choice != CutOff || g.Owner != "" {
		s.quiet.alone, s.quiet.outlived = time.Time{}, nil
		return g
	}
	if s.lasts() {
		s.quiet.alone = time.Time{}
		return g
	}
	limit := s.holdFor()
	if s.quiet.alone.IsZero() {
		s.quiet.alone = s.now
		s.after(limit, (*step).waited)
	}
	if s.now.Sub(s.quiet.alone) >= limit {
		return Guarding{Take, "", "no member owns it"}
	}
	return g
}

// lasts reports whether a kernel serves on a segment that is silent here, as long as its addresses may last since that was found
// first: an answer that is lost meanwhile begins nothing anew, but the kernel of another one does.
func (s *step) lasts() bool {
	known := func(name string) bool { return slices.Contains(s.quiet.outlived, name) }
	switch {
	case len(s.quiet.kernels) == 0:
		return false
	case !slices.ContainsFunc(s.quiet.kernels, known):
		s.quiet.outlives, s.quiet.outlived = s.now, append(s.quiet.outlived, s.quiet.kernels...)
	}
	return s.now.Sub(s.quiet.outlives) < s.Keeper.Lifetime
}

// waited ends that at once, and not at the end of the next survey: that may wait for who does not answer.
func (s *step) waited() {
	if g := s.quiet.choice; g == nil || s.quiet.alone.IsZero() || s.waits(*g).Choice != Take {
		return
	}
	s.quiet.choice = &Guarding{Take, "", "no member owns it"}
	s.release()
}

// ownsSince returns a member that answered a survey and has reported since then that it owns the group, or "". What
// one reported before it may be over: that its keeper does not own the group any more is what the survey found. One that
// is not on the segment does not serve there, whatever it has taken.
func (s *step) ownsSince(words map[string]Attestation) string {
	for _, m := range s.Members {
		if _, answered := words[m.Name]; answered && s.tookSince(m) {
			return m.Name
		}
	}
	return ""
}

// tookSince reports whether a member on the segment has reported that it owns the group, and had not when the last survey
// was begun.
func (s *step) tookSince(m Member) bool {
	return m.Alive && m.Part == Owner && s.near(m) && !slices.Contains(s.quiet.owned, m.Name)
}

// taken reports whether another on the segment has taken the group since the last survey was begun, by its report or because
// the log names it since then.
func (s *step) taken() bool {
	m, other := s.member(s.Log.Owner)
	return slices.ContainsFunc(s.Members, s.tookSince) || other && s.Log.Epoch > s.quiet.epoch && m.Unheard < GoneAfter && s.near(m)
}

// anew holds the timer until the next survey when a member is known to have taken the group, which had not when
// the last one was begun: that one may have waited for the dead meanwhile. It holds it though the timer was let go shortly before
// that, for the owner before.
func (s *step) anew() {
	if !s.taken() {
		return
	}
	s.quiet.free = time.Time{}
	if s.quiet.again && s.quiet.until.Before(s.now.Add(surveyLimit/2)) {
		s.hold(surveyLimit)
	}
}

// holdFor is for how long a look holds the timer: the next one is over by then, though it waits for the dead. No look holds it
// for longer: the owner may die after it, and so may the control that made it, and nothing but the timer ends that.
func (f Facts) holdFor() time.Duration { return 2*f.Keeper.Interval + 2*surveyLimit }

// hold keeps the timer from firing for a while.
func (s *step) hold(d time.Duration) {
	if s.now.Before(s.quiet.free) {
		return
	}
	s.quiet.held, s.quiet.until = true, s.now.Add(d)
	s.begin(HoldTimer{d})
}

// heard takes a word of a survey at once. The timer waits until that is over once a member says that it owns the
// group: whether it serves is known when the segment has answered, which waits for the dead.
func (s *step) heard(from string, word Attestation, last bool) {
	if !word.Owns {
		return
	}
	s.quiet.lives, s.quiet.lived = from, s.now
	s.rejoined(from)
	if !last && len(s.silent()) > 0 && s.quiet.until.Before(s.now.Add(surveyLimit)) {
		s.hold(surveyLimit)
	}
}

// found takes what the segments answered at once: the timer waits until the survey is over where somebody serves who did not
// before, and it may fire before that, since adverts are that frequent.
func (s *step) found(segments []Segment, last bool) {
	if g := s.quiet.choice; last || g == nil || g.Choice != Take || s.quiet.half.owner != "" || s.Keeper.Interval >= 2*surveyLimit {
		return
	}
	serves := func(seg Segment) bool {
		owner := s.lastOwner(s.index(seg.Router))
		return seg.Serves != "" || seg.Virtual && owner != "" && slices.Contains(seg.Reached, owner)
	}
	if len(s.silent()) > 0 && slices.ContainsFunc(segments, serves) && s.quiet.until.Before(s.now.Add(surveyLimit)) {
		s.hold(surveyLimit)
	}
}

// words joins what members say and what the segment answers. Who cannot be asked and is heard on another router owns the group.
func (s *step) words(router string, said map[string]Attestation, seg Segment) []Word {
	index := s.index(router)
	last := s.lastOwner(index)
	var words []Word
	for _, m := range s.Members {
		a, answers := said[m.Name]
		w := Word{Name: m.Name, Answers: answers, Owns: s.owns(said, m.Name), Serves: seg.Serves == m.Name, Able: m.able() && m.looked(index), Suspect: s.quiet.suspect == m.Name}
		if index < len(a.Hears) {
			w.Hears = a.Hears[index]
		}
		for _, name := range seg.Reached {
			w.Reached = w.Reached || name == m.Name
		}
		w.Serves = w.Serves || w.Reached && seg.Virtual && (w.Owns || last == m.Name)
		words = append(words, w)
	}
	return words
}

// lastOwner returns who owned the group last as far as this director knows: by an advert on a router, or by its own word
// since then. "" if nobody is known to have.
func (s *step) lastOwner(router int) string {
	if router >= len(s.Keeper.Routers) {
		return ""
	}
	r := s.Keeper.Routers[router]
	if s.quiet.lives != "" && (r.Heard == "" || s.now.Sub(s.quiet.lived) < r.Age) {
		return s.quiet.lives
	}
	return r.Heard
}

// index returns the place of a router in the configuration.
func (f Facts) index(router string) int {
	for i, r := range f.Keeper.Routers {
		if r.Name == router {
			return i
		}
	}
	return len(f.Keeper.Routers)
}
