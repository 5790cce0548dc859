package port

import "testing"

func TestAConnectionIsRememberedUntilItIsClosed(t *testing.T) {
	var o openConns[int]
	o.remember(1)
	o.remember(2)
	o.forget(1)
	o.forget(1)
	if all := o.all(); len(all) != 1 || all[0] != 2 {
		t.Errorf("%v are remembered, want 2 alone", all)
	}
}
