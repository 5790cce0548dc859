package sim

import "testing"

// A filter keeps all others from an owner's port and their adverts from it, another has the group by a claim, and an answer takes
// longer than a timer could wait: the owner asks, and finds that out all the same.
func TestAnOwnerBehindAFilterFindsThatAnotherHasTheGroupThoughThatIsFarAway(t *testing.T) {
	if r := Run(1625867, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
