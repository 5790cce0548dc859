package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// machineOnly are the capabilities that nothing in a lab's systemd has: what they change is the machine's.
var machineOnly = []uintptr{
	unix.CAP_SYS_MODULE, unix.CAP_SYS_TIME, unix.CAP_SYS_RAWIO, unix.CAP_SYSLOG, unix.CAP_WAKE_ALARM,
	unix.CAP_AUDIT_CONTROL, unix.CAP_AUDIT_WRITE, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE,
}

// machineUnits are the units of the machine that a lab's systemd has; nothing is wanted by them.
var machineUnits = []string{"*.target", "*.slice", "systemd-poweroff.service", "systemd-reboot.service"}

// aside is where the parts of a mount namespace are prepared, before they take their places.
const aside = "/mnt"

// runSystemd is process 1 of a process namespace; it makes its mounts and becomes systemd.
func runSystemd(o systemdOrder) error {
	runtime.LockOSThread()
	program, err := systemdProgram()
	if err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("make a namespace of control groups: %w", err)
	}
	for _, step := range []func() error{
		systemdKernel, func() error { return systemdDevices(o.Console) }, systemdFiles, systemdUnits,
		func() error { return os.WriteFile("/etc/hostname", []byte(o.Hostname+"\n"), 0o644) },
		func() error { return unix.Unmount(aside, unix.MNT_DETACH) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, c := range machineOnly {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	env := []string{"container=lab", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return syscall.Exec(program, []string{program, "--system", "--unit=multi-user.target", "--log-level=info"}, env)
}

// systemdKernel mounts the kernel's file systems. Of its settings, those of the network are the host's own;
// all others are the machine's and read-only.
func systemdKernel() error {
	for _, m := range []mount{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"/proc/sys/net", "/proc/sys/net", "", unix.MS_BIND, ""},
		{"/proc/sys", aside, "", unix.MS_BIND | unix.MS_REC, ""},
		{"", aside, "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY, ""},
		{aside, "/proc/sys", "", unix.MS_MOVE, ""},
		{"", "/sys", "", unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY, ""},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""},
		{"tmpfs", aside, "tmpfs", 0, "mode=755"},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// systemdDevices makes a /dev without the machine's: no disk, no watchdog, no kernel log.
func systemdDevices(console string) error {
	dev := filepath.Join(aside, "dev")
	for _, dir := range []string{dev, dev + "/pts", dev + "/shm"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := (mount{"tmpfs", dev, "tmpfs", 0, "mode=755"}).do(); err != nil {
		return err
	}
	for _, dir := range []string{dev + "/pts", dev + "/shm"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	binds := []mount{{"/dev/pts", dev + "/pts", "", unix.MS_BIND, ""}}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		binds = append(binds, mount{"/dev/" + name, dev + "/" + name, "", unix.MS_BIND, ""})
	}
	binds = append(binds, mount{console, dev + "/console", "", unix.MS_BIND, ""})
	for _, m := range binds {
		if _, err := os.Stat(m.to); err != nil {
			if err := os.WriteFile(m.to, nil, 0o644); err != nil {
				return err
			}
		}
		if err := m.do(); err != nil {
			return err
		}
	}
	for to, from := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink(from, filepath.Join(dev, to)); err != nil {
			return err
		}
	}
	return mount{dev, "/dev", "", unix.MS_MOVE, ""}.do()
}

// systemdFiles makes what a program installs to writable, and forgets what the machine has of quorate there.
func systemdFiles() error {
	for _, dir := range []string{"/etc", "/usr/local", "/tmp"} {
		upper, work := filepath.Join(aside, dir, "upper"), filepath.Join(aside, dir, "work")
		if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
			return err
		}
		if st, err := os.Stat(dir); err == nil {
			os.Chmod(upper, st.Mode().Perm()|st.Mode()&os.ModeSticky)
		}
		if err := (mount{"overlay", dir, "overlay", 0, "lowerdir=" + dir + ",upperdir=" + upper + ",workdir=" + work}).do(); err != nil {
			return err
		}
	}
	if err := (mount{"tmpfs", "/var", "tmpfs", 0, "mode=755"}).do(); err != nil {
		return err
	}
	for _, dir := range []string{"/var/lib", "/var/log", "/var/cache", "/var/tmp"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod("/var/tmp", 0o1777), os.Symlink("/run", "/var/run"),
		os.RemoveAll("/etc/quorate"), os.RemoveAll("/usr/local/lib/systemd"),
		os.RemoveAll("/etc/systemd/system"), os.MkdirAll("/etc/systemd/system", 0o755))
}

// systemdUnits hides the machine's units but the few that a systemd cannot be without.
func systemdUnits() error {
	from, err := filepath.EvalSymlinks("/lib/systemd/system")
	if err != nil {
		return err
	}
	units, none := filepath.Join(aside, "units"), filepath.Join(aside, "none")
	if err := errors.Join(os.Mkdir(units, 0o755), os.Mkdir(none, 0o755)); err != nil {
		return err
	}
	for _, pattern := range machineUnits {
		files, err := filepath.Glob(filepath.Join(from, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := copyFile(file, filepath.Join(units, filepath.Base(file))); err != nil {
				return err
			}
		}
	}
	if err := (mount{units, from, "", unix.MS_BIND, ""}).do(); err != nil {
		return err
	}
	generators := filepath.Join(filepath.Dir(from), "system-generators")
	if _, err := os.Stat(generators); err != nil {
		return nil
	}
	return mount{none, generators, "", unix.MS_BIND, ""}.do()
}
