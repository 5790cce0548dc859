package agent

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
)

// TestAnUnattendedJoinThatIsInVainSaysWhy has an agent look for its token in a file that is not there, has nothing in it, or something
// else: status says what it tries, why that is in vain, and not to make a cluster.
func TestAnUnattendedJoinThatIsInVainSaysWhy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for name, tt := range map[string]struct {
		write func() error
		want  string
	}{
		"missing": {func() error { return os.RemoveAll(file) }, "read the join token: open " + file + ": no such file or directory"},
		"empty":   {func() error { return os.WriteFile(file, []byte("\n"), 0o600) }, file + " is empty: it is to have the join token"},
		"wrong":   {func() error { return os.WriteFile(file, []byte("hello"), 0o600) }, file + ": not a join token: it begins with quorate1-"},
	} {
		if err := tt.write(); err != nil {
			t.Fatal(err)
		}
		address := netip.MustParseAddrPort("127.0.0.9:7400")
		a := &Agent{cfg: Config{Log: hclog.NewNullLogger(), File: config.Agent{
			Name: "d4", DataDir: t.TempDir(), Bind: netip.MustParseAddrPort("127.0.0.8:7400"), Gossip: netip.MustParseAddrPort("127.0.0.8:7401"), Join: &config.Join{Address: address, TokenFile: file},
		}}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			a.joinUnattended(ctx, a.Join)
			close(ended)
		}()
		soon(t, name+": it has tried", func() bool {
			j := a.unattended()
			return j != nil && j.Error != ""
		})
		st, err := a.Status(ctx)
		if err != nil || len(st.Warnings) != 1 || st.Joining == nil {
			t.Fatalf("%s: %+v, %v", name, st, err)
		}
		said := st.Warnings[0]
		if !strings.Contains(said, "joins one by 127.0.0.9:7400, as its agent file says, and tries that every 5s; at ") || !strings.Contains(said, tt.want) || strings.Contains(said, "quorate init") {
			t.Errorf("%s: it says %q", name, said)
		}
		if j := st.Joining; j.Address != address.String() || j.Every != 5 || !strings.HasPrefix(j.Error, tt.want) || time.Since(j.Tried) > time.Minute {
			t.Errorf("%s: %+v", name, *j)
		}
		if _, _, err := a.Config(ctx); err == nil || err.Error() != said {
			t.Errorf("%s: another command says %v", name, err)
		}
		cancel()
		<-ended
	}
}

// TestAnUnattendedJoinThatWorkedIsNotDoneAgain has the agent's part in the cluster end as the join returns.
func TestAnUnattendedJoinThatWorkedIsNotDoneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		a := &Agent{cfg: Config{Log: hclog.New(&hclog.LoggerOptions{Output: &said}), File: config.Agent{Join: &config.Join{Token: "quorate1-x"}}}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		joined := 0
		a.joinUnattended(ctx, func(context.Context, api.JoinRequest, api.Progress) error {
			if joined++; joined > 1 {
				cancel()
			}
			return nil
		})
		if joined != 1 || said.Len() > 0 {
			t.Errorf("joined %d times, and it says %q", joined, said.String())
		}
	})
}
