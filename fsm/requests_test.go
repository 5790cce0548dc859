package fsm

import (
	"fmt"
	"slices"
	"testing"
)

// TestRequestsAreAsOneList adds more than are kept, twice to each, and holds that none that was made before is another then,
// and that what two are apart is what their lists are.
func TestRequestsAreAsOneList(t *testing.T) {
	var all []Requests
	var lists [][]Request
	var r Requests
	var list []Request
	for i := range 3 * requestsKept {
		one := Request{fmt.Sprint("r", i), uint64(i + 1)}
		tried, _ := r.with(Request{fmt.Sprint("t", i), uint64(i + 1)})
		next, gone := r.with(one)
		list = append(list[:len(list):len(list)], one)
		if len(list) > requestsKept {
			if gone != list[0] {
				t.Fatalf("%v is gone, not %v", gone, list[0])
			}
			list = list[1:]
		}
		if next.has(fmt.Sprint("t", i)) || !next.has(one.ID) || !tried.has(fmt.Sprint("t", i)) {
			t.Fatalf("what was tried and what was added are mixed up: %v, %v", tried, next)
		}
		r = next
		all, lists = append(all, r), append(lists, list)
	}
	for i, r := range all {
		want := Requests{older: slices.Clone(lists[i])}
		if !r.Equal(want) {
			t.Fatalf("after %d: %v, want %v", i+1, r, want)
		}
		for _, k := range []int{0, max(0, i-1), max(0, i-requestsNew-1), i / 2} {
			other := Requests{older: lists[k]}
			if ofRequests(all[k], r) != ofRequests(other, want) || ofRequests(r, all[k]) != ofRequests(want, other) {
				t.Fatalf("between %d and %d", k+1, i+1)
			}
		}
	}
}
