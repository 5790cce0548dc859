package lab

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

// serverOrder is what a real server's process is told at its start.
type serverOrder struct {
	Name    string
	Control string   // path of its control socket
	CA      string   // directory of the lab's CA
	Addrs   []string // for the certificate
}

type modeOrder struct {
	Service Service
	Mode    Mode
}

// A server is the process on a real server that is all its services.
type server struct {
	order serverOrder
	certs map[Certificate]*tls.Certificate

	mu    sync.Mutex // guards what follows
	modes map[Service]Mode
	open  map[Service]io.Closer
}

func runServer(order serverOrder) error {
	s := &server{order: order, modes: map[Service]Mode{}, open: map[Service]io.Closer{}}
	var err error
	if s.certs, err = makeCertificates(order); err != nil {
		return err
	}
	for _, service := range []Service{HTTP, HTTPS, SMTP, TCP, UDP} {
		if err := s.set(service, Mode{}); err != nil {
			return err
		}
	}
	control, err := net.Listen("unix", order.Control)
	if err != nil {
		return err
	}
	for {
		conn, err := control.Accept()
		if err != nil {
			return err
		}
		var o modeOrder
		reply := ""
		if err := json.NewDecoder(conn).Decode(&o); err != nil {
			reply = err.Error()
		} else if o.Service != "" {
			if err := s.set(o.Service, o.Mode); err != nil {
				reply = err.Error()
			}
		}
		json.NewEncoder(conn).Encode(reply)
		conn.Close()
	}
}

func (s *server) mode(service Service) Mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modes[service]
}

// set changes a service's mode, and listens or ceases to.
func (s *server) set(service Service, m Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modes[service] = m
	running := s.open[service]
	switch {
	case m.Stopped && running != nil:
		delete(s.open, service)
		return running.Close()
	case m.Stopped || running != nil:
		return nil
	}
	closer, err := s.listen(service)
	if err == nil {
		s.open[service] = closer
	}
	return err
}

func (s *server) listen(service Service) (io.Closer, error) {
	if service == UDP {
		return s.udpEcho()
	}
	port := map[Service]string{HTTP: ":80", HTTPS: ":443", SMTP: ":25", TCP: ":7"}[service]
	ln, err := net.Listen("tcp", port)
	if err != nil {
		return nil, err
	}
	switch service {
	case HTTPS, HTTP:
		web := &http.Server{
			Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.web(service, w, r) }),
			ErrorLog: log.New(io.Discard, "", 0),
			TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return s.certs[s.mode(HTTPS).Certificate], nil
			}},
		}
		if service == HTTPS {
			go web.ServeTLS(ln, "", "")
		} else {
			go web.Serve(ln)
		}
		return web, nil
	case SMTP:
		return acceptor(ln, s.smtp), nil
	}
	return acceptor(ln, s.tcpEcho), nil
}

// web answers an HTTP request with the server's name.
func (s *server) web(service Service, w http.ResponseWriter, _ *http.Request) {
	m := s.mode(service)
	time.Sleep(m.Delay)
	w.Header().Set("X-Server", s.order.Name)
	for key, value := range m.Header {
		w.Header().Set(key, value)
	}
	if m.Status != 0 {
		w.WriteHeader(m.Status)
	}
	body := m.Body
	if body == "" {
		body = s.order.Name + "\n"
	}
	if m.Drip == 0 {
		io.WriteString(w, body)
		return
	}
	for i := range len(body) {
		io.WriteString(w, body[i:i+1])
		w.(http.Flusher).Flush()
		time.Sleep(m.Drip)
	}
}

// listening is a listener whose connections end with it, as those of a process that dies.
type listening struct {
	net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func acceptor(ln net.Listener, serve func(net.Conn)) io.Closer {
	l := &listening{Listener: ln, conns: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			l.mu.Lock()
			l.conns[conn] = true
			l.mu.Unlock()
			go func() {
				serve(conn)
				conn.Close()
				l.mu.Lock()
				delete(l.conns, conn)
				l.mu.Unlock()
			}()
		}
	}()
	return l
}

func (l *listening) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
	return err
}

func (s *server) tcpEcho(conn net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		m := s.mode(TCP)
		if err != nil || m.Refuse {
			return
		}
		time.Sleep(m.Delay)
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// udpEcho answers from the address that was asked.
func (s *server) udpEcho() (io.Closer, error) {
	conn, err := net.ListenPacket("udp4", ":7")
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(conn)
	if err := p.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return nil, err
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, cm, from, err := p.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil || s.mode(UDP).Refuse {
				continue
			}
			var answer *ipv4.ControlMessage
			if cm != nil {
				answer = &ipv4.ControlMessage{Src: cm.Dst}
			}
			time.Sleep(s.mode(UDP).Delay)
			p.WriteTo(buf[:n], answer, from)
		}
	}()
	return conn, nil
}

// smtp is a mail server's side of a dialogue.
func (s *server) smtp(conn net.Conn) {
	m := s.mode(SMTP)
	conn.SetDeadline(time.Now().Add(time.Minute))
	say := func(text string) {
		time.Sleep(m.Delay)
		text = strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
		if m.Drip == 0 {
			io.WriteString(conn, text)
			return
		}
		for i := range len(text) {
			io.WriteString(conn, text[i:i+1])
			time.Sleep(m.Drip)
		}
	}
	if m.Refuse {
		say("554 " + s.order.Name + " takes no mail")
		return
	}
	if m.Brief {
		say(fmt.Sprintf("220 %s ESMTP", s.order.Name))
	} else {
		say(fmt.Sprintf("220-%s ESMTP\n220 ready", s.order.Name))
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		switch verb {
		case "EHLO":
			say(fmt.Sprintf("250-%s\n250-SIZE 1000000\n250 8BITMIME", s.order.Name))
		case "HELO", "NOOP", "RSET", "MAIL", "RCPT":
			say("250 " + s.order.Name)
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 " + verb + "?")
		}
	}
}

// runChild is a small program of the lab's, in a process of its own on some host.
func runChild(role string) {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "lab: child without orders")
		os.Exit(2)
	}
	var err error
	switch role {
	case roleServer:
		err = withOrder(runServer)
	case roleProbe:
		err = withOrder(runProbe)
	case roleRequests:
		err = withOrder(runRequests)
	case roleConnections:
		err = withOrder(runConnections)
	case roleSystemd:
		err = withOrder(runSystemd)
	case roleHeld:
		err = withOrder(runHeld)
	default:
		err = fmt.Errorf("no such program")
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %s: %v\n", role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

const (
	roleServer      = "server"
	roleProbe       = "probe"
	roleRequests    = "requests"
	roleConnections = "connections"
	roleSystemd     = "systemd"
)

func withOrder[O any](run func(O) error) error {
	var order O
	if err := json.Unmarshal([]byte(os.Args[1]), &order); err != nil {
		return err
	}
	return run(order)
}
