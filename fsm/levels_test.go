package fsm

import (
	"errors"
	"testing"
)

func TestEveryLevelBringsSomething(t *testing.T) {
	for level := 1; level <= Newest; level++ {
		if len(Brings(level)) == 0 {
			t.Errorf("level %d brings nothing", level)
		}
	}
	if len(brings) != Newest || Brings(Newest+1) != nil {
		t.Errorf("%d levels are told of, the newest is %d", len(brings), Newest)
	}
}

func TestWhatNeedsALevelIsNotKnownBelowIt(t *testing.T) {
	cfg := articleConfig()
	r := cfg.Routers["alone"]
	r.Placement.OnSegmentCut = "one"
	cfg.Routers["alone"] = r
	for _, tt := range []struct {
		c     Command
		level int
	}{
		{PutConfig{Config: articleConfig()}, 1}, {PutConfig{Config: cfg}, 2}, {RestoreConfig{}, 1}, {RestoreConfig{Config: cfg}, 2},
		{ChangeConfig{}, 2}, {ConfirmConfig{}, 2}, {RevertConfig{}, 2}, {Once{Command: SetVerdicts{}}, 2}, {RaiseLevel{Level: 2}, 1}, {SetVerdicts{}, 1},
		{OfferGossipKey{}, 3}, {OfferCA{}, 3}, {AddToken{}, 1}, {AddToken{Token: Token{CA: "ca"}}, 3}, {TurnKey{}, 3}, {DropKey{}, 3}, {Once{Command: DropKey{}}, 3},
	} {
		for level := 1; level <= Newest; level++ {
			if err := Known(level, tt.c); (err == nil) != (level >= tt.level) || err != nil && !errors.Is(err, ErrLevel) {
				t.Errorf("%s at level %d: %v", tt.c.kind(), level, err)
			}
		}
	}
}
