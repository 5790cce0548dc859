package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
)

// survivor is the one director that is left of three.
type survivor struct {
	whole

	done      bool
	refuses   bool
	recovered []api.RecoverRequest
}

func (s *survivor) PlanRecovery(_ context.Context, r api.RecoverRequest) (api.RecoveryPlan, error) {
	if s.refuses {
		return api.RecoveryPlan{}, fmt.Errorf("the cluster is not lost: of 3 members 2 answer (force %v)", r.Force)
	}
	return api.RecoveryPlan{
		Done: s.done, Survivor: "d3", Epoch: 2, AsOf: 42, Revision: 7, Written: noon, Halted: "log entry 43 cannot be applied here",
		Members: []api.LostMember{{Name: "d1", Address: "192.0.2.2:7400"}, {Name: "d2", Address: "192.0.2.3:7400", Answers: true, AppliedIndex: 40}, {Name: "d4", Address: "192.0.2.5:7400", Answers: true, Why: "is a clock wrong?"}, {Name: "d5", Address: "192.0.2.6:7400", Owns: "web"}},
	}, nil
}

func (s *survivor) Recover(_ context.Context, r api.RecoverRequest, p api.Progress) error {
	s.recovered = append(s.recovered, r)
	p("d3 is ready")
	return nil
}

func TestRecoverSaysWhatIsLostAndAsksAPerson(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		args         []string
		code         int
		recovered    bool
	}{
		{name: "yes", answer: "yes\n", recovered: true},
		{name: "no", answer: "n\n", code: 1},
		{name: "a person who said it already", answer: "n\n", args: []string{"--yes", "--force"}, recovered: true},
		{name: "a program", code: 1},
		{name: "a program that was told to", args: []string{"--yes", "--force"}, recovered: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var terminal *os.File
			if tt.answer != "" {
				var master *os.File
				master, terminal = openTerminal(t)
				if _, err := master.WriteString(tt.answer); err != nil {
					t.Fatal(err)
				}
			}
			a := &survivor{}
			out, said, code := quorate(t, a, terminal, append([]string{"recover"}, tt.args...)...)
			if code != tt.code || (len(a.recovered) == 1) != tt.recovered || out != "" {
				t.Errorf("exit %d, recovered %v, printed %q", code, a.recovered, out)
			}
			for _, want := range []string{"as of log entry 42 (revision 7, written 2026-11-01 12:00:00)", "is lost", "d1 (192.0.2.2:7400) does not answer", "d2 (192.0.2.3:7400) answers, at log entry 40", "d4 (192.0.2.5:7400) answers (is a clock wrong?): ", "d5 (192.0.2.6:7400) does not answer, and is heard as the owner of web: ", "entry 43"} {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in %q", want, said)
				}
			}
			if tt.answer == "" && !tt.recovered && !strings.HasSuffix(said, "quorate: not recovered: standard input is no terminal, so nobody can be asked; confirm with --yes\n") {
				t.Errorf("it does not say why: %q", said)
			}
			if tt.recovered && a.recovered[0].Force != (len(tt.args) > 1) {
				t.Errorf("%+v", a.recovered)
			}
		})
	}
}

func TestRecoverAgainHasNothingToAsk(t *testing.T) {
	a := &survivor{done: true}
	_, said, code := quorate(t, a, nil, "recover")
	if code != 0 || strings.Contains(said, "is lost") || len(a.recovered) != 1 {
		t.Errorf("exit %d, %q, %v", code, said, a.recovered)
	}
}

func TestRecoverThatIsRefusedDoesNothing(t *testing.T) {
	a := &survivor{refuses: true}
	_, said, code := quorate(t, a, nil, "recover", "--yes")
	if code != 1 || said != "quorate: the cluster is not lost: of 3 members 2 answer (force false)\n" || len(a.recovered) > 0 {
		t.Errorf("exit %d, %q, %v", code, said, a.recovered)
	}
}
