package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// observed are the commands whose output is evidence of a host's state.
var observed = []string{
	"ip -d addr", "ip route", "ip neigh", "ip -s link", "ipvsadm -Sn", "ipvsadm -Ln --stats", "ipvsadm -Lnc", "ss -tuanp",
}

// Evidence writes to a directory what is needed to understand a failure: every log, the state of each
// host's kernel, the captures. It prints the path, and does so once. A test that fails does it itself.
func (n *Net) Evidence() {
	n.t.Helper()
	n.mu.Lock()
	taken := n.evidence != ""
	if !taken {
		n.evidence = filepath.Join(os.Getenv(EnvArtifacts), evidenceName(n.t.Name()))
	}
	dir := n.evidence
	captures := n.captures
	n.mu.Unlock()
	if taken {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Logf("lab: no evidence: %v", err)
		return
	}
	n.t.Logf("lab: evidence in %s", dir)
	for _, h := range n.Hosts() {
		if err := h.evidence(filepath.Join(dir, h.Name)); err != nil {
			n.t.Logf("lab: evidence of %s: %v", h.Name, err)
		}
	}
	for _, c := range captures {
		if err := copyFile(c.File, filepath.Join(dir, filepath.Base(c.File))); err != nil {
			n.t.Logf("lab: evidence: %v", err)
		}
	}
}

func evidenceName(test string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' || r == 0 {
			return '_'
		}
		return r
	}, test)
	return fmt.Sprintf("%.100s-%s", clean, time.Now().Format("20060102-150405.000"))
}

func (h *Host) evidence(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, sub := range []string{"log", "etc"} {
		files, err := os.ReadDir(filepath.Join(h.Dir, sub))
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.Type().IsRegular() {
				if err := copyFile(filepath.Join(h.Dir, sub, f.Name()), filepath.Join(dir, f.Name())); err != nil {
					return err
				}
			}
		}
	}
	if !h.On() {
		return os.WriteFile(filepath.Join(dir, "state.txt"), []byte("off\n"), 0o644)
	}
	return os.WriteFile(filepath.Join(dir, "state.txt"), []byte(h.state()), 0o644)
}

// state is the output of all observing commands, run as one: a fork is dear in a guest.
func (h *Host) state() string {
	var script strings.Builder
	for _, c := range observed {
		fmt.Fprintf(&script, "echo '# %s'; %s 2>&1; ", c, c)
	}
	if _, err := os.Stat(h.Socket()); err == nil {
		if bin, err := binaryPath(); err == nil {
			fmt.Fprintf(&script, "echo '# quorate status'; timeout 5 %s status 2>&1; echo '# quorate events'; timeout 5 %s events 2>&1; ", bin, bin)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := h.Run(ctx, "sh", "-c", script.String()+"true")
	if err != nil {
		out += fmt.Sprintf("\n# %v\n", err)
	}
	return out
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
