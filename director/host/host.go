package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// State says how a need was found, or what was done.
type State string

// The states of a need. Only with Missing there is an error.
const (
	WasSet  State = "was set" // or, of a module, was there: loaded before or built in
	SetNow  State = "set now"
	Loaded  State = "loaded" // a module, now
	Missing State = "missing"
)

// Result is what became of a need.
type Result struct {
	Need
	State State
	Err   error // why it is missing, and what a person can do
}

// Config is what a [Host] needs.
type Config struct {
	Log      hclog.Logger
	ReadOnly bool          // change nothing, only say what is missing
	Root     string        // where proc, sys and lib are; "/" if empty
	Modprobe string        // the program that loads modules; found in the usual places if empty
	Deadline time.Duration // of loading one module; 10 s if zero
}

// Host is this host's settings and modules.
type Host struct {
	cfg Config
}

// New makes a Host. It touches nothing.
func New(cfg Config) *Host {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Root == "" {
		cfg.Root = "/"
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = 10 * time.Second
	}
	return &Host{cfg: cfg}
}

// Ensure meets the needs, in order, unless the host is read-only, and returns a result for each.
func (h *Host) Ensure(needs []Need) []Result {
	results := make([]Result, 0, len(needs))
	for _, n := range needs {
		r := h.ensure(n, h.cfg.ReadOnly)
		switch {
		case r.Err != nil:
			h.cfg.Log.Warn("the host lacks something", "kind", n.Kind, "name", n.Name, "err", r.Err)
		case r.State != WasSet:
			h.cfg.Log.Info("changed the host", "state", r.State, "kind", n.Kind, "name", n.Name, "value", n.Value, "why", n.Why)
		}
		results = append(results, r)
	}
	return results
}

// Missing returns those needs that are not met. It changes nothing.
func (h *Host) Missing(needs []Need) []Result {
	var missing []Result
	for _, n := range needs {
		if r := h.ensure(n, true); r.State == Missing {
			missing = append(missing, r)
		}
	}
	return missing
}

// HasIPVS reports whether the kernel has IPVS now, in this network namespace.
func (h *Host) HasIPVS() bool { return h.exists("proc/net/ip_vs") }

func (h *Host) ensure(n Need, readOnly bool) Result {
	state, err := Missing, fmt.Errorf("unknown kind %q", n.Kind)
	switch n.Kind {
	case Sysctl:
		state, err = h.sysctl(n, readOnly)
	case Module:
		state, err = h.module(n, readOnly)
	}
	if err != nil {
		return Result{n, Missing, fmt.Errorf("%s %s: %w", n.Kind, n.Name, err)}
	}
	return Result{n, state, nil}
}

// sysctl meets the need of a setting.
func (h *Host) sysctl(n Need, readOnly bool) (State, error) {
	path, err := sysctlPath(n.Name)
	if err != nil {
		return Missing, err
	}
	path = h.path("proc/sys", path)
	have, err := readSetting(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Missing, fmt.Errorf("the kernel has no such setting; %s", hint(n.Name))
	case err != nil:
		return Missing, err
	case have == n.Value:
		return WasSet, nil
	case readOnly:
		return Missing, fmt.Errorf("is %s, and must be %s: run `%s`", have, n.Value, n.Command())
	}
	if err := writeSetting(path, n.Value); err != nil {
		return Missing, fmt.Errorf("%w: it is %s, run `%s`", err, have, n.Command())
	}
	if have, err = readSetting(path); err != nil || have != n.Value {
		return Missing, fmt.Errorf("it is %s after it was set to %s: %w", have, n.Value, errors.Join(err, errNotTaken))
	}
	return SetNow, nil
}

var errNotTaken = errors.New("the kernel did not take it")

// hint says what is wrong where a setting does not exist.
func hint(name string) string {
	switch {
	case strings.HasPrefix(name, "net.ipv4.vs."):
		return "is IPVS loaded (`modprobe ip_vs`)?"
	case strings.HasPrefix(name, "net.ipv6."):
		return "is IPv6 switched off?"
	case strings.Contains(name, ".conf."):
		return "is the interface there (`ip link`)?"
	}
	return "is /proc mounted?"
}

// sysctlPath returns the path of a setting below /proc/sys. As in sysctl(8), dots separate and a
// slash stands for a dot in a name.
func sysctlPath(name string) (string, error) {
	swap := strings.NewReplacer(".", "/", "/", ".")
	path := swap.Replace(name)
	if !filepath.IsLocal(path) || filepath.Clean(path) != path {
		return "", errors.New("not the name of a setting")
	}
	return path, nil
}

func readSetting(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.Join(strings.Fields(string(b)), " "), err
}

// writeSetting does not create the file: what the kernel does not have cannot be set.
func writeSetting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

func (h *Host) path(parts ...string) string {
	return filepath.Join(append([]string{h.cfg.Root}, parts...)...)
}

func (h *Host) exists(parts ...string) bool {
	_, err := os.Stat(h.path(parts...))
	return err == nil
}
