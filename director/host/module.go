package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// module meets the need of a kernel module. One that is built in is as good.
func (h *Host) module(n Need, readOnly bool) (State, error) {
	if strings.Trim(n.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || n.Name == "" {
		return Missing, errors.New("not the name of a module")
	}
	if h.has(n.Name) {
		return WasSet, nil
	}
	if readOnly {
		return Missing, fmt.Errorf("not loaded: run `%s`", n.Command())
	}
	if err := h.load(n.Name); err != nil {
		return Missing, fmt.Errorf("%w: the kernel must have it, as a module (`%s`) or built in", err, n.Command())
	}
	return Loaded, nil
}

// has reports whether the kernel has a module, loaded or built in. A module that is built in and has
// no parameters has no folder in /sys.
func (h *Host) has(name string) bool {
	return h.exists("sys/module", name) || name == "ip_vs" && h.HasIPVS() || h.builtIn(name)
}

func (h *Host) builtIn(name string) bool {
	release, err := readSetting(h.path("proc/sys/kernel/osrelease"))
	if err != nil {
		return false
	}
	list, err := os.ReadFile(h.path("lib/modules", release, "modules.builtin"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(list)) {
		file, _, _ := strings.Cut(filepath.Base(strings.TrimSpace(line)), ".")
		if strings.ReplaceAll(file, "-", "_") == name {
			return true
		}
	}
	return false
}

// CanHaveIPVS reports whether the kernel has IPVS, or could load it as far as modprobe knows. It changes
// nothing.
func (h *Host) CanHaveIPVS() bool {
	return h.HasIPVS() || h.builtIn("ip_vs") || h.run("-n", "-q", "--", "ip_vs") == nil
}

// load makes the kernel load a module.
func (h *Host) load(name string) error { return h.run("--", name) }

// run runs modprobe.
func (h *Host) run(args ...string) error {
	program, err := h.modprobe()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.cfg.Deadline)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &said, &said, 100*time.Millisecond
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	// A modprobe that hangs inside the kernel cannot be killed, and this goroutine waits for as long
	// as it hangs: the price of a deadline that holds.
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(h.cfg.Deadline + time.Second):
		return fmt.Errorf("%s hangs in the kernel: %w", program, os.ErrDeadlineExceeded)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end in %v: %w", program, h.cfg.Deadline, os.ErrDeadlineExceeded)
	case err != nil:
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// modprobe finds the program. The places that only root's PATH has are tried too.
func (h *Host) modprobe() (string, error) {
	if h.cfg.Modprobe != "" {
		return h.cfg.Modprobe, nil
	}
	for _, name := range []string{"modprobe", "/usr/sbin/modprobe", "/sbin/modprobe"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no modprobe on this host")
}
