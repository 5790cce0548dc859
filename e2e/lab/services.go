package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Service is one of those that every real server offers.
type Service string

// The services of a real server, and their ports.
const (
	HTTP  Service = "http"  // 80: every path answers with the server's name
	HTTPS Service = "https" // 443: the same, with a certificate of the lab's CA
	SMTP  Service = "smtp"  // 25: a mail dialogue, with replies of several lines
	TCP   Service = "tcp"   // 7: echo
	UDP   Service = "udp"   // 7: echo
)

func (s Service) match() string {
	switch s {
	case HTTP:
		return "tcp dport 80"
	case HTTPS:
		return "tcp dport 443"
	case SMTP:
		return "tcp dport 25"
	case TCP:
		return "tcp dport 7"
	}
	return "udp dport 7"
}

// A Mode is how a service behaves. The zero Mode is well.
type Mode struct {
	Stopped     bool              // nobody listens: connections are refused
	Delay       time.Duration     // before each answer
	Drip        time.Duration     // between any two bytes of an answer
	Status      int               // of HTTP; 0 is 200
	Body        string            // of HTTP; "" is the server's name
	Header      map[string]string // of HTTP, added
	Certificate Certificate       // of HTTPS
	Refuse      bool              // SMTP: answers 554; echo: closes at once
	Brief       bool              // SMTP: its banner is one line
}

// A Certificate is the kind that HTTPS shows.
type Certificate string

// The certificates a real server has.
const (
	GoodCertificate      Certificate = ""
	ExpiredCertificate   Certificate = "expired"
	OtherNameCertificate Certificate = "other name"
	SelfSigned           Certificate = "self-signed"
)

// A RealServer is a host that offers every [Service].
type RealServer struct {
	*Host

	modes map[Service]Mode
}

// RealServer adds a real server. gateway is its default route's, or "" for none.
func (n *Net) RealServer(name string, at Attachment, gateway string) *RealServer {
	n.t.Helper()
	rs := n.addRealServer(name, at, gateway)
	if err := rs.await(); err != nil {
		n.t.Fatalf("lab: %v", err)
	}
	return rs
}

// addRealServer does not wait until the services listen.
func (n *Net) addRealServer(name string, at Attachment, gateway string) *RealServer {
	n.t.Helper()
	rs := &RealServer{modes: map[Service]Mode{}}
	cfg := hostConfig{}
	if gateway != "" {
		addr, err := netip.ParseAddr(gateway)
		if err != nil {
			n.t.Fatalf("lab: gateway of %s: %v", name, err)
		}
		cfg.gateway = addr
	}
	if err := makeCA(n.dir); err != nil {
		n.t.Fatalf("lab: make the CA: %v", err)
	}
	cfg.started = func(h *Host) error {
		order := serverOrder{Name: name, Control: rs.control(h), CA: n.dir}
		for _, p := range at.prefix {
			order.Addrs = append(order.Addrs, p.Addr().String())
		}
		os.Remove(order.Control)
		_, err := h.startChild("services", roleServer, order, nil)
		return err
	}
	rs.Host = n.addHost(name, []Attachment{at}, cfg)
	return rs
}

// startChild starts one of the lab's own small programs on the host.
func (h *Host) startChild(name, role string, order any, prepare func(*exec.Cmd) error) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	return h.startProcess(name, func(cmd *exec.Cmd) error {
		cmd.Env = append(cmd.Env, envChild+"="+role)
		if prepare == nil {
			return nil
		}
		return prepare(cmd)
	}, []string{self, string(text)})
}

// CAFile is the certificate, in PEM, that signed the real servers' good certificates.
func (n *Net) CAFile() string { return filepath.Join(n.dir, caCertFile) }

func (rs *RealServer) control(h *Host) string { return filepath.Join(h.Dir, "services.sock") }

// await waits until the services listen, and gives them their modes again after a revival.
func (rs *RealServer) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := poll(ctx, func() error { return rs.tell("", Mode{}) })
	for service, mode := range rs.modes {
		if err == nil {
			err = rs.tell(service, mode)
		}
	}
	if err != nil {
		return fmt.Errorf("services of %s: %w", rs.Name, err)
	}
	return nil
}

// Set makes a service behave so, until it is undone.
func (rs *RealServer) Set(service Service, mode Mode) (undo func()) {
	rs.net.t.Helper()
	before := rs.modes[service]
	set := func(m Mode) {
		rs.net.t.Helper()
		rs.modes[service] = m
		if err := rs.tell(service, m); err != nil {
			rs.net.t.Fatalf("lab: %s of %s: %v", service, rs.Name, err)
		}
	}
	set(mode)
	return func() {
		rs.net.t.Helper()
		set(before)
	}
}

// Stop makes nobody listen: connections are refused.
func (rs *RealServer) Stop(service Service) (undo func()) {
	rs.net.t.Helper()
	return rs.Set(service, Mode{Stopped: true})
}

// Blackhole drops what is sent to the service, on the wire: no answer at all.
func (rs *RealServer) Blackhole(service Service) (undo func()) {
	rs.net.t.Helper()
	var rules []string
	for _, p := range rs.ports {
		rules = append(rules, fmt.Sprintf("oifname %q %s drop", p.outside, service.match()))
	}
	return rs.net.filter(rules)
}

// Revive switches a dead real server on again and waits for its services.
func (rs *RealServer) Revive() {
	rs.net.t.Helper()
	rs.Host.Revive()
	if err := rs.await(); err != nil {
		rs.net.t.Fatalf("lab: %v", err)
	}
}

// tell sends an order to the server process and waits until it is carried out.
func (rs *RealServer) tell(service Service, mode Mode) error {
	conn, err := net.DialTimeout("unix", rs.control(rs.Host), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if err := json.NewEncoder(conn).Encode(modeOrder{service, mode}); err != nil {
		return err
	}
	var reply string
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return err
	}
	if reply != "" {
		return fmt.Errorf("%s", strings.TrimSpace(reply))
	}
	return nil
}
