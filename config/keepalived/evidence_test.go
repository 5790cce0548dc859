package keepalived

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

var rounds = flag.Int("rounds", 25, "how many files are made of each of testdata by chance")

// scope is where a statement stands: the statements around it, the outermost first, itself at the end.
type scope []*Statement

// of returns the statement around that has one of some words.
func (s scope) of(words ...string) *Statement {
	for _, one := range s {
		if slices.Contains(words, one.Word) {
			return one
		}
	}
	return &Statement{}
}

// services are those that a virtual_server or a line of a virtual_server_group can have become.
func (s scope) services(c fsm.Config, top []*Statement) []fsm.Service {
	var all []fsm.Service
	add := func(match func(fsm.Service) bool) {
		for _, one := range c.Services.All() {
			if match(one) {
				all = append(all, one)
			}
		}
	}
	line := func(words []string) {
		switch n, err := strconv.Atoi(words[min(1, len(words)-1)]); {
		case words[0] == "fwmark":
			add(func(one fsm.Service) bool { return err == nil && one.Mark == uint32(n) })
		default:
			first, last, ok := span(words[0])
			add(func(one fsm.Service) bool {
				at := one.Address.Addr()
				return ok && at.Compare(first) >= 0 && at.Compare(last) <= 0 && (len(words) < 2 || int(one.Address.Port()) == n)
			})
		}
	}
	switch v := s[0]; {
	case v.Word == "virtual_server_group" && len(s) > 1:
		line(append([]string{s[1].Word}, s[1].Args...))
	case v.Word == "virtual_server_group", v.Word == "virtual_server" && v.Arg(0) == "group":
		name := v.Arg(0)
		if v.Word == "virtual_server" {
			name = v.Arg(1)
		}
		for _, g := range top {
			if g.Word == "virtual_server_group" && g.Arg(0) == name {
				for _, one := range g.Block {
					line(append([]string{one.Word}, one.Args...))
				}
			}
		}
	case len(v.Args) > 0:
		line(v.Args)
	}
	return all
}

// unseen are the keywords that are carried over and leave nothing to look for in a service by itself.
var unseen = strings.Fields(`virtual_server virtual_server_group fwmark alpha enable_sni sni_name tls_compliant fast_recovery connect_ip warmup snmp_name ip_family
	hashed host quorum`)

// found reports whether what a statement says is in a service.
func (s scope) found(one fsm.Service) bool {
	last := s[len(s)-1]
	arg := strings.Join(last.Args, " ")
	number, _ := strconv.Atoi(last.Arg(0))
	length, _ := seconds(last.Arg(0))
	server := func(match func(fsm.Server) bool) bool {
		a, ok := address(s.of("real_server").Arg(0))
		return slices.ContainsFunc(one.Servers, func(r fsm.Server) bool { return ok && r.Address.Addr() == a && match(r) })
	}
	check := func(match func(fsm.Check) bool) bool {
		kind := checkKinds[s.of("TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "MISC_CHECK").Word]
		return slices.ContainsFunc(one.Checks, func(c fsm.Check) bool { return (kind == "" || c.Kind == kind) && match(c) })
	}
	any := func(fsm.Check) bool { return true }
	block := ""
	if len(s) > 1 {
		block = s[len(s)-2].Word
	}
	switch in(block, last.Word) {
	case "virtual_server real_server":
		return server(func(fsm.Server) bool { return true })
	case "virtual_server sorry_server":
		a, ok := address(last.Arg(0))
		return ok && one.Fallback != nil && one.Fallback.Address.Addr() == a
	case "virtual_server lb_algo", "virtual_server lvs_sched":
		return one.Scheduler == arg
	case "virtual_server lvs_method", "virtual_server lb_kind":
		return one.Forward == methods[strings.ToUpper(last.Arg(0))]
	case "virtual_server protocol":
		return string(one.Protocol) == strings.ToLower(arg) || one.Mark != 0
	case "virtual_server persistence_timeout":
		return one.Persistence == length || last.Arg(0) == "" && one.Persistence == 360*time.Second
	case "virtual_server persistence_granularity":
		bits, ok := maskBits(arg, one.IPv6 || one.Address.Addr().Is6())
		return ok && (one.PersistenceMask == bits || one.PersistenceMask == 0 && one.Persistence > 0)
	case "virtual_server weight":
		return slices.ContainsFunc(one.Servers, func(r fsm.Server) bool { return int(r.Weight) == number })
	case "virtual_server inhibit_on_failure":
		return slices.ContainsFunc(one.Servers, func(r fsm.Server) bool { return r.Inhibit })
	case "virtual_server sorry_server_lvs_method":
		return one.Fallback != nil && cmp.Or(one.Fallback.Forward, one.Forward) == methods[strings.ToUpper(last.Arg(0))]
	case "real_server lvs_method":
		return server(func(r fsm.Server) bool {
			return cmp.Or(r.Forward, one.Forward) == methods[strings.ToUpper(last.Arg(0))]
		})
	case "real_server inhibit_on_failure":
		return server(func(r fsm.Server) bool {
			return r.Inhibit == (last.Arg(0) == "" || last.Arg(0) == "on" || last.Arg(0) == "yes" || last.Arg(0) == "true")
		})
	case "real_server weight":
		return server(func(r fsm.Server) bool { return int(r.Weight) == number })
	}
	switch last.Word {
	case "TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "MISC_CHECK", "url":
		return check(any)
	case "delay_loop":
		return check(func(c fsm.Check) bool { return c.Interval == max(50*time.Millisecond, length) })
	case "connect_timeout", "misc_timeout":
		return check(func(c fsm.Check) bool { return c.Timeout == length })
	case "retry", "nb_get_retry":
		return check(func(c fsm.Check) bool { return c.Fall == min(100, number+1) })
	case "virtualhost", "helo_name":
		return check(func(c fsm.Check) bool { return c.Host == last.Arg(0) })
	case "path":
		return check(func(c fsm.Check) bool { return c.Path == last.Arg(0) })
	case "regex":
		return check(func(c fsm.Check) bool { return c.Body == arg })
	case "connect_port":
		return check(func(c fsm.Check) bool {
			return int(c.Port) == number || c.Port == 0 && slices.ContainsFunc(one.Servers, func(r fsm.Server) bool { return int(r.Address.Port()) == number })
		})
	case "misc_path":
		return check(func(c fsm.Check) bool {
			command := strings.Join(c.Command, " ")
			return strings.Contains(command, strings.Fields(arg)[0]) || strings.Contains(command, "$QUORATE_SERVER")
		})
	case "user":
		return check(func(c fsm.Check) bool { return c.User == last.Arg(0) })
	case "status_code":
		return check(func(c fsm.Check) bool { return len(c.Status) == 0 || strings.Contains(arg, strconv.Itoa(c.Status[0])) })
	}
	return block == "virtual_server_group" || slices.Contains(unseen, last.Word)
}

// evidence fails where the report says nothing of a statement of a service but that it is carried over, and what it says is in
// no service that can have come of it.
func evidence(t *testing.T, r Result, path string, top []*Statement, at map[int]*Statement) {
	t.Helper()
	lines := make(map[*Statement]int)
	for line, s := range at {
		lines[s] = line
	}
	var look func(around scope)
	look = func(around scope) {
		last := around[len(around)-1]
		carried := ""
		only := true
		for _, n := range r.Notes {
			if n.Said(Place{File: path, Line: lines[last]}) {
				if strings.HasPrefix(n.Text, "port ") {
					continue // it alone is not carried over
				}
				carried = n.String()
				only = only && n.Fate == Carried && !tellsNothing(n.Text)
			}
		}
		if only && carried != "" && !slices.ContainsFunc(around.services(r.Config, top), around.found) {
			t.Errorf("%s %q (line %d) is in no service, and the report says\n%s", last.Word, last.Args, lines[last], carried)
		}
		for _, one := range last.Block {
			look(append(slices.Clone(around), one))
		}
	}
	for _, one := range top {
		if one.Word == "virtual_server" || one.Word == "virtual_server_group" {
			look(scope{one})
		}
	}
}

// mutate changes statements somewhere: one is gone, there twice, in another block of its kind, or says what another one says.
func mutate(rng *rand.Rand, top []*Statement) []*Statement {
	type spot struct {
		block *Statement
		i     int
	}
	root := &Statement{Block: clone(top)}
	for range 1 + rng.IntN(3) {
		var spots []spot
		var collect func(*Statement)
		collect = func(s *Statement) {
			for i, one := range s.Block {
				if s == root && one.Word != "virtual_server" && one.Word != "virtual_server_group" {
					continue
				}
				spots = append(spots, spot{s, i})
				collect(one)
			}
		}
		if collect(root); len(spots) == 0 {
			break
		}
		a, b := spots[rng.IntN(len(spots))], spots[rng.IntN(len(spots))]
		one := a.block.Block[a.i]
		switch rng.IntN(4) {
		case 0:
			a.block.Block = slices.Delete(slices.Clone(a.block.Block), a.i, a.i+1)
		case 1:
			a.block.Block = append(slices.Clone(a.block.Block), clone([]*Statement{one})...)
		case 2:
			for _, other := range spots {
				if other.block.Word == a.block.Word && rng.IntN(2) == 0 {
					other.block.Block = append(slices.Clone(other.block.Block), clone([]*Statement{one})...)
					break
				}
			}
		case 3:
			b.block.Block[b.i].Args = append([]string(nil), one.Args...)
		}
	}
	return root.Block
}

func clone(all []*Statement) []*Statement {
	out := make([]*Statement, len(all))
	for i, s := range all {
		out[i] = &Statement{Word: s.Word, Args: slices.Clone(s.Args), Open: s.Open, Block: clone(s.Block)}
	}
	return out
}

// TestWhatIsCarriedOverIsInTheClusterFile holds for the files of testdata, and for what is made of them by chance.
func TestWhatIsCarriedOverIsInTheClusterFile(t *testing.T) {
	for name, inputs := range examples {
		t.Run(name, func(t *testing.T) {
			for _, top := range newTrial(t, inputs).tops {
				rng := rand.New(rand.NewPCG(6, 5))
				for round := range *rounds {
					changed := top
					if round > 0 {
						changed = mutate(rng, top)
					}
					if !slices.ContainsFunc(changed, func(s *Statement) bool { return s.Word == "virtual_server" }) {
						break
					}
					text, at := plain(changed, nil)
					r, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
					if err != nil {
						t.Fatal(err)
					}
					for _, line := range twoFates(r) {
						t.Error(line)
					}
					if evidence(t, r, "k", changed, at); t.Failed() {
						t.Fatalf("round %d:\n%s\n%s\n%s", round, numbered(text), r.File, report(r))
					}
				}
			}
		})
	}
}

func numbered(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		fmt.Fprintf(&b, "%d %s\n", i+1, line)
	}
	return b.String()
}
