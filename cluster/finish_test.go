package cluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

func TestWhoseCAEndsByItsOwnWordIsAnswered(t *testing.T) {
	t.Parallel()
	var a *testnode
	answer := make(chan error, 1)
	a = first(t, "a", withAPI, func(c *Config) {
		says := c.API
		c.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == finishPath {
				answer <- a.FinishRotation(r.Context(), fsm.RotatesCA, false, true, "test")
				// Whoever may no longer be here is sent away before the answer is written.
				a.dropStrangers()
			}
			says.ServeHTTP(w, r)
		})
	})
	before := a.State().Secrets().CACert
	_, cert := held(t, a, "ann", fsm.RoleAdmin, time.Hour)
	beginsCA(t, a, nil, nil)
	eventually(t, "a certificate of the new CA", signedAnew(before, a))
	status, text, err := asked(t, a, cert, "POST", finishPath, "{}")
	if done := <-answer; done != nil || err != nil || status != http.StatusOK {
		t.Fatalf("answered %d %s %v, finished %v", status, text, err, done)
	}
	eventually(t, "the CA counts no more", overCA(a))
	if err := answered(t, a, cert); err == nil {
		t.Error("the certificate is good for more")
	}
}
