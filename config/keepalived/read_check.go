package keepalived

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// checker is a check of a real server.
type checker struct {
	Place
	kind    fsm.CheckKind // "" for one that quorate does not have
	word    string
	server  netip.Addr
	probing probing
	port    uint16
	host    string
	hostAt  Place
	pages   []*page
	sni     bool
	helo    string
	script  []string
	limit   time.Duration // misc_timeout
	limitAt Place
	dynamic bool
	user    string
	hosts   int // of an SMTP_CHECK
	alpha   bool
}

// page is a url of an HTTP check.
type page struct {
	Place
	path   string
	status []int
	host   string
	hostAt Place
	body   string
	bodyAt Place
	negate bool
}

// checkKinds are the checks that there are.
var checkKinds = map[string]fsm.CheckKind{
	"TCP_CHECK": fsm.CheckTCP, "HTTP_GET": fsm.CheckHTTP, "SSL_GET": fsm.CheckHTTPS, "SMTP_CHECK": fsm.CheckSMTP, "MISC_CHECK": fsm.CheckScript,
}

// noChecks are those of keepalived that there are not.
var noChecks = []string{"DNS_CHECK", "UDP_CHECK", "PING_CHECK", "FILE_CHECK", "BFD_CHECK"}

func readCheck(h *host, r *realServer, s *Statement) {
	c := &checker{Place: s.Place, kind: checkKinds[s.Word], word: s.Word, server: r.address.Addr(), probing: unsaid()}
	if !s.Open {
		h.notes.Differs(s.Place, in(inServer, s.Word), "it has no { }: keepalived takes the next } for its end, and reads what comes behind as other than it looks")
	}
	if c.kind == "" {
		h.tell(Dropped, inServer, s, "%s", h.tables.server[s.Word].text)
		s.entered = true
		for _, one := range s.Block {
			if h.tables.check[one.Word] == nil {
				h.stray(s.Word, one)
				continue
			}
			h.notes.Dropped(one.Place, in(s.Word, one.Word), "it is of a check that there is not")
		}
		r.checks = append(r.checks, c)
		return
	}
	walk(h, s, h.tables.check, c)
	r.checks = append(r.checks, c)
	r.alpha = r.alpha || c.alpha
}

func checkKeywords() []keyword[checker] {
	all := []keyword[checker]{
		{"connect_port", Carried, "`port`", func(h *host, c *checker, s *Statement) {
			if n, ok := h.number(c.word, s, 1, 65535); ok {
				c.port = uint16(n)
			}
		}},
		{"connect_ip", Dropped, "the server itself is probed", readProbed},
		{"bindto bind_port bind_if fwmark", Dropped, "probes come from the address that the kernel chooses", nil},
		{"alpha", Carried, alphaText, func(h *host, c *checker, s *Statement) { c.alpha = h.flag(c.word, s) }},
		{"log_all_failures", Dropped, "what a check says is in `quorate explain`", nil},
		{"url", Carried, "`path`, in a check for each", func(h *host, c *checker, s *Statement) {
			p := &page{Place: s.Place}
			walk(h, s, h.tables.url, p)
			if p.path == "" {
				h.tell(Dropped, c.word, s, "it has no path, and keepalived leaves it out too")
				return
			}
			c.pages = append(c.pages, p)
		}},
		{"virtualhost", Carried, "`host`", func(h *host, c *checker, s *Statement) { c.host, c.hostAt = h.word(c.word, s), s.Place }},
		{"http_protocol", Differs, "HTTP/1.1", nil},
		{"fast_recovery", Carried, "always: each page is a check by itself", nil},
		{"enable_sni", Carried, "`host` is the TLS server name", func(h *host, c *checker, s *Statement) { c.sni = h.flag(c.word, s) }},
		{"sni_name", Differs, "`host`, which is the Host header too", func(_ *host, c *checker, s *Statement) {
			c.sni = true
			if c.host == "" {
				c.host, c.hostAt = s.Arg(0), s.Place
			}
		}},
		{"tls_compliant", Carried, "always", nil},
		{"helo_name", Carried, "`host`", func(h *host, c *checker, s *Statement) { c.helo = h.word(c.word, s) }},
		{"host", Differs, "one host, the server itself", func(h *host, c *checker, s *Statement) {
			c.hosts++
			walk(h, s, h.tables.host, c)
		}},
		{"misc_path", Carried, "`command`", func(_ *host, c *checker, s *Statement) { c.script = s.Args }},
		{"misc_timeout", Carried, "`timeout`", func(h *host, c *checker, s *Statement) {
			if d, ok := h.seconds(c.word, s); ok {
				c.limit, c.limitAt = d, s.Place
			}
		}},
		{"misc_dynamic", Differs, "exit codes from 2 on are up too, a shell's that cannot run the program among them, and change no weight", func(_ *host, c *checker, _ *Statement) { c.dynamic = true }},
		{"user", Carried, "`user`", func(h *host, c *checker, s *Statement) { c.user = h.word(c.word, s) }},
		{"type name payload require_reply min_reply_length max_reply_length track_file weight", Dropped, "it is of a check that there is not", nil},
	}
	return append(all, probeKeywords(func(c *checker) (string, *probing) { return c.word, &c.probing })...)
}

// readProbed tells of the address that is probed: it is the server's own in any case.
func readProbed(h *host, c *checker, s *Statement) {
	if a, ok := address(s.Arg(0)); ok && a == c.server {
		h.tell(Carried, c.word, s, "the server itself is probed")
	} else if ok {
		h.tell(Dropped, c.word, s, "%s: the server itself is probed", a)
	}
}

func hostKeywords() []keyword[checker] {
	return []keyword[checker]{
		{"connect_port", Carried, "`port`", func(h *host, c *checker, s *Statement) {
			if n, ok := h.number("host", s, 1, 65535); ok {
				c.port = uint16(n)
			}
		}},
		{"connect_ip", Dropped, "the server itself is probed", readProbed},
		{"bindto bind_port bind_if fwmark connect_timeout", Dropped, "a host of an SMTP_CHECK has none of its own here", nil},
	}
}

func urlKeywords() []keyword[page] {
	return []keyword[page]{
		{"path", Carried, "`path`", func(h *host, p *page, s *Statement) { p.path = cmp.Or(h.word("url", s), "/") }},
		{"status_code", Carried, "`status`", readStatus},
		{"virtualhost", Carried, "`host`", func(h *host, p *page, s *Statement) { p.host, p.hostAt = h.word("url", s), s.Place }},
		{"digest", Dropped, "a body is not compared by its MD5 sum: the status alone decides, or `body`", nil},
		{"regex", Carried, "`body`, where it is a plain text", func(h *host, p *page, s *Statement) {
			text := strings.Join(s.Args, " ")
			if strings.ContainsAny(text, `\^$.|?*+()[]{}`) {
				h.tell(Dropped, "url", s, "%q is more than a text that the body must contain", text)
				return
			}
			p.body, p.bodyAt = text, s.Place
		}},
		{"regex_no_match", Dropped, "a body must contain a text, or is not looked at", func(_ *host, p *page, _ *Statement) { p.negate = true }},
		{"regex_options regex_max_offset regex_min_offset regex_stack", Dropped, "a body must contain a text, anywhere in it", nil},
	}
}

// readStatus reads numbers and ranges.
func readStatus(h *host, p *page, s *Statement) {
	for _, word := range words(s) {
		for part := range strings.SplitSeq(word, ",") {
			if part == "" {
				continue
			}
			first, last, found := strings.Cut(part, "-")
			if !found {
				last = first
			}
			low, err1 := strconv.Atoi(first)
			high, err2 := strconv.Atoi(last)
			if err1 != nil || err2 != nil || low < 100 || high > 599 || low > high {
				h.wrong("url", s, "%q is not a status from 100 to 599", part)
				continue
			}
			for n := low; n <= high; n++ {
				if !slices.Contains(p.status, n) {
					p.status = append(p.status, n)
				}
			}
		}
	}
}
