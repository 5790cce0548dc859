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
	Agent   Agent
	Version string                                          // that all are to run
	Restart func(context.Context, api.DirectorStatus) error // starts a member with that version; nil: a person does
	Say     api.Progress
}

// Run takes every member that does not run the version out, one after another, and lets it in again when it does. It
// may be run again after it was stopped: it goes on with who is out.
func (u Upgrade) Run(ctx context.Context) error {
	before, err := u.Agent.Status(ctx)
	if err != nil {
		return err
	}
	for st := before; ; {
		d, found := next(st, u.Version)
		if !found {
			u.Say("every member runs version " + u.Version)
			return nil
		}
		st.Directors = slices.Clone(st.Directors)
		i := slices.IndexFunc(st.Directors, func(o api.DirectorStatus) bool { return o.Name == d.Name })
		st.Directors[i].Draining = false // it is the one that is out
		if why := NotNow(st); len(why) > 0 && d.Version != u.Version {
			return fmt.Errorf("stopped before %s: %s", d.Name, strings.Join(why, "; "))
		}
		if st, err = u.one(ctx, d, before); err != nil {
			return err
		}
	}
}

// next chooses who is taken out: who is out already, else of those that run another version the one that owns least,
// and the leader after others.
func next(st api.Status, version string) (api.DirectorStatus, bool) {
	for _, d := range st.Directors {
		if d.Draining {
			return d, true
		}
	}
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

// one takes one member out and lets it in again, and returns how the cluster is then.
func (u Upgrade) one(ctx context.Context, d api.DirectorStatus, before api.Status) (api.Status, error) {
	if d.Version != u.Version {
		if err := u.Agent.Drain(ctx, api.DrainRequest{Director: d.Name, Draining: true}, u.Say); err != nil {
			return api.Status{}, err
		}
		if err := u.restart(ctx, d); err != nil {
			return api.Status{}, fmt.Errorf("%s drains, and does not run version %s: %w", d.Name, u.Version, err)
		}
	}
	if err := u.settled(ctx, d.Name, before); err != nil {
		return api.Status{}, fmt.Errorf("stopped: %w; %s goes on draining until `quorate enable director %s`", err, d.Name, d.Name)
	}
	if err := u.Agent.Drain(ctx, api.DrainRequest{Director: d.Name}, u.Say); err != nil {
		return api.Status{}, err
	}
	u.Say(d.Name + " runs version " + u.Version + " and is ready")
	return u.enabled(ctx, d.Name)
}

// restart has a member started with the new version, and waits until it runs that.
func (u Upgrade) restart(ctx context.Context, d api.DirectorStatus) error {
	if u.Restart != nil {
		u.Say("starting " + d.Name + " with version " + u.Version)
		if err := u.Restart(ctx, d); err != nil {
			return err
		}
	} else {
		u.Say("now install version " + u.Version + " on " + d.Name + ", and there: systemctl restart quorate quorate-keeper")
	}
	gone := false
	err := u.look(ctx, 0, func(st api.Status) error {
		now := named(st, d.Name)
		gone = now.State == noMember
		if gone || now.State == "alive" && now.Version == u.Version {
			return nil
		}
		return fmt.Errorf("%s is %s, version %s", d.Name, now.State, now.Version)
	})
	if gone {
		return errors.New(d.Name + " is no member any more")
	}
	return err
}

// settled waits until a member that is out is ready, and all else as it was.
func (u Upgrade) settled(ctx context.Context, name string, before api.Status) error {
	return u.look(ctx, settleLimit, func(st api.Status) error {
		i := slices.IndexFunc(st.Directors, func(d api.DirectorStatus) bool { return d.Name == name })
		if i < 0 {
			return errors.New(name + " is no member any more")
		}
		st.Directors = slices.Clone(st.Directors)
		st.Directors[i].Draining = false
		if why := append(NotNow(st), Worse(before, st)...); len(why) > 0 {
			slices.Sort(why)
			return errors.New(strings.Join(slices.Compact(why), "; "))
		}
		return nil
	})
}

// enabled waits until a member is seen to be in again.
func (u Upgrade) enabled(ctx context.Context, name string) (last api.Status, err error) {
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
func (u Upgrade) look(ctx context.Context, limit time.Duration, ok func(api.Status) error) error {
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
