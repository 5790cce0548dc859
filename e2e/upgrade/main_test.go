package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

func TestMain(m *testing.M) { lab.Main(m) }

// program is the path of a build that an environment variable names.
func program(t *testing.T, env string) string {
	t.Helper()
	path, err := filepath.Abs(os.Getenv(env))
	if err != nil || os.Getenv(env) == "" {
		t.Fatalf("no build: set %s, as `make proofs` does: %v", env, err)
	}
	return path
}

func TestAClusterIsUpgradedUnderTraffic(t *testing.T) {
	prove(t, program(t, "QUORATE_OLD_BIN"), program(t, "QUORATE_BIN"), "")
}

// TestTheLevelIsRaisedByItself has the only director of a cluster run the newer version.
func TestTheLevelIsRaisedByItself(t *testing.T) {
	u := &upgrade{t: t, a: lab.NewArticle(t, 1), older: program(t, "QUORATE_OLD_BIN"), newer: program(t, "QUORATE_BIN")}
	d := u.a.Directors[0]
	d.Binary, d.AgentHCL = u.older, "raise_level_after = \"20s\"\n"
	u.a.Cluster(t)
	u.restart(d, u.newer)
	if out := u.must(d, "upgrade", "status"); !strings.Contains(out, fmt.Sprintf("cluster at feature level %d\n", olderLevel)) || !strings.Contains(out, "`quorate key rotate`") {
		t.Errorf("upgrade status before: %s", out)
	}
	u.eventually("the level is raised", func() error {
		if st, err := d.Status(); err != nil || st.FeatureLevel != newerLevel {
			return fmt.Errorf("level %d: %w", st.FeatureLevel, err)
		}
		return nil
	})
	if out, want := u.must(d, "events"), fmt.Sprintf("the cluster is at feature level %d, was at %d: asked for by d1, since every member has supported it for 20s", newerLevel, olderLevel); !strings.Contains(out, want) {
		t.Errorf("no event %q in\n%s", want, out)
	}
}

// TestWithoutTheLevelTheUpgradeDrifts has the newer version write what the older one does not know before the level is
// raised.
func TestWithoutTheLevelTheUpgradeDrifts(t *testing.T) {
	older, newer := program(t, "QUORATE_OLD_BIN"), program(t, "QUORATE_MUTANTS_BIN")
	proof.Fails(t, "cannot be applied here", func(t lab.T) { prove(t, older, newer, mutant.EarlyLevel) })
}
