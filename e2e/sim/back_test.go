package sim

import "testing"

// The log moves a group from an owner whose control is just back, or has just gone on after it stood still: the next one has not heard that yet, and claims without
// its answer. The owner lets go when the next one has had time to have the addresses.
func TestAnOwnerWhoseControlIsJustBackLetsGoAfterTheNextOneHasTheAddresses(t *testing.T) {
	for _, seed := range []uint64{22655, 28922, 46334, 1402355} {
		if r := Run(seed, Nothing, nil); r.Broken != nil {
			t.Errorf("seed %d: %v\n%s", seed, r.Broken, r.Tail)
		}
	}
}
