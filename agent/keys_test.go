package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

func TestARotationIsToldUntilItIsOver(t *testing.T) {
	a, _ := alone(t, nodeConfig(t, "d1", fsm.LevelKeys))
	before, err := a.Keys(t.Context())
	if err != nil || len(before) != 1 || before[0].UnderWay || before[0].Present == "" {
		t.Fatalf("before: %+v, %v", before, err)
	}
	var said []string
	say := func(step string) { said = append(said, step) }
	if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesGossip}, say); err != nil {
		t.Fatal(err)
	}
	after, err := a.Keys(t.Context())
	if err != nil || after[0].UnderWay || after[0].Present == before[0].Present {
		t.Fatalf("after: %+v, was %+v, %v", after, before, err)
	}
	if want := "every director uses " + after[0].Present + " alone"; !slices.Contains(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
	if k, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: fsm.RotatesGossip}); err != nil || k.Present != after[0].Present {
		t.Errorf("the end of what is over: %+v, %v", k, err)
	}
	for _, err := range []error{
		a.RotateKey(t.Context(), api.RotateRequest{What: "all"}, say),
		func() error {
			_, err := a.FinishRotation(t.Context(), api.FinishRotationRequest{What: "all"})
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), fsm.RotatesGossip) {
			t.Errorf("something else: %v", err)
		}
	}
}

func TestARotationNeedsItsLevel(t *testing.T) {
	a, _ := alone(t, nodeConfig(t, "d1", fsm.LevelKeys-1))
	if err := a.RotateKey(t.Context(), api.RotateRequest{What: fsm.RotatesGossip}, func(string) {}); !errors.Is(err, fsm.ErrLevel) {
		t.Errorf("error %v", err)
	}
}
