package agent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/fsm"
)

func TestWhoWasRemovedIsToldToLeaveBeforeItJoinsAgain(t *testing.T) {
	t.Parallel()
	a, s, _ := ofTwo(t)
	token := ""
	soon(t, "a token", func() bool {
		var err error
		token, err = s.node.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
		return err == nil
	})
	soon(t, "it is told that it was removed", func() bool {
		if s.node.Removed() == nil {
			_ = s.node.Remove(t.Context(), "d2", true) // its answer is lost with the membership
		}
		return s.node.Removed() != nil
	})
	said := ""
	hear := func(text string) { said += text + "\n" }
	for when, err := range map[string]error{
		"at once":                       a.Join(t.Context(), api.JoinRequest{Token: token}, hear),
		"when it hears of it meanwhile": a.waitReady(t.Context(), hear),
	} {
		if !errors.Is(err, cluster.ErrRemoved) || !strings.Contains(err.Error(), "`quorate leave`") {
			t.Errorf("%s: %v", when, err)
		}
	}
	if said != "" {
		t.Errorf("it said %q", said)
	}
}
