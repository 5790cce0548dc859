package power

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

// envProgram makes the test binary the guest's program: it names the quorate to run.
const envProgram = "QUORATE_POWER_PROGRAM"

const agentFile = `
name      = "d1"
bind      = "127.0.0.1"
data_dir  = %q
socket    = "/run/quorate.sock"
heartbeat = "500ms"
liveness  = "500ms"
interfaces {
  wan = "lo"
}
`

// live is the guest's program: it starts an agent on the disk, prints what it finds, and writes until the power is cut.
func live(program string) error {
	file := "/run/agent.hcl"
	if err := os.WriteFile(file, fmt.Appendf(nil, agentFile, filepath.Join(lab.Disk, "quorate")), 0o644); err != nil {
		return err
	}
	agent := exec.Command(program, "agent", "--config", file)
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Wait() }()
	client, ctx := api.NewClient("/run/quorate.sock"), context.Background()
	cfg, base, err := begin(ctx, client, ended)
	if err != nil {
		return err
	}
	fmt.Printf("have %d\n", written(cfg))
	for {
		next := written(cfg) + 1
		cfg = fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": web(next)})}
		res, err := client.Apply(ctx, api.ApplyRequest{Base: base, Config: cfg})
		if err != nil {
			return fmt.Errorf("write %d: %w", next, err)
		}
		fmt.Printf("acked %d\n", next)
		base = res.Revision
	}
}

// begin waits until the agent leads its cluster of one, which it makes if there is none, and returns the configuration.
func begin(ctx context.Context, client *api.Client, ended <-chan error) (fsm.Config, uint64, error) {
	for {
		select {
		case err := <-ended:
			return fsm.Config{}, 0, fmt.Errorf("the agent ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
		st, err := client.Status(ctx)
		switch {
		case err == nil && st.Cluster == "" || err != nil && strings.Contains(err.Error(), "in no cluster"):
			if err := client.Init(ctx, func(string) {}); err != nil {
				return fsm.Config{}, 0, fmt.Errorf("init: %w", err)
			}
		case err == nil && st.Quorum && st.Leader == "d1":
			cfg, base, err := client.Config(ctx)
			if err != nil {
				continue
			}
			// That nothing is to be changed is said by who has all that was agreed; a read alone may be of before.
			if plan, err := client.Plan(ctx, api.ApplyRequest{Base: base, Config: cfg}); err == nil && len(plan.Changes) == 0 && plan.Base == base {
				return cfg, base, nil
			}
		}
	}
}

// written is the number of the last write that is in a configuration.
func written(c fsm.Config) int {
	s, ok := c.Services.Lookup("web")
	if !ok {
		return 0
	}
	return int(s.Servers[1].Weight)*10000 + int(s.Servers[0].Weight)
}

// web is the service that a write makes: its number is in the weights.
func web(number int) fsm.Service {
	server := func(last byte, weight int) fsm.Server {
		return fsm.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, last}), 80), Weight: uint32(weight)}
	}
	return fsm.Service{
		Name: "web", Address: netip.MustParseAddrPort("192.0.2.1:80"), Protocol: fsm.TCP, Scheduler: "rr", Forward: fsm.NAT,
		Servers: []fsm.Server{server(11, number%10000), server(12, number/10000)},
	}
}
