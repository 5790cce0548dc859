package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestAFullDiskTakesTheLeadershipAndNothingElse(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	owner := w.agreed(t)
	before, err := owner.Status()
	if err != nil {
		t.Fatal(err)
	}
	full := w.leader(t)
	other := w.others(full)[0]
	undo := full.FillDisk()
	write := func() result { return command(t, other, "token", "create") }
	lab.Eventually(t, 20*time.Second, "another leads", func() error { // what still finds room in its pages is agreed
		write()
		st, err := other.Status()
		if err == nil && (st.Leader == full.Name || st.Leader == "") {
			err = fmt.Errorf("%q leads", st.Leader)
		}
		return err
	})
	says := func() string {
		return command(t, other, "status").want(t, 0).out
	}
	lab.Eventually(t, 10*time.Second, "it says why, on another director", func() error {
		if out := says(); !strings.Contains(out, "! "+full.Name+": nothing can be written to") || !strings.Contains(out, "no space left") {
			return errors.New(out)
		}
		return nil
	})
	for range 3 {
		write().want(t, 0) // two are a majority
	}
	if now := w.agreed(t); now != owner {
		t.Errorf("%s owns, and %s did", now.Name, owner.Name)
	}
	undo()
	lab.Eventually(t, 20*time.Second, "it comes back by itself", func() error {
		if out := says(); strings.Contains(out, "nothing can be written") {
			return errors.New(out)
		}
		a, err := other.Status()
		b, err2 := full.Status()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if a.StateHash != b.StateHash {
			return fmt.Errorf("it is at entry %d, the others at %d", b.AppliedIndex, a.AppliedIndex)
		}
		return nil
	})
	after, err := owner.Status()
	if err != nil {
		t.Fatal(err)
	}
	if after.Groups[0].Epoch != before.Groups[0].Epoch || after.Owner(group) != owner.Name {
		t.Errorf("the group was in epoch %d with %s, and is in %d with %s", before.Groups[0].Epoch, owner.Name, after.Groups[0].Epoch, after.Owner(group))
	}
}
