package lab

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Capture is a running tcpdump on a segment. It sees what enters the switch, before any fault.
type Capture struct {
	File string // a pcap file

	cmd    *exec.Cmd
	stderr *Buffer
	done   chan struct{}
	net    *Net
}

// Capture begins to record a segment. filter is tcpdump's; "" records all.
func (n *Net) Capture(s *Segment, filter string) *Capture {
	n.t.Helper()
	n.mu.Lock()
	file := filepath.Join(n.dir, fmt.Sprintf("%s-%d.pcap", s.Name, len(n.captures)+1))
	n.mu.Unlock()
	args := []string{"-i", s.Name, "-U", "--immediate-mode", "-Z", "root", "-s", "512", "-w", file}
	c := &Capture{File: file, stderr: &Buffer{}, done: make(chan struct{}), net: n}
	c.cmd = exec.Command("tcpdump", append(args, strings.Fields(filter)...)...)
	c.cmd.Stderr = c.stderr
	if err := n.sw.start(c.cmd); err != nil {
		n.t.Fatalf("lab: capture %s: %v", s.Name, err)
	}
	go func() {
		c.cmd.Wait()
		close(c.done)
	}()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(c.stderr.String(), "listening on"); {
		select {
		case <-c.done:
			n.t.Fatalf("lab: capture %s: %s", s.Name, c.stderr.String())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(end) {
			n.t.Fatalf("lab: capture %s does not begin", s.Name)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.captures = append(n.captures, c)
	return c
}

func (c *Capture) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(5 * time.Second):
		c.cmd.Process.Kill()
		<-c.done
	}
}

// Close ends the capture and returns its packets, a line each, as tcpdump prints them with args.
func (c *Capture) Close(args ...string) []string {
	c.net.t.Helper()
	c.stop()
	out, err := exec.Command("tcpdump", append([]string{"-nn", "-tt", "-r", c.File}, args...)...).Output()
	if err != nil {
		c.net.t.Fatalf("lab: read %s: %v", c.File, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
