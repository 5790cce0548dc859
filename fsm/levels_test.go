package fsm

import "testing"

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
