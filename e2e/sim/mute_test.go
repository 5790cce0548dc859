package sim

import "testing"

// The port of an owner leaves the segment by which the cluster's traffic goes, and an operator moves the group 0.7 s later: too soon for
// the silence to count when the move begins.
func TestAMoveDoesNotWaitForAnOwnerThatHasJustFallenSilent(t *testing.T) {
	if r := Run(2559427, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
