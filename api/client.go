package api

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// Client speaks to an agent, over its unix socket or its cluster port. It is an [Agent] itself.
type Client struct {
	// Waiting is called when the answer to a request that changes something takes long. It may be nil.
	Waiting func()

	at   string // the socket's path, or the port's address
	base string // of URLs
	http *http.Client
	ca   *x509.Certificate // of the client's own certificate; nil at a socket

	patience patience
}

// CA returns the ID of the CA that has signed the client's certificate, or "" at a socket.
func (c *Client) CA() string {
	if c.ca == nil {
		return ""
	}
	return fsm.KeyID(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ca.Raw}))
}

// NewClient returns a client of the agent at a socket. Nothing is sent yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	// A connection for each call: clients are made for one, and nobody closes them.
	tr := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	return &Client{at: socket, base: "http://agent", http: &http.Client{Transport: tr}, patience: patience{readLimit, waitNotice}}
}

var _ Agent = (*Client)(nil)

// Status implements [Agent].
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
	s.CutOff = s.CutOff || s.Quorum && s.Voters > 0 && 2*s.Answering <= s.Voters // an older agent does not say it
	return s, err
}

// Config implements [Agent].
func (c *Client) Config(ctx context.Context) (fsm.Config, uint64, error) {
	return c.config(ctx, "/v1/config")
}

// config reads a configuration. What an agent of a newer version says of a service that is not known here is passed over, as it
// is of all else; a [fsm.Map] would refuse it.
func (c *Client) config(ctx context.Context, path string) (fsm.Config, uint64, error) {
	var q struct {
		Base   uint64 `json:"base"`
		Config struct {
			fsm.Config
			Services map[string]fsm.Service `json:"services"`
		} `json:"config"`
	}
	err := c.call(ctx, http.MethodGet, path, nil, &q)
	q.Config.Config.Services = fsm.MapOf(q.Config.Services)
	return q.Config.Config, q.Base, err
}

// Events implements [Agent].
func (c *Client) Events(ctx context.Context, after uint64, wait bool) (es []Event, err error) {
	path := "/v1/events?after=" + strconv.FormatUint(after, 10)
	if wait {
		path += "&wait=1"
	}
	return es, c.call(ctx, http.MethodGet, path, nil, &es)
}

// Explain implements [Agent].
func (c *Client) Explain(ctx context.Context, group string) (e Explanation, err error) {
	return e, c.call(ctx, http.MethodGet, "/v1/explain?group="+url.QueryEscape(group), nil, &e)
}

// Plan implements [Agent].
func (c *Client) Plan(ctx context.Context, r ApplyRequest) (p Plan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/plan", r, &p)
}

// Apply implements [Agent].
func (c *Client) Apply(ctx context.Context, r ApplyRequest) (res ApplyResult, err error) {
	return res, c.call(ctx, http.MethodPost, "/v1/apply", r, &res)
}

// CreateToken implements [Agent].
func (c *Client) CreateToken(ctx context.Context, r TokenRequest) (t Token, err error) {
	return t, c.call(ctx, http.MethodPost, "/v1/tokens", r, &t)
}

// Tokens implements [Agent].
func (c *Client) Tokens(ctx context.Context) (ts []TokenInfo, err error) {
	return ts, c.call(ctx, http.MethodGet, "/v1/tokens", nil, &ts)
}

// RevokeToken implements [Agent].
func (c *Client) RevokeToken(ctx context.Context, id string) (e Ended, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/tokens/revoke", TokenInfo{ID: id}, &e)
}

// Remove implements [Agent].
func (c *Client) Remove(ctx context.Context, name string, force bool) (e Ended, err error) {
	return e, c.call(ctx, http.MethodPost, "/v1/remove", removeRequest{name, force}, &e)
}

// Init implements [Agent].
func (c *Client) Init(ctx context.Context, p Progress) error {
	return c.stream(ctx, "/v1/init", struct{}{}, p)
}

// Join implements [Agent].
func (c *Client) Join(ctx context.Context, r JoinRequest, p Progress) error {
	return c.stream(ctx, "/v1/join", r, p)
}

// Leave implements [Agent].
func (c *Client) Leave(ctx context.Context, r LeaveRequest, p Progress) error {
	return c.stream(ctx, "/v1/leave", r, p)
}

// Drain implements [Agent].
func (c *Client) Drain(ctx context.Context, r DrainRequest, p Progress) error {
	return c.stream(ctx, "/v1/drain", r, p)
}

// Move implements [Agent].
func (c *Client) Move(ctx context.Context, r MoveRequest, p Progress) error {
	return c.stream(ctx, "/v1/move", r, p)
}

// call asks once and decodes the answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return unanswered(method, fmt.Errorf("answer of the agent at %s: %w", c.at, err))
	}
	return nil
}

// stream asks for a long operation and passes its steps on.
func (c *Client) stream(ctx context.Context, path string, in any, p Progress) error {
	resp, err := c.send(ctx, http.MethodPost, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for d := json.NewDecoder(resp.Body); ; {
		var l line
		switch err := d.Decode(&l); {
		case err != nil:
			return fmt.Errorf("the agent at %s ended before it was done: %w; see its log, then run the command again", c.at, err)
		case l.Error != "":
			return errors.New(l.Error)
		case l.Done:
			return nil
		}
		p(l.Step)
	}
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	var f failure
	if err := json.NewDecoder(resp.Body).Decode(&f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("the agent at %s answered %s", c.at, resp.Status)
	}
	return nil, errors.New(f.Error)
}

// unreachable says what to do about an agent that cannot be asked.
func (c *Client) unreachable(err error) error {
	var at *url.Error
	if c.base != "http://agent" && errors.As(err, &at) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		var told *net.OpError // what the other side said, without where in the client that was heard
		if errors.As(at.Err, &told) {
			at.Err = told
		}
		if lineage.Refused(at.Err) {
			return fmt.Errorf("the director at %s takes the certificate no more: the CA that signed it was rotated, and dropped; make another with `quorate cert create` (%w)", c.at, at.Err)
		}
		return fmt.Errorf("ask the director at %s: %w", c.at, at.Err)
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case c.at == "":
		return errors.New("no socket to ask an agent through: name it with --socket or QUORATE_SOCKET")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no agent has the socket %s: start one with `quorate agent`, or name its socket with --socket or QUORATE_SOCKET", c.at)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for the socket %s: be root, or a member of the group that owns it", c.at)
	case errors.Is(err, syscall.EAGAIN): // so many wait already that the kernel takes no more
		return c.silent()
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the agent at %s is not running: start it with `quorate agent` or `systemctl start quorate`", c.at)
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err // without the address of the request, which says nothing at a socket
	}
	return fmt.Errorf("ask the agent at %s: %w", c.at, err)
}
