package config

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/quorate/quorate/fsm"
)

// attr is one key with its value as HCL. [Format] and [Diff] share these lists, so that what can be
// written can also be compared.
type attr struct {
	name  string
	value string
	plain bool   // has its default, so that Format leaves it out
	text  string // of a long text: what Diff shows instead
}

func groupAttrs(g fsm.SyncGroup) []attr {
	return append([]attr{{name: "routers", value: quoteList(g.Routers)}}, troubleAttrs(g.Placement)...)
}

func serviceAttrs(s fsm.Service) []attr {
	family := "ipv4"
	if s.IPv6 {
		family = "ipv6"
	}
	address := ""
	if s.Address.IsValid() {
		address = formatEndpoint(s.Address)
	}
	return []attr{
		{name: "address", value: quote(address), plain: address == ""},
		{name: "mark", value: strconv.FormatUint(uint64(s.Mark), 10), plain: s.Mark == 0},
		{name: "family", value: quote(family), plain: !s.IPv6},
		{name: "protocol", value: quote(string(s.Protocol)), plain: s.Protocol == defaultProtocol || s.Protocol == ""},
		{name: "scheduler", value: quote(s.Scheduler)},
		{name: "forward", value: quote(string(s.Forward))},
		{name: "persistence", value: quote(formatDuration(s.Persistence)), plain: s.Persistence == 0},
		{name: "persistence_mask", value: strconv.Itoa(s.PersistenceMask), plain: s.PersistenceMask == 0},
		{name: "agreement", value: quote(string(s.Agreement)), plain: s.Agreement == defaultAgreement},
	}
}

func serverAttrs(s fsm.Server) []attr {
	return []attr{
		{name: "weight", value: strconv.FormatUint(uint64(s.Weight), 10)},
		{name: "forward", value: quote(string(s.Forward)), plain: s.Forward == ""},
		{name: "inhibit", value: strconv.FormatBool(s.Inhibit), plain: !s.Inhibit},
	}
}

func fallbackAttrs(s fsm.Server) []attr {
	all := serverAttrs(s)
	all[0].plain = s.Weight == defaultWeight
	return all
}

func checkAttrs(c fsm.Check) []attr {
	statuses := make([]string, len(c.Status))
	for i, s := range c.Status {
		statuses[i] = strconv.Itoa(s)
	}
	return []attr{
		{name: "path", value: quote(c.Path), plain: c.Path == ""},
		{name: "host", value: quote(c.Host), plain: c.Host == ""},
		{name: "port", value: strconv.Itoa(int(c.Port)), plain: c.Port == 0},
		{name: "status", value: "[" + strings.Join(statuses, ", ") + "]", plain: len(c.Status) == 0},
		{name: "body", value: quote(c.Body), plain: c.Body == "", text: shorten(c.Body)},
		{name: "insecure", value: strconv.FormatBool(c.Insecure), plain: !c.Insecure},
		{name: "command", value: quoteList(c.Command), plain: len(c.Command) == 0},
		{name: "user", value: quote(c.User), plain: c.User == ""},
		{name: "interval", value: quote(formatDuration(c.Interval))},
		{name: "timeout", value: quote(formatDuration(c.Timeout))},
		{name: "rise", value: strconv.Itoa(c.Rise), plain: c.Rise == defaultRise},
		{name: "fall", value: strconv.Itoa(c.Fall), plain: c.Fall == defaultFall},
		{name: "ca", value: heredoc(c.CA), plain: c.CA == "", text: certificates(c.CA)},
	}
}

func quoteList(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a text so that HCL reads the same text.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && i+1 < len(runes) && runes[i+1] == '{' && (i == 0 || runes[i-1] != '$' && runes[i-1] != '%'):
			b.WriteRune(r) // twice, else it would begin a template
			b.WriteRune(r)
		case r == '{' && i > 1 && strings.ContainsRune("$%", runes[i-1]) && strings.ContainsRune("$%", runes[i-2]):
			b.WriteString(`\u007b`) // else it would too
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// heredoc writes a text of lines as such, where that is the same text; else quoted.
func heredoc(s string) string {
	if !strings.HasSuffix(s, "\n") || strings.Contains(s, "${") || strings.Contains(s, "%{") {
		return quote(s)
	}
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) == "PEM" || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			return quote(s)
		}
	}
	return "<<PEM\n" + s + "PEM"
}

// shorten cuts a text to what fits into a line of a plan; the sum tells unlike texts apart.
func shorten(s string) string {
	const most = 60
	runes := []rune(s)
	if len(runes) <= most {
		return quote(s)
	}
	return fmt.Sprintf("%s... (%d characters, sha256 %.4x)", quote(string(runes[:most])), len(runes), sha256.Sum256([]byte(s)))
}

// certificates sums up PEM text.
func certificates(text string) string {
	if text == "" {
		return `""`
	}
	n := strings.Count(text, "-----BEGIN CERTIFICATE")
	return fmt.Sprintf("PEM (certificates: %d, sha256 %.8x)", n, sha256.Sum256([]byte(text)))
}
