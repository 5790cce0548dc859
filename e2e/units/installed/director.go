// Package installed is a director of the lab on which quorate was installed by `make install`, and runs as
// systemd's units, with the paths that it has there. It is shared by the tests of the units on this
// machine's kernel and by those that need IPVS.
package installed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/quorate/quorate/e2e/lab"
)

// The units, and where quorate is.
const (
	Control = "quorate.service"
	Keeper  = "quorate-keeper.service"
	Binary  = "/usr/local/bin/quorate"
)

// A Director is one whose agent runs as systemd's units.
type Director struct {
	*lab.Director
	*lab.Systemd
}

// Boot boots a systemd on a director and installs quorate as docs/operations.md says, with an agent file
// that says only what it must. No unit is started.
func Boot(t lab.T, host *lab.Director) *Director {
	t.Helper()
	d := &Director{host, host.Systemd(t)}
	d.MustRun(t, "make", "-C", Root(t), "install", "BIN="+os.Getenv(lab.EnvBinary))
	d.Write(t, "/etc/quorate/agent.hcl", fmt.Sprintf(
		"heartbeat = \"1s\"\nlog_level = \"debug\"\nname = %q\nbind = %q\ninterfaces {\n  wan = \"eth0\"\n  lan = \"eth1\"\n}\n", d.Name, d.Bind))
	for unit, log := range map[string]string{Control: "agent", Keeper: "keeper"} {
		d.Drop(t, unit, "log", fmt.Sprintf("[Service]\nStandardOutput=append:%s\nStandardError=append:%[1]s\n", d.LogFile(log)))
	}
	// The lab looks for the socket among the host's files.
	if err := os.Symlink("run/quorate/quorate.sock", d.Socket()); err != nil {
		t.Fatalf("%v", err)
	}
	return d
}

// Root is the directory of the Makefile.
func Root(t lab.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil || dir == "/" {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}

// Write writes a file of the machine. One that is there keeps its mode.
func (d *Director) Write(t lab.T, path, text string) {
	t.Helper()
	d.MustRun(t, "sh", "-c", `mkdir -p "${1%/*}" && printf %s "$2" >"$1"`, "sh", path, text)
}

// Drop writes a drop-in of a unit.
func (d *Director) Drop(t lab.T, unit, name, text string) {
	t.Helper()
	d.Write(t, "/etc/systemd/system/"+unit+".d/"+name+".conf", text)
	d.Systemctl(t, "daemon-reload")
}

// Systemctl runs systemctl to its end; it must succeed.
func (d *Director) Systemctl(t lab.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(d.MustRun(t, append([]string{"systemctl"}, args...)...))
}

// Property is one property of a unit.
func (d *Director) Property(t lab.T, unit, name string) string {
	t.Helper()
	return d.Systemctl(t, "show", "--property="+name, "--value", unit)
}

// Process is the process of a unit, as the lab sees it.
func (d *Director) Process(unit string) *lab.Process {
	if unit == Control {
		return d.Control()
	}
	return d.Keeper()
}
