package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/quorate/quorate/agent/groups"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// newGroups makes what drives the ownership of each group.
func (s *session) newGroups() *groups.Driver {
	return groups.New(groups.Config{
		Self: s.cfg.Name, Keeper: s.keeper, OnTime: s.onTime, Silence: s.silence, Suspects: s.suspects, Log: s.log.Named("groups"),
		Now: s.now, Gateway: gatewayOn, Pull: s.pull, Propose: s.node.Propose,
		Ask: func(ctx context.Context, to, path string, question, answer any) error {
			body, err := json.Marshal(question)
			if err != nil {
				return err
			}
			err = s.ask(ctx, to, http.MethodPost, path, body, answer)
			var refused refusal
			if errors.As(err, &refused) {
				return ownership.Refusal(refused.Error())
			}
			return err
		},
		Tell: s.tellGroup,
		Go:   s.besides,
	})
}

// now gathers what the machines of all groups are told.
func (s *session) now() groups.Now {
	state, live := s.node.State(), s.reports.live(time.Now())
	return groups.Now{
		State: state, Voters: s.node.Voters(), Current: s.node.Current(), Quorum: s.quorum(), Ready: len(s.unready(state)) == 0,
		Drains: state.Members[s.cfg.Name].Draining || s.isLeaving(),
		Fit: func(g fsm.Group) bool {
			st := s.standing(g)
			return st.Known && st.Fit
		},
		Member: func(group, name string) ownership.Member { return reported(state, live, group, name) },
	}
}

// reported is what a member said last of itself and a group.
func reported(state *fsm.State, live map[string]received, group, name string) ownership.Member {
	r, alive := live[name]
	m, own := state.Members[name], r.Groups[group]
	return ownership.Member{
		Name: name, Witness: m.Role == fsm.RoleWitness, Alive: alive, Ready: r.Ready && !own.Waiting, Draining: m.Draining || r.Leaving,
		Fit: own.Unfit == "" && own.State != "initialize", Part: groups.Part(own.State), Epoch: own.Epoch,
	}
}

// tellGroup makes an event of what a machine tells, and has the others hear of an alarm at once.
func (s *session) tellGroup(group string, t ownership.Tell) {
	s.events.add(s.cfg.Name, 0, t.Kind, group, t.Text)
	if t.Alarm {
		s.log.Warn(t.Text, "group", group)
		poke(s.tellNow)
		return
	}
	s.log.Info(t.Text, "group", group)
}

// serveAttest takes questions of another director about what is known here of groups.
func (s *session) serveAttest(w http.ResponseWriter, r *http.Request) {
	var all []groups.Asking
	if !read(w, r, largeBody, &all) {
		return
	}
	peer, _ := cluster.Peer(r.Context())
	words, err := s.groups.Attest(r.Context(), peer, all)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	answer(w, words)
}

// serveGroup takes a question of another director about a group.
func (s *session) serveGroup(w http.ResponseWriter, r *http.Request) {
	var q ownership.Question
	if !read(w, r, smallBody, &q) {
		return
	}
	peer, _ := cluster.Peer(r.Context())
	word, err := s.groups.Answer(r.Context(), peer, r.PathValue("group"), q)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	answer(w, word)
}
