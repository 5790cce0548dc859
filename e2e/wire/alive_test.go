package wire

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestAnAgentThatHangsIsToldFromAMachineThatIsGone(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "m", 3)
	owner := w.settled(t)
	victim := w.others(owner)[0]
	machine := "the machine of " + victim.Name + " answers on the segment of web"
	says := func(what string, is func(string) bool) {
		t.Helper()
		lab.Eventually(t, 20*time.Second, what, func() error {
			if out := command(t, owner, "status").want(t, 0).out; !is(out) {
				return errors.New(out)
			}
			return nil
		})
	}
	agent, err := victim.FindProcess("agent")
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Freeze(); err != nil {
		t.Fatal(err)
	}
	says("its machine is there", func(out string) bool { return strings.Contains(out, machine) })
	if err := agent.Thaw(); err != nil {
		t.Fatal(err)
	}
	says("it is back", func(out string) bool {
		return !strings.Contains(out, machine) && !strings.Contains(out, victim.Name+" does not answer")
	})
	victim.Die()
	says("it is gone", func(out string) bool { return strings.Contains(out, victim.Name+" does not answer") })
	w.stays(t, owner, 8*time.Second) // as long as the other would take to be said
	says("and so is its machine", func(out string) bool {
		return strings.Contains(out, victim.Name+" does not answer") && !strings.Contains(out, machine)
	})
}
