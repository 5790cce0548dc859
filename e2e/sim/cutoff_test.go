package sim

import "testing"

// An owner is cut off, the one before it has frozen, and the only one on the segment drains: it serves, since nobody else does.
func TestWhoDrainsServesWhereOneOwnerIsCutOffAndTheOtherFrozen(t *testing.T) {
	if r := Run(2153391, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// Two owners are cut off, of which one has just gone on: who has found the first one does not begin anew with the other.
func TestTwoOwnersThatAreCutOffAreTakenFromAsSoonAsOne(t *testing.T) {
	if r := Run(2121249, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
