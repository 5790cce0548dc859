package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
)

// Init implements [api.Agent]: it makes a cluster with this agent as its only member. Run again by the
// same agent it has nothing to do. Who was removed is told so, for it has to leave first.
func (a *Agent) Init(ctx context.Context, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	if s, err := a.current(); err == nil {
		if err := s.node.Removed(); err != nil {
			return err
		}
		if !s.node.Founder() {
			return s.inside()
		}
		p("this agent has made cluster " + s.node.State().ClusterID + " already: nothing to do")
		return a.waitReady(ctx, p)
	}
	if err := cluster.Init(ctx, a.clusterConfig()); err != nil {
		return err
	}
	p("cluster made: its authority, this director's certificate, the first log entry")
	if err := a.start(); err != nil {
		return err
	}
	return a.waitReady(ctx, p)
}

// Join implements [api.Agent]. A join that was cut off goes on where it stopped, and one that has
// succeeded has nothing to do. Who was removed is told so, for it has to leave first.
func (a *Agent) Join(ctx context.Context, r api.JoinRequest, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	if s, err := a.current(); err == nil {
		if err := s.node.Removed(); err != nil {
			return err
		}
		if cluster.Joined(a.cfg.File.DataDir, r.Token) != nil {
			return s.inside()
		}
		p("this agent is a member of that cluster already")
		return a.waitReady(ctx, p)
	}
	if err := cluster.Join(ctx, a.clusterConfig(), r.Address, r.Token, p); err != nil {
		return err
	}
	if err := a.start(); err != nil {
		return err
	}
	return a.waitReady(ctx, p)
}

// inside says that this agent is in a cluster, to who wanted it in another.
func (s *session) inside() error {
	id := s.node.State().ClusterID
	if id == "" { // it is as good as in it
		return errors.New("this agent is joining a cluster: `quorate status` shows how far it is, `quorate leave` ends it")
	}
	return fmt.Errorf("this agent is a member of cluster %s already: `quorate status` shows it, `quorate leave` ends it", id)
}

// waitReady waits until this director is fit to own addresses, and says what it waits for.
func (a *Agent) waitReady(ctx context.Context, p api.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	said := ""
	for {
		s, err := a.current()
		if err != nil {
			return err
		}
		if err := s.node.Removed(); err != nil { // which nothing but a person ends
			return err
		}
		why := s.unready(s.node.State())
		if !s.node.Voter() {
			why = append(why, "is not a voter yet")
		}
		if len(why) == 0 {
			s.tellAll(ctx) // so that `quorate members` says the same on all of them
			p(s.cfg.Name + " is ready")
			return nil
		}
		if text := strings.Join(why, "; "); text != said {
			said = text
			p("waiting: " + text)
		}
		if now := time.Now(); s.unreached(now) != "" && now.Sub(s.opened) > reachedLimit {
			return fmt.Errorf("%s is a member, but %s; it is ready by itself once they do: `quorate status` shows it", s.cfg.Name, s.unreached(now))
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%s is a member, but not ready after %v: %s", s.cfg.Name, readyLimit, said)
		}
	}
}

// unreached says of a director that has joined and has nothing of the log yet that the others do not come to it, or is
// empty.
func (s *session) unreached(now time.Time) string {
	if s.node.Reached() || s.node.State().ClusterID != "" || s.node.Removed() != nil || now.Sub(s.opened) < time.Second {
		return ""
	}
	return fmt.Sprintf("no other director has connected to it on %s/tcp: a firewall on the way drops that, or the `bind` of its agent file is no address that they reach", s.cfg.Bind)
}
