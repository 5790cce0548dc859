package agent

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/api"
)

func TestWhoIsNoMemberAnyMoreTellsOfThatAndOfItself(t *testing.T) {
	st := api.Status{
		Name: "d1", Warnings: []string{},
		Groups: []api.GroupStatus{
			{Name: "a", Owner: "d2", Epoch: 3, Named: "d2", Reason: "first owner", Order: []string{"d1"}, Moving: "d1", State: "backup"},
			{Name: "b", Owner: "d2", Epoch: 4, Reason: "d2 is silent", Order: []string{"d2"}, State: "active"},
		},
	}
	asFormer(&st, errors.New("d1 is no longer a member of the cluster"))
	want := api.Status{
		Name: "d1", Former: true, Warnings: []string{"d1 is no longer a member of the cluster"},
		Groups: []api.GroupStatus{
			{Name: "a", Epoch: 3, Reason: "the members know: d1 is none any more", Order: []string{}, State: "backup"},
			{Name: "b", Owner: "d1", Epoch: 4, Reason: "d2 is silent", Order: []string{}, State: "active"},
		},
	}
	if diff := cmp.Diff(want, st); diff != "" {
		t.Error(diff)
	}
}
