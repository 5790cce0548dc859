package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

func (s *session) serveReport(w http.ResponseWriter, r *http.Request) {
	var rep report
	if !read(w, r, largeBody, &rep) {
		return
	}
	if name, ok := cluster.Peer(r.Context()); !ok || name != rep.Name {
		http.Error(w, "a report is taken from its own director only", http.StatusForbidden)
		return
	}
	news := s.news(rep)
	s.reports.put(rep, time.Now())
	s.heard.ring()
	if len(news) > 0 && s.node.IsLeader() {
		s.besides(func() { s.askToConfirm(rep.Name, news) })
	}
	w.WriteHeader(http.StatusNoContent)
}

// news returns the servers of which a report says that they died and the cluster thinks otherwise.
func (s *session) news(rep report) []fsm.ServerKey {
	state, old := s.node.State(), s.reports.live(time.Now())[rep.Name]
	var keys []fsm.ServerKey
	for key, o := range rep.Observations {
		if o.Health == fsm.Down && old.Observations[key].Health != fsm.Down && state.Verdict(key).Health == fsm.Up {
			keys = append(keys, key)
		}
	}
	return keys
}

// observed is told what this director's own checks found. A leader asks the others to confirm it, as it does with what they
// report.
func (s *session) observed(changed map[fsm.ServerKey]checks.Observation) {
	poke(s.tellNow)
	var services []string
	for key := range changed {
		services = append(services, key.Service)
	}
	s.director.Judged(services...)
	if !s.node.IsLeader() {
		return
	}
	var dead []fsm.ServerKey
	for key, o := range changed {
		if o.Health == fsm.Down && s.node.State().Verdict(key).Health == fsm.Up {
			dead = append(dead, key)
		}
	}
	if len(dead) > 0 {
		s.besides(func() { s.askToConfirm(s.cfg.Name, dead) })
	}
}

// askToConfirm has every director but the one that saw it probe servers now, all at once, so that
// agreement costs a round trip and not another interval.
func (s *session) askToConfirm(observer string, keys []fsm.ServerKey) {
	ctx, cancel := context.WithTimeout(context.Background(), reportEvery)
	defer cancel()
	body, err := json.Marshal(keys)
	if err != nil {
		return // keys always encode
	}
	var asked sync.WaitGroup
	for name := range s.node.State().Members {
		switch name {
		case observer:
		case s.cfg.Name:
			asked.Go(func() { s.runner.Confirm(ctx, keys) })
		default:
			asked.Go(func() {
				if err := s.ask(ctx, name, http.MethodPost, "/peer/confirm", body, nil); err != nil {
					s.log.Debug("confirm probe not asked", "of", name, "err", err)
				}
			})
		}
	}
	asked.Wait()
}

func (s *session) serveConfirm(w http.ResponseWriter, r *http.Request) {
	var keys []fsm.ServerKey
	if !read(w, r, smallBody, &keys) {
		return
	}
	s.runner.Confirm(r.Context(), keys)
	w.WriteHeader(http.StatusNoContent)
}
