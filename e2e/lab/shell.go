package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Console is a [T] for programs that are not tests: what it logs goes to standard error, and a fatal
// error ends [Console.Run].
type Console struct {
	name     string
	quiet    bool
	failed   bool
	cleanups []func()
}

// NewConsole makes a console; a quiet one prints errors only.
func NewConsole(name string, quiet bool) *Console { return &Console{name: name, quiet: quiet} }

// errFatal is what Fatalf panics with, for Run to recover.
var errFatal = errors.New("fatal")

// Run calls f, then everything that was to be cleaned up, and tells whether nothing failed.
func (c *Console) Run(f func()) bool {
	guard := func(f func()) {
		defer func() {
			if r := recover(); r != nil && r != any(errFatal) {
				panic(r)
			}
		}()
		f()
	}
	defer func() {
		for len(c.cleanups) > 0 {
			last := c.cleanups[len(c.cleanups)-1]
			c.cleanups = c.cleanups[:len(c.cleanups)-1]
			guard(last)
		}
	}()
	guard(f)
	return !c.failed
}

// Helper implements [T].
func (c *Console) Helper() {}

// Logf implements [T].
func (c *Console) Logf(format string, args ...any) {
	if !c.quiet || c.failed {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

// Errorf implements [T].
func (c *Console) Errorf(format string, args ...any) {
	c.failed = true
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// Fatalf implements [T].
func (c *Console) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	panic(errFatal)
}

// Failed implements [T].
func (c *Console) Failed() bool { return c.failed }

// Name implements [T].
func (c *Console) Name() string { return c.name }

// Cleanup implements [T].
func (c *Console) Cleanup(f func()) { c.cleanups = append(c.cleanups, f) }

// TempDir implements [T].
func (c *Console) TempDir() string {
	dir, err := os.MkdirTemp("", "lab-")
	if err != nil {
		c.Fatalf("lab: %v", err)
	}
	c.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Shell brings the article's network up, with a cluster of three if there is a quorate binary, and
// gives a shell in which `d1 COMMAND` runs a command on host d1. It returns the exit status. The
// calling program must have called [Child] first.
func Shell(ctx context.Context) int {
	if Inside() {
		c := NewConsole("shell", true)
		if !c.Run(func() { shell(c) }) {
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "quorate-bin-")
	if err == nil {
		defer os.RemoveAll(dir)
		var status int
		g := Guest{Program: "/proc/self/exe", Args: os.Args[1:], Interactive: true, Env: binaryEnv(dir)}
		if status, err = Boot(ctx, g); err == nil {
			return status
		}
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}

const shellHelp = `
The article's network: clients on 192.168.1.0/24, real servers on 192.168.2.0/24, directors between.
  hosts                            who is there
  d1 ipvsadm -Ln                   a command on a host; so for d2, d3, rs1, rs2, rs3, fallback, client
  d1 quorate status                the command line, on a director
  client curl -s 192.168.1.1       the service, as a client sees it
  d1 bash                          a shell on a host
  rs1 ip link set eth0 down        a real server that is away
exit ends all of it.
`

func shell(c *Console) {
	a := NewArticle(c, 3)
	bin, err := a.wrappers()
	if err != nil {
		c.Fatalf("lab: %v", err)
	}
	if _, err := binaryPath(); err != nil {
		fmt.Fprintf(os.Stderr, "lab: no agents run: %v\n", err)
	} else {
		a.Cluster(c)
		a.Apply(ArticleFile)
	}
	fmt.Print(shellHelp)
	rc := filepath.Join(a.dir, "bashrc")
	text := "PS1='lab$ '\nPATH=" + bin + ":$PATH\n"
	if err := os.WriteFile(rc, []byte(text), 0o644); err != nil {
		c.Fatalf("lab: %v", err)
	}
	sh := exec.Command("bash", "--rcfile", rc, "-i")
	sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	sh.Stdin, sh.Stdout, sh.Stderr = os.Stdin, os.Stdout, os.Stderr
	sh.Run() // its status is that of the last command, and nobody's business
}

// wrappers writes a script for each host, and returns their directory.
func (a *Article) wrappers() (string, error) {
	bin := filepath.Join(a.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	var list strings.Builder
	for _, h := range a.Hosts() {
		script := fmt.Sprintf("#!/bin/sh\nexport QUORATE_SOCKET=%s\nexec nsenter --net=%s/%s -- \"$@\"\n", h.Socket(), netnsDir, h.space)
		if err := os.WriteFile(filepath.Join(bin, h.Name), []byte(script), 0o755); err != nil {
			return "", err
		}
		fmt.Fprintf(&list, "%-10s", h.Name)
		for _, p := range h.ports {
			fmt.Fprintf(&list, " %s %v", p.name, p.prefix)
		}
		list.WriteString("\n")
	}
	if path, err := binaryPath(); err == nil {
		if err := os.Symlink(path, filepath.Join(bin, "quorate")); err != nil {
			return "", err
		}
	}
	hosts := "#!/bin/sh\ncat <<'END'\n" + list.String() + "END\n"
	return bin, os.WriteFile(filepath.Join(bin, "hosts"), []byte(hosts), 0o755)
}
