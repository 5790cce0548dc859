package lab

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestTwoHostsPing(t *testing.T) {
	start := time.Now()
	n := New(t)
	outer := n.Segment("outer")
	a := n.Host("a", outer.At("192.0.2.1/24", "2001:db8::1/64"))
	b := n.Host("b", outer.At("192.0.2.2/24", "2001:db8::2/64"))
	t.Logf("up in %v", time.Since(start))
	a.MustRun("ping", "-c1", "-W1", b.Addr(outer).String())
	a.MustRun("ping", "-c1", "-W1", "2001:db8::2")
	if got := strings.TrimSpace(b.MustRun("hostname")); got != "b" {
		t.Errorf("host name of b: %q", got)
	}
	if got := strings.Fields(a.MustRun("ls", "/sys/class/net")); len(got) < 2 || got[0] != "eth0" {
		t.Errorf("/sys of a shows %v", got)
	}
	if got := a.MustRun("ls", "/run"); strings.TrimSpace(got) != "lab" {
		t.Errorf("/run of a shows %v", got)
	}
}

func TestIPVSForwardsByNATOverTheWires(t *testing.T) {
	if !hasIPVS() {
		t.Skip("this kernel has no IPVS")
	}
	n := New(t)
	outer, inner := n.Segment("outer"), n.Segment("inner")
	d := n.Host("d", outer.At("192.168.1.2/24"), inner.At("192.168.2.1/24"))
	client := n.Host("client", outer.At("192.168.1.100/24"))
	rs := n.addHost("rs", []Attachment{inner.At("192.168.2.11/24")}, hostConfig{gateway: d.Addr(inner)})
	d.MustRun("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	d.MustRun("ipvsadm", "-A", "-t", "192.168.1.2:80")
	d.MustRun("ipvsadm", "-a", "-t", "192.168.1.2:80", "-r", "192.168.2.11:8080", "-m")

	var ln net.Listener
	var err error
	if e := rs.Do(func() { ln, err = net.Listen("tcp", "192.168.2.11:8080") }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err == nil {
			io.WriteString(c, "from the real server")
			c.Close()
		}
	}()
	out := client.MustRun("busybox", "nc", "192.168.1.2", "80")
	if out != "from the real server" {
		t.Errorf("client read %q", out)
	}
}
