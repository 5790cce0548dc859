package keeper

import (
	"slices"
	"time"

	"github.com/quorate/quorate/director/address"
)

// pass is one time that the worker does all that is due. All routers are served together, so that
// five hundred of them cost the kernel as many calls as one.
type pass struct {
	worker  *worker
	wants   map[identity]want
	now     time.Time
	tasks   []*task
	present map[address.Address]time.Duration // read when first needed
	paths   *address.Paths                    // likewise
}

// task is the part of one router in a pass.
type task struct {
	id    identity
	v     want
	h     *holding
	fresh bool // own was called again
	// left says that the task ends here, for now: it failed, the addresses lapsed, or the loop hangs.
	left bool
	// waits says that not all was done that could be, with no error.
	waits    bool
	err      error
	restored []address.Address
	lost     address.Paths // restored too
	lapsed   bool
	renewed  bool // all addresses have a new lifetime
	pathNews bool // another error of routes and rules than before
	due      []address.Address
	before   []slot // of those that are due, as they were
}

// begin takes a router into the pass.
func (p *pass) begin(id identity, v want, h *holding) {
	t := &task{id: id, v: v, h: h, fresh: v.granted != h.granted}
	h.retry, h.quiet = time.Time{}, v.quiet
	if t.fresh || v.check != h.check {
		h.pathRetry = time.Time{}
	}
	if t.fresh {
		h.lapsed = false
	}
	p.tasks = append(p.tasks, t)
}

// serve does what is due for the routers of the pass.
func (p *pass) serve() {
	for _, t := range p.tasks {
		p.look(t)
		if !t.left {
			t.h.granted = t.v.granted
		}
		t.left = t.left || t.h.lapsed
	}
	p.removePaths()
	p.remove()
	for _, t := range p.tasks {
		if !t.left && p.worker.stale(t.v, p.now) {
			t.left, t.waits, t.h.retry = true, true, p.now.Add(staleAfter)
		}
	}
	p.renew()
	p.renewPaths()
	p.speak()
}

// fail ends a task for now.
func (p *pass) fail(t *task, err error) {
	t.left, t.err = true, err
	t.h.retry = p.now.Add(retryAfter)
	if text := err.Error(); text != t.h.lastError {
		p.worker.log.Error("keep addresses", "router", t.id, "err", text)
	}
}

// look compares with the kernel where that was asked for, and where the addresses were not renewed
// before the end of their lifetime: the process was frozen, and somebody else may have them by now.
// What is missing is added again if that is granted.
func (p *pass) look(t *task) {
	late := len(t.h.slots) > 0 && !t.h.lapsed && !t.fresh && p.now.Sub(t.h.renewed) >= t.h.lifetime
	if t.v.check == t.h.check && !late {
		return
	}
	if p.present == nil {
		present, err := p.worker.host.Present()
		if err != nil {
			p.fail(t, err)
			return
		}
		p.present = present
	}
	t.h.check = t.v.check
	for a := range t.h.slots {
		if _, ok := p.present[a]; ok || !t.v.wants[a] {
			continue
		}
		if !t.fresh {
			t.h.lapsed, t.lapsed = true, true
			continue
		}
		t.restored = append(t.restored, a)
		delete(t.h.slots, a)
	}
	if !t.h.lapsed {
		p.lookPaths(t)
	}
}

// rest are the tasks that have not ended.
func (p *pass) rest() []*task {
	return slices.DeleteFunc(slices.Clone(p.tasks), func(t *task) bool { return t.left })
}

// remove removes what a router does not want any more, and no other does.
func (p *pass) remove() {
	free := func(t *task) (out []address.Address) {
		for a := range t.h.slots {
			if !t.v.wants[a] {
				out = append(out, a)
			}
		}
		return out
	}
	tasks := slices.DeleteFunc(p.rest(), func(t *task) bool { return len(free(t)) == 0 })
	if len(tasks) == 0 {
		return
	}
	kept := addressesOf(p.wants)
	surplus := func(t *task) []address.Address {
		return slices.DeleteFunc(free(t), func(a address.Address) bool { return kept[a] })
	}
	together(tasks, surplus, p.worker.host.Remove, func(t *task, err error) {
		if err != nil {
			p.fail(t, err)
			return
		}
		for _, a := range free(t) {
			delete(t.h.slots, a)
		}
	})
}

// batch is how many new addresses are added before those that are there are announced.
const batch = 128

// batches splits tasks so that a takeover of very many addresses is not silent until the last is added.
func batches(tasks []*task) [][]*task {
	var out [][]*task
	added := batch
	for _, t := range tasks {
		if added >= batch {
			out, added = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], t)
		added += max(len(t.v.addresses)-len(t.h.slots), 0)
	}
	return out
}

// renew adds what is missing, and gives all of a router a new lifetime when it is time.
func (p *pass) renew() {
	lifetimes := map[time.Duration][]*task{}
	for _, t := range p.rest() {
		lifetimes[t.v.lifetime] = append(lifetimes[t.v.lifetime], t)
	}
	for lifetime, tasks := range lifetimes {
		due := func(t *task) []address.Address {
			if t.h.lifetime != lifetime || !t.h.renewAt(t.v).After(p.now) {
				return t.v.addresses
			}
			return slices.DeleteFunc(slices.Clone(t.v.addresses), func(a address.Address) bool { return t.h.slots[a] != nil })
		}
		renew := func(as []address.Address) error { return p.worker.host.Renew(as, lifetime) }
		for i, some := range batches(tasks) {
			if i > 0 {
				p.renewPaths()
				p.speak()
			}
			together(some, due, renew, func(t *task, err error) {
				if err != nil {
					p.fail(t, err)
					return
				}
				p.renewed(t, due(t))
			})
		}
	}
}

func (p *pass) renewed(t *task, as []address.Address) {
	if len(as) == len(t.v.addresses) && len(as) > 0 {
		t.h.renewed, t.h.lifetime, t.renewed = p.now, t.v.lifetime, true
	}
	for _, a := range as {
		if t.h.slots[a] != nil {
			continue
		}
		t.h.slots[a] = &slot{next: p.now, since: p.now}
		if t.h.announce == 0 && t.v.announce == 0 { // adopted: they were there before
			t.h.slots[a].next = p.now.Add(orNever(t.v.refresh))
			t.h.slots[a].count, t.h.slots[a].said = len(rounds), true
		}
	}
}

// rounds are the times of the announcements after the first.
var rounds = []time.Duration{
	0, 200 * time.Millisecond, 400 * time.Millisecond, 600 * time.Millisecond, 800 * time.Millisecond,
	5000 * time.Millisecond, 5200 * time.Millisecond, 5400 * time.Millisecond, 5600 * time.Millisecond, 5800 * time.Millisecond,
}

const (
	refresh = time.Minute // between announcements when nothing has happened, if nothing is said
	// announceRate and announceBurst are of each interface, if the order says nothing.
	announceRate  = 2000
	announceBurst = 500

	never = 100 * 365 * 24 * time.Hour
	spare = 100 * time.Millisecond // between announcements at least
)

// speak sends the announcements that are due, at the pace of each interface: those that were not made yet
// before any repetition, and the newest first. A repetition that waits delays those after it. A router is
// not done before each of its addresses was announced.
func (p *pass) speak() {
	tasks := p.rest()
	due := map[string][]turn{}
	for _, t := range tasks {
		t.due, t.before = nil, nil
		if t.v.announce != t.h.announce {
			t.h.announce = t.v.announce
			for _, s := range t.h.slots {
				s.again(p.now)
			}
		}
		for _, a := range t.v.addresses {
			if s := t.h.slots[a]; s != nil && !t.h.quiet && !s.next.After(p.now) {
				due[a.Interface] = append(due[a.Interface], turn{t, a, s})
			}
		}
	}
	for iface, turns := range due {
		p.take(iface, turns)
	}
	for _, t := range tasks {
		for _, a := range t.v.addresses {
			s := t.h.slots[a]
			t.waits = t.waits || s != nil && !s.said
		}
	}
	tasks = slices.DeleteFunc(tasks, func(t *task) bool { return len(t.due) == 0 })
	denied := map[address.Address]bool{}
	together(tasks, func(t *task) []address.Address { return t.due }, p.announcer(tasks, denied), func(t *task, err error) {
		if err != nil {
			p.fail(t, err)
		}
		for i, a := range t.due {
			s := t.h.slots[a]
			switch {
			case denied[a]: // as if it had not been its turn
				*s = t.before[i]
				s.next, t.waits = p.now.Add(staleAfter), t.waits || !s.said
			case err != nil:
				s.count--
				s.next = t.h.retry
			}
		}
	})
}

// announcer announces, but for what nobody wants announced any more when it is about to leave: the host may
// have been busy, or this thread without a CPU, while the loop gave the addresses up.
func (p *pass) announcer(tasks []*task, denied map[address.Address]bool) func([]address.Address) error {
	of := map[address.Address]identity{}
	for _, t := range tasks {
		for _, a := range t.due {
			of[a] = t.id
		}
	}
	return func(as []address.Address) error {
		return p.worker.host.Announce(as, func(a address.Address) bool {
			denied[a] = !p.worker.may(of[a], a)
			return !denied[a]
		})
	}
}

// turn is one announcement that is due.
type turn struct {
	t *task
	a address.Address
	s *slot
}

// take chooses what may leave an interface now, and has the rest wait.
func (p *pass) take(iface string, turns []turn) {
	slices.SortStableFunc(turns, func(a, b turn) int {
		if first := min(b.s.count, 1) - min(a.s.count, 1); first != 0 {
			return -first
		}
		return b.s.since.Compare(a.s.since)
	})
	n := p.worker.pace.Take(p.now, iface, len(turns))
	for _, u := range turns[:n] {
		u.t.due, u.t.before = append(u.t.due, u.a), append(u.t.before, *u.s)
		u.s.advance(p.now, u.t.v.refresh)
	}
	later := p.now.Add(max(p.worker.pace.Next(p.now, iface), time.Millisecond))
	for _, u := range turns[n:] {
		u.s.next = later
	}
}

// again starts a new round, not too soon after what was said last.
func (s *slot) again(now time.Time) {
	s.count, s.next, s.since, s.said = 0, now, now, false
	if soonest := s.last.Add(spare); soonest.After(now) {
		s.next, s.said = soonest, true
	}
}

func (s *slot) advance(now time.Time, refresh time.Duration) {
	s.last, s.said = now, true
	s.count++
	if s.count < len(rounds) {
		s.next = now.Add(rounds[s.count] - rounds[s.count-1])
		return
	}
	s.next = now.Add(orNever(refresh))
}

func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return never
	}
	return d
}

// reports are what the loop does not know yet.
func (p *pass) reports() []report {
	var out []report
	for _, t := range p.tasks {
		news := t.lapsed || t.pathNews || len(t.restored) > 0 || !t.lost.Empty()
		if t.waits && !news {
			continue
		}
		r := report{
			id: t.id, gen: t.v.gen, err: t.err, paths: t.h.pathError,
			restored: t.restored, lost: t.lost, lapsed: t.lapsed,
		}
		if t.waits {
			r.gen = t.h.reported
		}
		text := errorText(t.err)
		if r.gen != t.h.reported || news || text != t.h.lastError {
			out = append(out, r)
		}
		t.h.reported, t.h.lastError = r.gen, text
	}
	return out
}
