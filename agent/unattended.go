package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/private"
)

// joinAgain is how long a join that the agent file asks for rests after one that was in vain.
const joinAgain = 5 * time.Second

// joinUnattended joins as the agent file says, and again until it worked.
func (a *Agent) joinUnattended(ctx context.Context, join func(context.Context, api.JoinRequest, api.Progress) error) {
	j := *a.cfg.File.Join
	state := api.Joining{Address: j.Address.String(), Every: joinAgain.Seconds()}
	a.setJoining(state)
	if open := private.File(j.TokenFile); open != "" {
		a.cfg.Log.Warn("token file: " + open)
	}
	for ctx.Err() == nil {
		token, err := tokenOf(j)
		if err == nil {
			err = join(ctx, api.JoinRequest{Address: j.Address.String(), Token: token}, func(step string) { a.cfg.Log.Info(step) })
		}
		if errors.Is(err, pki.ErrNotToken) && j.TokenFile != "" {
			err = fmt.Errorf("%s: %w", j.TokenFile, err)
		}
		if err == nil || a.inside() { // what it joined may have ended since
			return
		}
		a.cfg.Log.Error("not joined yet", "address", j.Address, "err", err)
		state.Tried, state.Error = time.Now().UTC().Truncate(time.Second), pki.HideTokens(err.Error())
		a.setJoining(state)
		sleep(ctx, joinAgain)
	}
}

// tokenOf returns the token that the agent file has or names.
func tokenOf(j config.Join) (string, error) {
	if j.TokenFile == "" {
		return j.Token, nil
	}
	b, err := os.ReadFile(j.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the join token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("%s is empty: it is to have the join token, which `quorate token create` on a member prints", j.TokenFile)
	}
	return token, nil
}

// setJoining notes how far the join is, unless a session has begun meanwhile.
func (a *Agent) setJoining(j api.Joining) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		a.joining = &j
	}
}

// unattended is how far the join is that the agent file asks for, or nil.
func (a *Agent) unattended() *api.Joining {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.joining
}

// inside reports whether this agent is in a cluster.
func (a *Agent) inside() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session != nil
}

// unjoined is [errNoCluster] of an agent that joins one: who reads it is not to make another.
type unjoined struct{ api.Joining }

func (u unjoined) Error() string {
	text := fmt.Sprintf("this agent is in no cluster yet: it joins one by %s, as its agent file says, and tries that every %v", u.Address, joinAgain)
	if u.Joining.Error != "" {
		text += fmt.Sprintf("; at %s: %s", u.Tried.Local().Format(time.TimeOnly), u.Joining.Error)
	}
	return text
}

// Is says that it is no other state.
func (unjoined) Is(target error) bool { return target == errNoCluster }
