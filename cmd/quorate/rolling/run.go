package rolling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
)

// Timing: how often is looked, and how long a director that runs the new version has until all is as it was.
const (
	lookEvery   = 500 * time.Millisecond
	settleLimit = 2 * time.Minute
)

// noMember is the state of a director that was removed.
const noMember = "no member"

// Agent is what is asked of an agent.
type Agent interface {
	Status(ctx context.Context) (api.Status, error)
	Drain(ctx context.Context, r api.DrainRequest, p api.Progress) error
}

// Upgrade is one pass through all members.
type Upgrade struct {
	Agent    Agent
	Version  string                                          // that all are to run
	Restart  func(context.Context, api.DirectorStatus) error // starts a member with that version; nil: a person does
	Continue bool                                            // who drains at the beginning was taken out by a pass that was stopped
	Say      api.Progress

	out string
}

// Out is the director that goes on draining when Run has ended, or "".
func (u *Upgrade) Out() string { return u.out }

// Run takes every member that does not run the version out, one after another, and lets it in again when it does.
func (u *Upgrade) Run(ctx context.Context) error {
	before, err := u.Agent.Status(ctx)
	if err != nil {
		return err
	}
	for st := before; ; {
		d, found := drained(st)
		seen := st
		switch {
		case found && !u.Continue:
			return fmt.Errorf("stopped: %s drains; `quorate enable director %s` lets it in, and with --continue it counts as taken out by an upgrade that was stopped", d.Name, d.Name)
		case found: // it is out, so that it may as well be down: what was started there may not run
			seen = without(st, d.Name)
		default:
			d, found = next(st, u.Version)
		}
		u.Continue = false // whoever else drains from now on was not taken out by this
		if silent := unheard(st); !found && len(silent) > 0 {
			return fmt.Errorf("stopped: what %s runs is not known, as it does not answer; all others run version %s", strings.Join(silent, " and "), u.Version)
		}
		if !found {
			u.Say("every member runs version " + u.Version)
			return nil
		}
		if why := NotNow(seen); len(why) > 0 && d.Version != u.Version {
			return fmt.Errorf("stopped before %s: %s", d.Name, strings.Join(why, "; "))
		}
		if st, err = u.one(ctx, d, before); err != nil {
			return err
		}
	}
}

// in is how a cluster would be if a member did not drain.
func in(st api.Status, name string) api.Status {
	st.Directors = slices.Clone(st.Directors)
	for i := range st.Directors {
		if st.Directors[i].Name == name {
			st.Directors[i].Draining = false
		}
	}
	return st
}

// without is how a cluster would be if nothing were wrong with a member.
func without(st api.Status, name string) api.Status {
	st = in(st, name)
	for i := range st.Directors {
		if d := &st.Directors[i]; d.Name == name {
			d.State, d.Ready, d.StateHash = "alive", true, ""
		}
	}
	return st
}

// drained returns a member that is out already.
func drained(st api.Status) (api.DirectorStatus, bool) {
	for _, d := range st.Directors {
		if d.Draining {
			return d, true
		}
	}
	return api.DirectorStatus{}, false
}

// unheard are the members that do not answer: their version is the one that they said last.
func unheard(st api.Status) []string {
	var names []string
	for _, d := range st.Directors {
		if d.State == "unreachable" {
			names = append(names, d.Name)
		}
	}
	return names
}

// next chooses who is taken out: of those that run another version the one that owns least, and the leader after
// others.
func next(st api.Status, version string) (api.DirectorStatus, bool) {
	var left []api.DirectorStatus
	for _, d := range st.Directors {
		if d.Version != version {
			left = append(left, d)
		}
	}
	if len(left) == 0 {
		return api.DirectorStatus{}, false
	}
	return slices.MinFunc(left, func(a, b api.DirectorStatus) int {
		return cmp.Or(cmp.Compare(weight(st, a), weight(st, b)), strings.Compare(a.Name, b.Name))
	}), true
}

// weight is how much moves when a member goes.
func weight(st api.Status, d api.DirectorStatus) int {
	n := 0
	if d.Name == st.Leader {
		n++
	}
	for _, g := range st.Groups {
		if g.Owner == d.Name {
			n += 2
		}
	}
	return n
}

// one takes one member out and lets it in again, and returns how the cluster is then. A witness owns nothing, so there
// is nothing to hand over.
func (u *Upgrade) one(ctx context.Context, d api.DirectorStatus, before api.Status) (api.Status, error) {
	owns := d.Role == "director"
	if owns {
		u.out = d.Name
	}
	if d.Version != u.Version {
		if owns {
			if err := u.Agent.Drain(ctx, api.DrainRequest{Director: d.Name, Draining: true}, u.Say); err != nil {
				return api.Status{}, err
			}
		}
		rival, err := u.spared(ctx, d.Name)
		if err != nil {
			return api.Status{}, fmt.Errorf("stopped before %s is started anew: %w%s", d.Name, err, goesOn(d))
		}
		if rival != "" {
			return api.Status{}, u.giveWay(ctx, d, rival)
		}
		if err := u.restart(ctx, d); err != nil {
			return api.Status{}, u.stopped(d, fmt.Sprintf("%s does not run version %s: ", d.Name, u.Version), err)
		}
	}
	if err := u.settled(ctx, d, before); err != nil {
		return api.Status{}, u.stopped(d, "", err)
	}
	if owns {
		if err := u.Agent.Drain(ctx, api.DrainRequest{Director: d.Name}, u.Say); err != nil {
			return api.Status{}, err
		}
		u.out = ""
	}
	u.Say(d.Name + " runs version " + u.Version + " and is ready")
	return u.enabled(ctx, d.Name)
}

// goesOn says what becomes of a member that is out.
func goesOn(d api.DirectorStatus) string {
	if d.Role != "director" {
		return ""
	}
	return fmt.Sprintf("; %s goes on draining until `quorate enable director %s`, or `quorate upgrade next --continue`, which goes on with it", d.Name, d.Name)
}

// errLetIn means that the member that is out does not drain any more, and it was not this upgrade that ended that.
var errLetIn = errors.New("was let in again by somebody else; another upgrade may be under way, and `quorate upgrade status` shows who runs what")

// letIn is errLetIn if somebody else has let a member in that is out. Who has just started and hears nobody may not know who is.
func letIn(d api.DirectorStatus, st api.Status) error {
	if now := named(st, d.Name); st.Quorum && d.Role == "director" && now.State != noMember && !now.Draining {
		return fmt.Errorf("%s %w", d.Name, errLetIn)
	}
	return nil
}

// stopped is why this upgrade ends while a member is out.
func (u *Upgrade) stopped(d api.DirectorStatus, what string, err error) error {
	if errors.Is(err, errLetIn) {
		u.out = ""
		return fmt.Errorf("stopped: %s%w", what, err)
	}
	return fmt.Errorf("stopped: %s%w%s", what, err, goesOn(d))
}

// giveWay lets a member in again that was taken out at the same time as another one by somebody else: two are never out at once.
func (u *Upgrade) giveWay(ctx context.Context, d api.DirectorStatus, rival string) error {
	why := fmt.Errorf("stopped before %s is started anew: somebody else has drained %s at the same time; another upgrade may be under way", d.Name, rival)
	if d.Role != "director" {
		return why
	}
	if err := u.Agent.Drain(ctx, api.DrainRequest{Director: d.Name}, u.Say); err != nil {
		return errors.Join(why, err)
	}
	u.out = ""
	return fmt.Errorf("%w; %s is let in again", why, d.Name)
}

// spared waits until nothing but what is wrong with a member itself keeps it from being stopped: its drain took a while, in which
// another may have died. It returns who else drains by now, if anybody does.
func (u *Upgrade) spared(ctx context.Context, name string) (rival string, err error) {
	err = u.look(ctx, settleLimit, func(st api.Status) error {
		if d, found := drained(in(st, name)); found {
			rival = d.Name
			return nil
		}
		if why := NotNow(without(st, name)); len(why) > 0 {
			return errors.New(strings.Join(why, "; "))
		}
		return nil
	})
	return rival, err
}

// restart has a member started with the new version, and waits until it runs that: for a person as long as it takes.
func (u *Upgrade) restart(ctx context.Context, d api.DirectorStatus) error {
	limit := time.Duration(0)
	if u.Restart != nil {
		u.Say("starting " + d.Name + " with version " + u.Version)
		if err := u.Restart(ctx, d); err != nil {
			return err
		}
		limit = settleLimit
	} else {
		u.Say("now install version " + u.Version + " on " + d.Name + ", and there: systemctl restart quorate quorate-keeper")
	}
	gone, let := false, error(nil)
	err := u.look(ctx, limit, func(st api.Status) error {
		now := named(st, d.Name)
		if gone = now.State == noMember; gone || now.State == "alive" && now.Version == u.Version {
			return nil
		}
		if let = letIn(d, st); let != nil {
			return nil
		}
		said := []string{fmt.Sprintf("%s is %s, version %s", d.Name, now.State, now.Version)}
		if now.State == "unreachable" {
			said[0] += " when it answered last (if it does not start, `journalctl -u quorate` there says why)"
		}
		for _, other := range st.Directors { // who starts it anew is to know
			if other.Name != d.Name && other.State != "alive" {
				said = append(said, other.Name+" is "+other.State)
			}
		}
		return errors.New(strings.Join(said, "; "))
	})
	if gone {
		return errors.New(d.Name + " is no member any more")
	}
	return errors.Join(err, let)
}

// settled waits until a member that is out is ready, and all else as it was.
func (u *Upgrade) settled(ctx context.Context, d api.DirectorStatus, before api.Status) error {
	let := error(nil)
	err := u.look(ctx, settleLimit, func(st api.Status) error {
		if named(st, d.Name).State == noMember {
			return errors.New(d.Name + " is no member any more")
		}
		if let = letIn(d, st); let != nil {
			return nil
		}
		if why := append(NotNow(in(st, d.Name)), Worse(before, st)...); len(why) > 0 {
			slices.Sort(why)
			return errors.New(strings.Join(slices.Compact(why), "; "))
		}
		return nil
	})
	return errors.Join(err, let)
}

// enabled waits until a member is seen to be in again.
func (u *Upgrade) enabled(ctx context.Context, name string) (last api.Status, err error) {
	err = u.look(ctx, settleLimit, func(st api.Status) error {
		last = st
		if named(st, name).Draining {
			return errors.New(name + " still drains")
		}
		return nil
	})
	return last, err
}

func named(st api.Status, name string) api.DirectorStatus {
	for _, d := range st.Directors {
		if d.Name == name {
			return d
		}
	}
	return api.DirectorStatus{Name: name, State: noMember}
}

// look asks again and again until ok has no error, for a limit, or until ctx ends if that is 0. The agent that is
// asked may be the one that is started anew: that it does not answer is nothing to stop for.
func (u *Upgrade) look(ctx context.Context, limit time.Duration, ok func(api.Status) error) error {
	waiting := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	said := ""
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		st, err := u.Agent.Status(waiting)
		if err == nil {
			if err = ok(st); err == nil {
				return nil
			}
		}
		if waiting.Err() == nil && err.Error() != said {
			said = err.Error()
			u.Say("waiting: " + said)
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("after %v %s", limit, said)
		case <-tick.C:
		}
	}
}
