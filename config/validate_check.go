package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// checkFields checks what is the kind's own.
func (o object) checkFields(c fsm.Check) {
	keys, ok := checkKeys[c.Kind]
	if !ok {
		o.among("kind", string(c.Kind), checkKinds)
		return
	}
	o.only(checkAttrs(c), keys)
	switch c.Kind {
	case fsm.CheckHTTP, fsm.CheckHTTPS:
		o.http(c)
	case fsm.CheckSMTP:
		o.host(c.Host)
	case fsm.CheckScript:
		o.program(c.Command, c.User, "/usr/local/bin/check")
	}
}

// http checks the fields of HTTP and HTTPS checks.
func (o object) http(c fsm.Check) {
	o.host(c.Host)
	if !strings.HasPrefix(c.Path, "/") {
		o.wrong(".path", fmt.Sprintf("write path = %q", "/"+strings.TrimLeft(c.Path, "/ ")), "path %q does not begin with a slash", c.Path)
	} else if strings.ContainsFunc(c.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		o.wrong(".path", "write such characters as %20", "path %q has a space or a character beyond ASCII in it", c.Path)
	} else if _, err := url.ParseRequestURI(c.Path); err != nil {
		o.wrong(".path", "", "path %q cannot be fetched: %v", c.Path, errors.Unwrap(err))
	}
	if strings.Contains(c.Path, "#") {
		o.wrong(".path", "leave it out", "path %q has a fragment, which is never sent", c.Path)
	}
	seen := make(map[int]bool)
	for i, status := range c.Status {
		field := fmt.Sprintf(".status[%d]", i)
		if int64(status) < statusSpan.min || int64(status) > statusSpan.max {
			o.wrong(field, "", "status is %d; it must be %d to %d", status, statusSpan.min, statusSpan.max)
		} else if seen[status] {
			o.wrong(field, "", "status %d is there twice", status)
		}
		seen[status] = true
	}
	o.writable(".body", c.Body)
	if c.CA != "" {
		if c.Insecure {
			o.clash(".insecure", o.path+".ca", "leave one of them out", "insecure takes any certificate, and ca says which to take")
		}
		o.authorities(c.CA)
	}
}

// host checks a name that is sent to the server; nothing is looked up by it.
func (o object) host(host string) {
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\@"`, r) }) || len(host) > 255 {
		o.wrong(".host", `a name or an address, as in host = "www.example.com"`, "host %q is not usable", host)
	}
}

// authorities checks PEM text.
func (o object) authorities(text string) {
	if !o.writable(".ca", text) {
		return
	}
	rest, n := []byte(text), 0
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		n++
		if block.Type != "CERTIFICATE" {
			o.wrong(".ca", "only certificates belong there", "ca has a %s in it", block.Type)
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			o.wrong(".ca", "", "certificate %d of ca: %v", n, err)
			return
		}
	}
	switch {
	case n == 0 && strings.HasPrefix(text, "/"):
		o.wrong(".ca", "put the text of the file there: all directors read this one", "ca is a file name, not PEM")
	case n == 0:
		o.wrong(".ca", "it begins with -----BEGIN CERTIFICATE-----", "ca is not PEM")
	case strings.TrimSpace(string(rest)) != "":
		o.wrong(".ca", "", "after certificate %d of ca something follows that is not PEM", n)
	}
}

// program checks what is run without a shell: a check, a track's script, a hook.
func (o object) program(command []string, user, example string) {
	if user != "" && !validAccount(user) {
		o.wrong(".user", "", "user %q is not a user name", user)
	}
	if len(command) == 0 {
		o.wrong(".command", fmt.Sprintf("write command = [%q, %q]", example, "ARGUMENT"), "has no command")
		return
	}
	for i, arg := range command {
		o.writable(fmt.Sprintf(".command[%d]", i), arg)
	}
	program := command[0]
	switch {
	case !strings.HasPrefix(program, "/"):
		o.wrong(".command[0]", "there is no search path", "%q is not an absolute path", program)
	case strings.Contains(program, " ") && len(command) == 1:
		first, rest, _ := strings.Cut(program, " ")
		o.wrong(".command", fmt.Sprintf("write command = [%q, %q, ...]: there is no shell", first, rest), "%q has a space in it", program)
	}
}
