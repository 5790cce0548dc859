package api_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

// A client may be older than the agent that it asks.
func TestWhatANewerAgentSaysOfAConfigurationIsPassedOver(t *testing.T) {
	const answer = `{"base": 7, "later": 1, "config": {"routers": {"r": {"name": "r", "later": 1}}, "services": {"web": {"name": "web", "scheduler": "rr", "later": 1}}}}`
	c := api.NewClient(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })))
	now, base, err := c.Config(t.Context())
	then, errThen := c.ConfigAt(t.Context(), 7)
	if err != nil || errThen != nil || base != 7 {
		t.Fatalf("revision %d: %v, %v", base, err, errThen)
	}
	for _, cfg := range []fsm.Config{now, then} {
		if cfg.Services.Len() != 1 || cfg.Services.Of("web").Scheduler != "rr" || cfg.Routers["r"].Name != "r" {
			t.Errorf("%+v", cfg)
		}
	}
}

// Older agents do not say that they are cut off.
func TestADirectorThatNoMajorityAnswersIsCutOffWhateverItsVersion(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   bool
	}{
		{`{"quorum": true, "voters": 3, "answering": 1}`, true},
		{`{"quorum": true, "voters": 2, "answering": 1}`, true},
		{`{"quorum": true, "voters": 3, "answering": 2}`, false},
		{`{"quorum": true, "voters": 3, "answering": 2, "cut_off": true}`, true},
		{`{"quorum": false, "voters": 3, "answering": 1}`, false},
		{`{"quorum": true}`, false},
	} {
		socket := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.answer) }))
		if st, err := api.NewClient(socket).Status(t.Context()); err != nil || st.CutOff != tt.want {
			t.Errorf("%s: cut off: %v, %v", tt.answer, st.CutOff, err)
		}
	}
}
