package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// errNoNamespaces means that this process may not make the namespaces a lab needs.
var errNoNamespaces = errors.New("no namespaces")

// bootNamespaces runs g's program on the machine's own kernel, in network, mount, process and host name
// namespaces of its own, and for an ordinary user in a user namespace. All that runs in them ends with
// their init.
func bootNamespaces(ctx context.Context, g Guest) (int, error) {
	dir, err := os.MkdirTemp("", "quorate-lab-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if g.Program == "/proc/self/exe" {
		g.Program = self
	}
	s, err := g.newSpec(dir, false)
	if err != nil {
		return 0, err
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()

	runtime.LockOSThread() // the death signal is tied to the thread that forks
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envSpec+"="+dir+"/spec.json")
	cmd.Stdin = os.Stdin
	cmd.Stdout, cmd.Stderr = g.writers()
	cmd.SysProcAttr = namespaceAttr()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("%w: %w", errNoNamespaces, err)
	}
	err = cmd.Wait()
	if status, serr := readStatus(s.Status); serr == nil {
		return status, nil
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("lab killed: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitNoNamespaces {
		return 0, fmt.Errorf("%w: set-up refused", errNoNamespaces)
	}
	return 0, fmt.Errorf("lab ended without a status: %w", err)
}

func namespaceAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Pdeathsig:  syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}
