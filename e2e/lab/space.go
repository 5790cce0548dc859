package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns"

// A space is a set of namespaces: network, mounts and host name. `ip netns exec` finds the first.
type space struct {
	name     string
	net      netns.NsHandle
	mnt, uts int
	nl       *netlink.Handle
}

// spaceConfig says what a new space has.
type spaceConfig struct {
	Name     string            // in /run/netns
	Hostname string            // "" keeps the lab's
	Run      string            // directory that is its /run; "" keeps the lab's
	Settings map[string]string // /proc/sys/net/KEY
}

// switchSettings keep the switch itself silent: it has no addresses.
func switchSettings() map[string]string {
	return map[string]string{"ipv6/conf/all/disable_ipv6": "1", "ipv6/conf/default/disable_ipv6": "1"}
}

func newSpace(cfg spaceConfig) (*space, error) {
	s := &space{name: cfg.Name, net: -1, mnt: -1, uts: -1}
	err := onOwnThread(func() error { return s.unshare(cfg) })
	if err == nil {
		err = s.publish()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// onOwnThread runs f on a thread that ends with it, so that f may change what threads share.
func onOwnThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread goes with the goroutine
		done <- f()
	}()
	return <-done
}

func (s *space) unshare(cfg spaceConfig) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	if cfg.Hostname != "" {
		if err := unix.Sethostname([]byte(cfg.Hostname)); err != nil {
			return fmt.Errorf("set the host name: %w", err)
		}
	}
	if err := cfg.mounts(); err != nil {
		return err
	}
	for key, value := range cfg.Settings {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644); err != nil {
			return err
		}
	}
	var err error
	if s.net, err = netns.Get(); err != nil {
		return err
	}
	if s.mnt, err = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	if s.uts, err = unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	return nil
}

// mounts gives the new mount namespace a /sys and a /run of its own. The lab's /run goes, since it
// holds the other hosts' network namespaces and would keep a dead one alive.
func (cfg spaceConfig) mounts() error {
	if err := (mount{"sysfs", "/sys", "sysfs", 0, ""}).do(); err != nil {
		return err
	}
	if cfg.Run == "" {
		return nil
	}
	for _, m := range []mount{
		{labDir, cfg.Run + "/lab", "", unix.MS_BIND | unix.MS_REC, ""},
		{cfg.Run, aside, "", unix.MS_BIND | unix.MS_REC, ""},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	if err := unix.Unmount("/run", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /run: %w", err)
	}
	return mount{aside, "/run", "", unix.MS_MOVE, ""}.do()
}

// publish opens netlink in the space, and names its network for `ip netns`.
func (s *space) publish() error {
	var err error
	if s.nl, err = netlink.NewHandleAt(s.net, unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	path := filepath.Join(netnsDir, s.name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	f.Close()
	return mount{fmt.Sprintf("/proc/self/fd/%d", int(s.net)), path, "", unix.MS_BIND, ""}.do()
}

// close lets the namespaces go. They end with their last process.
func (s *space) close() {
	path := filepath.Join(netnsDir, s.name)
	unix.Unmount(path, unix.MNT_DETACH)
	os.Remove(path)
	if s.nl != nil {
		s.nl.Close()
	}
	if s.net >= 0 {
		s.net.Close()
	}
	for _, fd := range []int{s.mnt, s.uts} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// enter moves the calling thread into the space for good.
func (s *space) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return errors.Join(
		unix.Setns(int(s.net), unix.CLONE_NEWNET),
		unix.Setns(s.uts, unix.CLONE_NEWUTS),
		unix.Setns(s.mnt, unix.CLONE_NEWNS),
	)
}

// inside runs f in the space's network, for the sockets it opens.
func (s *space) inside(f func()) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := netns.Set(s.net); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if netns.Set(home) == nil {
			runtime.UnlockOSThread() // else the thread is lost with the goroutine, and does no harm
		}
	}()
	f()
	return nil
}

// output runs a command to its end in the space and returns all that it wrote.
func (s *space) output(cmd *exec.Cmd) (string, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := s.start(cmd); err != nil {
		return "", err
	}
	limit := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer limit.Stop()
	err := cmd.Wait()
	return out.String(), err
}

// start forks from a thread that is in the space.
func (s *space) start(cmd *exec.Cmd) error {
	return onOwnThread(func() error {
		if err := s.enter(); err != nil {
			return fmt.Errorf("enter %s: %w", s.name, err)
		}
		return cmd.Start()
	})
}
