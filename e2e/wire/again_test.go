package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/e2e/lab"
)

func TestACommandMayBeRunTwice(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "a", 2)
	first, second := w.Directors[0], w.Directors[1]
	for _, d := range w.Directors {
		d.Agent(t)
	}
	command(t, first, "init").want(t, 0)
	token := strings.TrimSpace(command(t, first, "token", "create").want(t, 0).out)
	command(t, second, "join", first.Bind, "--token", token).want(t, 0)
	w.AwaitReady(t, 20*time.Second)
	w.quiet(t)
	w.unchanged(t, func() {
		if r := command(t, first, "init").want(t, 0); !strings.Contains(r.err, "nothing to do") {
			t.Errorf("init again says %q", r.err)
		}
		if r := command(t, second, "join", first.Bind, "--token", token).want(t, 0); !strings.Contains(r.err, "member of that cluster already") {
			t.Errorf("join again says %q", r.err)
		}
		command(t, second, "init").refused(t, "member of cluster", "quorate leave")
	})
	command(t, second, "drain", "director", second.Name).want(t, 0)
	command(t, second, "drain", "director", second.Name).want(t, 0)
	command(t, second, "enable", "director", second.Name).want(t, 0)
	command(t, second, "enable", "director", second.Name).want(t, 0)
	id, err := pki.TokenID(token)
	if err != nil {
		t.Fatal(err)
	}
	w.unchanged(t, func() {
		command(t, first, "token", "revoke", "0badc0de").refused(t, "no token", "not found", "quorate token list")
	})
	command(t, first, "token", "revoke", id).want(t, 0)
	for _, d := range w.Directors {
		if r := command(t, d, "token", "revoke", id).want(t, 0); !strings.HasSuffix(r.err, " was revoked already: nothing to do\n") {
			t.Errorf("revoke again on %s says %q", d.Name, r.err)
		}
	}
	command(t, second, "leave").want(t, 0)
	for range 2 {
		if r := command(t, second, "leave").want(t, 0); r.err != "this agent is in no cluster: nothing to leave\n" {
			t.Errorf("leave again says %q", r.err)
		}
		second.Control().Kill() // a new one does not know that it has left
		second.Agent(t)
	}
	if r := command(t, first, "remove", second.Name).want(t, 0); r.err != "member "+second.Name+" was removed, or has left, already: nothing to do\n" {
		t.Errorf("remove of who has left says %q", r.err)
	}
	command(t, first, "remove", "nobody").refused(t, "member nobody: not found", "quorate members")
}

func TestATokenIsTakenBackByTheIDThatItsMakerWasTold(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "a", 1)
	d := w.Directors[0]
	d.Agent(t)
	command(t, d, "init").want(t, 0)
	r := command(t, d, "token", "create").want(t, 0)
	_, rest, _ := strings.Cut(r.err, "quorate token revoke ")
	id, _, told := strings.Cut(rest, "`")
	if !told || strings.Count(r.out, "\n") != 1 {
		t.Fatalf("standard output %q, standard error %q", r.out, r.err)
	}
	command(t, d, "token", "revoke", id).want(t, 0)
	if out := command(t, d, "token", "list").want(t, 0).out; strings.Contains(out, id) {
		t.Errorf("still listed: %s", out)
	}
}

func TestAPlanSaysWhatEveryDirectorsKernelWouldDo(t *testing.T) {
	t.Parallel()
	w := cluster(t, 3)
	d := w.Directors[1]
	file := d.WriteFile("cluster.hcl", serviceFile)
	var plan struct {
		Kernel  map[string][]string `json:"kernel"`
		Unknown []string            `json:"unknown"`
	}
	decode(t, command(t, d, "plan", file, "-o", "json").want(t, 1).out, &plan) // this kernel has no IPVS: the plan says so too
	for _, name := range []string{"d1", "d2", "d3"} {
		if len(plan.Kernel[name]) != 2 { // the service and its server
			t.Errorf("operations on %s: %v", name, plan.Kernel[name])
		}
	}
	w.Directors[2].Die()
	plan.Kernel = nil
	decode(t, command(t, d, "plan", file, "-o", "json").want(t, 1).out, &plan)
	if len(plan.Unknown) != 1 || plan.Unknown[0] != "d3" || len(plan.Kernel) != 2 {
		t.Errorf("with d3 dead: %+v", plan)
	}
}

func TestAFrozenKeeperIsNotTakenForAnOwner(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "a", 3)
	owner := w.settled(t)
	keeper := owner.Keeper()
	if err := keeper.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keeper.Thaw() })
	w.taken(t, owner)
	lab.Eventually(t, 10*time.Second, "its own agent says that the keeper does not answer", func() error {
		out, err := owner.Quorate("status")
		if err == nil && !strings.Contains(out, "the keeper does not answer") {
			err = errText(out)
		}
		return err
	})
	st, err := owner.Status()
	if err != nil || st.Owner(group) == owner.Name {
		t.Errorf("owner %q by the agent of a frozen keeper, %v", st.Owner(group), err)
	}
	if err := keeper.Thaw(); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if err := w.OneOwner(vip); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestACommandOfTheMomentWhenTheLeadersMachineDies(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "x", 3)
	w.settled(t)
	leader := w.leader(t)
	rest := w.others(leader)
	leader.Die()
	start := time.Now()
	for _, d := range rest {
		command(t, d, "drain", "director", leader.Name).want(t, 0)
		command(t, d, "enable", "director", leader.Name).want(t, 0)
	}
	t.Logf("four changes within %v of the death", time.Since(start).Round(time.Millisecond))
}
