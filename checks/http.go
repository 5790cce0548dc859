package checks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

const (
	maxHeader = 64 << 10 // bytes of status line and headers, interim responses included
	maxBody   = 64 << 10 // bytes of body that are looked at
)

// httpCheck fetches one URL over a connection of its own: HTTP/1.1, no redirects, no proxy. The
// connection is made here and not by an [http.Transport], so that one goroutine does all of it, the
// deadline holds for every byte, and a failure can be named by the step that it was met in.
type httpCheck struct {
	target netip.AddrPort
	tls    *tls.Config // nil: plain HTTP
	url    *url.URL
	host   string
	status []int
	body   string
}

func newHTTP(c fsm.Check, target netip.AddrPort) (attempt, error) {
	path := c.Path
	if path == "" {
		path = "/"
	}
	u, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("path %q: must start with a slash and be a valid request path", path)
	}
	if strings.ContainsFunc(c.Host, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("host %q: not a host name", c.Host)
	}
	u.Scheme, u.Host = "http", target.String()
	h := &httpCheck{target: target, url: u, host: c.Host, status: slices.Sorted(slices.Values(c.Status)), body: c.Body}
	if c.Kind == fsm.CheckHTTPS {
		if h.tls, err = tlsConfig(c, target); err != nil {
			return nil, err
		}
	}
	return h.fetch, nil
}

// tlsConfig verifies the chain against the check's authorities, or the host's, and the name against
// the check's host, or the target's address.
func tlsConfig(c fsm.Check, target netip.AddrPort) (*tls.Config, error) {
	name := c.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if name = strings.Trim(name, "[]"); name == "" {
		name = target.Addr().WithZone("").String()
	}
	cfg := &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: c.Insecure,
		NextProtos:         []string{"http/1.1"},
	}
	if c.CA != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, errors.New("ca: no certificate in the PEM text")
		}
	}
	return cfg, nil
}

// fetch is one attempt.
func (h *httpCheck) fetch(ctx context.Context) error {
	c, err := dial(ctx, h.target)
	if err != nil {
		return err
	}
	defer c.Close()
	var stream net.Conn = c
	if h.tls != nil {
		t := tls.Client(c, h.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			return await("TLS handshake", err)
		}
		stream = t
	}
	req := (&http.Request{
		Method: http.MethodGet, URL: h.url, Host: h.host, Close: true,
		ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": {"quorate"}, "Accept": {"*/*"}},
	}).WithContext(ctx)
	if err := req.Write(stream); err != nil {
		return await("answer", err)
	}
	return h.read(req, stream)
}

// read takes the response to req from stream and judges it.
func (h *httpCheck) read(req *http.Request, stream io.Reader) error {
	limited := &capped{r: stream, left: maxHeader, over: "response headers over 64 KiB"}
	br := bufio.NewReader(limited)
	resp, err := readResponse(br, req)
	if err != nil && limited.err != nil && limited.err != io.EOF { // net/http takes a line cut by it for a malformed one
		err = await("answer", limited.err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !h.passes(resp.StatusCode) {
		return failure(fmt.Sprintf("status %d, want %s", resp.StatusCode, h.wanted()))
	}
	limited.left, limited.over = 2*maxBody, "response body is mostly framing" // chunks of a byte each
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return await("complete response", err)
	}
	whole := len(body) <= maxBody
	switch {
	case h.body == "" || bytes.Contains(body[:min(len(body), maxBody)], []byte(h.body)):
		return nil
	case whole:
		return failure(fmt.Sprintf("body lacks %q", program.Printable(h.body, maxQuote)))
	default:
		return failure(fmt.Sprintf("first 64 KiB of body lack %q", program.Printable(h.body, maxQuote)))
	}
}

// readResponse returns the final response, past any interim ones.
func readResponse(br *bufio.Reader, req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(br, req)
		switch {
		case err == nil && resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols:
		case err == nil:
			return resp, nil
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, await("answer", err)
		default:
			return nil, failure("answer is not HTTP")
		}
	}
}

func (h *httpCheck) passes(status int) bool {
	if len(h.status) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(h.status, status)
}

func (h *httpCheck) wanted() string {
	if len(h.status) == 0 {
		return "200-299"
	}
	words := make([]string, len(h.status))
	for i, s := range h.status {
		words[i] = strconv.Itoa(s)
	}
	return program.Printable(strings.Join(words, ", "), maxQuote)
}

// capped is a reader that fails, with over as the cause, once left bytes were read.
type capped struct {
	r    io.Reader
	left int
	over failure
	err  error // the last one
}

// Read implements [io.Reader].
func (c *capped) Read(p []byte) (n int, err error) {
	if c.left <= 0 {
		c.err = c.over
		return 0, c.err
	}
	n, c.err = c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, c.err
}
