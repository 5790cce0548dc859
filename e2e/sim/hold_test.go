package sim

import "testing"

// No adverts pass, and the port of the owner, which nobody has heard, is shut to the last one that could succeed it. The owner dies,
// and then the control of that one, which has just found that the owner's kernel answers.
func TestWhoseControlDiesAfterTheOwnerServesByTheTimer(t *testing.T) {
	if r := Run(1626971, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
