package moves

import (
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
)

// recoveryLosesNothing recovers on the one that is left while requests go through it: the table is not touched, and
// no request is lost.
func recoveryLosesNothing(t lab.T, a *lab.Article) {
	last := withoutQuorum(t, a)
	before := last.IPVS()
	client := a.Client.Requests(lab.Requests{To: lab.OuterVIP + ":80", Rate: 20})
	var out string
	lab.Eventually(t, 30*time.Second, "the cluster is recovered", func() (err error) { // refused until the quorum is known to be lost
		out, err = last.Quorate("recover", "--yes")
		return err
	})
	time.Sleep(3 * time.Second) // what a reconciler would do wrongly, it has done by now
	r := client.Close()
	t.Logf("a recovery: %v%s", r, strings.TrimSpace(out))
	if len(r.Failures) > 0 || r.OK == 0 {
		t.Errorf("requests lost: %v", r)
	}
	if diff := cmp.Diff(before, last.IPVS()); diff != "" {
		t.Errorf("the table changed (-before +after):\n%s", diff)
	}
	if err := owns(a, last); err != nil {
		t.Errorf("%v", err)
	}
	if st, err := last.Status(); err != nil || !st.Quorum {
		t.Errorf("no quorum after it: %+v, %v", st, err)
	}
	if out, err := last.Quorate("apply", last.WriteFile("empty.hcl", ""), "--yes", "--allow-empty"); err != nil {
		t.Errorf("a change after it: %s %v", out, err)
	}
}
