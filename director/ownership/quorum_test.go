package ownership

import (
	"testing"

	"github.com/quorate/quorate/fsm"
)

func TestWithoutQuorumAGroupIsHeldGivenUpOrBlocked(t *testing.T) {
	for _, tt := range []struct {
		what    fsm.QuorumLoss
		blocked bool
		yield   bool
	}{{"", false, false}, {fsm.HoldOn, false, false}, {fsm.GiveWay, false, true}, {fsm.LetGo, true, false}} {
		if why, yield := WithoutQuorum(tt.what, false); (why != "") != tt.blocked || (yield != "") != tt.yield {
			t.Errorf("%q without quorum: blocked %q, yield %q", tt.what, why, yield)
		}
		if why, yield := WithoutQuorum(tt.what, true); why != "" || yield != "" {
			t.Errorf("%q with quorum: blocked %q, yield %q", tt.what, why, yield)
		}
	}
}
