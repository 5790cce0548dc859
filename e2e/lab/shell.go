package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

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

// Shell brings the article's network up, with a cluster of three if there is a quorate binary, and gives
// a shell on standard input in which `d1 COMMAND` runs a command on host d1. It returns when the shell
// ends. Call it inside a lab that was booted with [Guest.Interactive].
func Shell(t T) {
	t.Helper()
	a := NewArticle(t, 3)
	bin, err := a.wrappers()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	if _, err := binaryPath(); err != nil {
		t.Logf("no agents run: %v", err)
	} else {
		a.Cluster(t)
		a.Apply(ArticleFile)
	}
	fmt.Print(shellHelp)
	rc := filepath.Join(a.dir, "bashrc")
	text := "PS1='lab$ '\nPATH=" + bin + ":$PATH\n"
	if err := os.WriteFile(rc, []byte(text), 0o644); err != nil {
		t.Fatalf("lab: %v", err)
	}
	sh := exec.Command("bash", "--rcfile", rc, "-i")
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
