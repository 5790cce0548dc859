package api_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/quorate/quorate/api"
)

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
