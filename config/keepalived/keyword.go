package keepalived

import (
	"fmt"
	"slices"
	"strings"
)

// keyword is a row of the table of a block: a keyword that keepalived knows there, what becomes of it, and
// how it is read. What is not read has its fate in any case. A reader that finds more to say of one use adds
// a note of its own, which stands instead of the row's.
type keyword[T any] struct {
	names string // several that mean the same, with spaces between
	fate  Fate
	text  string // what becomes of it
	read  func(h *host, t *T, s *Statement)
}

// Keyword is a row of the coverage table.
type Keyword struct {
	Block string // "" for the top level of a file
	Name  string
	Fate  Fate
	Text  string
}

// Keywords returns every keyword that is known, block by block in the order in which files have them.
func Keywords() []Keyword {
	return slices.Concat(
		rowsOf("", topKeywords()), rowsOf("global_defs", globalKeywords()), rowsOf("garp_group", garpGroupKeywords()),
		rowsOf("track_group", trackGroupKeywords()), rowsOf("bfd_instance", bfdKeywords()),
		rowsOf("vrrp_script", scriptKeywords()), rowsOf("track_file", fileKeywords()), rowsOf("vrrp_track_process", processKeywords()),
		rowsOf("vrrp_sync_group", groupKeywords()), rowsOf("vrrp_instance", instanceKeywords()),
		rowsOf("authentication", authKeywords()), rowsOf("auth_hmac", hmacKeywords()),
		rowsOf("virtual_server_group", serverGroupKeywords()), rowsOf("virtual_server", serviceKeywords()), rowsOf("real_server", serverKeywords()),
		rowsOf("SSL", sslKeywords()), rowsOf("checker", checkKeywords()), rowsOf("url", urlKeywords()), rowsOf("host", hostKeywords()),
	)
}

func rowsOf[T any](block string, table []keyword[T]) []Keyword {
	var all []Keyword
	for _, k := range table {
		for name := range strings.FieldsSeq(k.names) {
			all = append(all, Keyword{block, name, k.fate, k.text})
		}
	}
	return all
}

// index makes a table ready for looking words up.
func index[T any](table []keyword[T]) map[string]*keyword[T] {
	m := make(map[string]*keyword[T])
	for i := range table {
		for name := range strings.FieldsSeq(table[i].names) {
			m[name] = &table[i]
		}
	}
	return m
}

// aside is how a block is read of whose words nothing is to be told one by one.
func aside[T any](_ *host, _ *T, s *Statement) { s.entered = true }

// walk reads the statements of a block by its table.
func walk[T any](h *host, parent *Statement, table map[string]*keyword[T], t *T) {
	parent.entered = true
	block := parent.Word
	for _, s := range parent.Block {
		k, ok := table[s.Word]
		if !ok {
			h.stray(block, s)
			continue
		}
		if k.read != nil {
			k.read(h, t, s)
		}
		switch {
		case s.told:
		case k.fate != Carried && s.usual():
			h.notes.Add(Carried, s.Place, in(block, s.Word), "it is so anyway")
		default:
			h.notes.Add(k.fate, s.Place, in(block, s.Word), k.text)
		}
		if !s.entered {
			h.inner(block, s)
		}
	}
	if slices.Contains(oneValue, block) {
		again(h, parent, table)
	}
}

// oneValue are the blocks in which what is said last counts, and oftenSaid their keywords of which each counts.
var (
	oneValue  = []string{inService, inServer, "TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "MISC_CHECK", "url"}
	oftenSaid = strings.Fields("real_server TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK MISC_CHECK url host status_code")
)

// again tells of what a block says once more behind.
func again[T any](h *host, parent *Statement, table map[string]*keyword[T]) {
	said := make(map[*keyword[T]]bool)
	for _, s := range slices.Backward(parent.Block) {
		k := table[s.Word]
		if k == nil || k.read == nil || k.fate != Carried || slices.Contains(oftenSaid, s.Word) || s.told && h.notes.Missed(s.Place, in(parent.Word, s.Word)) {
			continue // it does not count
		}
		if said[k] {
			h.notes.Instead(Carried, s.Place, in(parent.Word, s.Word), "nothing: it is said again behind, and that counts, as in keepalived")
		}
		said[k] = true
	}
}

// usual are the values of keywords, that are not carried over otherwise, which say what quorate does anyway.
var usual = map[string][]string{
	"down_timer_adverts": {"3"}, "vrrp_down_timer_adverts": {"3"},
	"vrrp_mcast_group4": {"224.0.0.18"}, "vrrp_mcast_group6": {"ff02::12", "ff02:0:0:0:0:0:0:12"}, "mcast_dst_ip": {"224.0.0.18", "ff02::12"},
	"unicast_ttl": {"255"}, "hysteresis": {"0"}, "http_protocol": {"1.1"},
}

// switched are the keywords, that are not carried over otherwise, of which keepalived reads `off`, and that switch on what
// there is not. Most flags of keepalived do not read what stands behind them: `lvs_flush off` flushes. And not all that do
// are here: `no_checker_emails off` asks for mail.
var switched = strings.Fields(`
	checker_log_all_failures data_use_instance higher_prio_send_advert log_all_failures notify_priority_changes rs_init_notifies
	smtp_alert smtp_alert_checker smtp_alert_vrrp strict_mode vrrp_higher_prio_send_advert vrrp_notify_priority_changes vrrp_strict`)

// usual reports whether a statement that is not carried over, or with a difference, says what quorate does anyway: it
// switches off what there is not, or has the one value that there is.
func (s *Statement) usual() bool {
	if len(s.Args) != 1 || len(s.Block) > 0 {
		return false
	}
	switch s.Args[0] { // as keepalived has it, which knows no OFF
	case "off", "false", "no":
		return slices.Contains(switched, s.Word)
	}
	return slices.Contains(usual[s.Word], strings.ToLower(s.Args[0]))
}

// inner tells of the keywords in a block that is not read.
func (h *host) inner(block string, s *Statement) {
	for _, one := range s.Block {
		if h.knows(one.Word) {
			h.notes.Dropped(one.Place, in(s.Word, one.Word), "it stands in %s", in(block, s.Word))
		}
		h.inner(s.Word, one)
	}
}

// stray tells of a word that keepalived does not know where it stands.
func (h *host) stray(block string, s *Statement) {
	where := "at the top level"
	if block != "" {
		where = "in " + block
	}
	if h.knows(s.Word) {
		h.notes.Dropped(s.Place, in(block, s.Word), "%s does not belong %s: keepalived skips it there", s.Word, where)
	} else {
		word := s.Word
		if block == "authentication" || block == "auth_hmac" { // it may be the key itself, on a line of its own
			word = "..."
		}
		h.notes.Dropped(s.Place, in(block, word), "keepalived has no such keyword %s, and skips it", where)
	}
	for _, one := range s.Block {
		h.stray(s.Word, one)
	}
}

// knows reports whether a word is a keyword of keepalived.
func (h *host) knows(word string) bool { return h.tables.known[word] }

// in names a keyword with its block.
func in(block, word string) string {
	if block == "" {
		return word
	}
	return block + " " + word
}

// tell says what became of a statement, instead of what its row says.
func (h *host) tell(fate Fate, block string, s *Statement, format string, args ...any) {
	s.told = true
	h.notes.Add(fate, s.Place, in(block, s.Word), fmt.Sprintf(format, args...))
}

// tables are the tables of all blocks, ready for looking words up.
type tables struct {
	top       map[string]*keyword[host]
	global    map[string]*keyword[host]
	script    map[string]*keyword[track]
	file      map[string]*keyword[track]
	process   map[string]*keyword[track]
	group     map[string]*keyword[group]
	instance  map[string]*keyword[instance]
	auth      map[string]*keyword[instance]
	hmac      map[string]*keyword[instance]
	addresses map[string]*keyword[serverGroup]
	service   map[string]*keyword[virtualServer]
	server    map[string]*keyword[realServer]
	check     map[string]*keyword[checker]
	url       map[string]*keyword[page]
	host      map[string]*keyword[checker]
	known     map[string]bool
}

func newTables() *tables {
	t := &tables{
		index(topKeywords()), index(globalKeywords()), index(scriptKeywords()), index(fileKeywords()), index(processKeywords()),
		index(groupKeywords()), index(instanceKeywords()), index(authKeywords()), index(hmacKeywords()), index(serverGroupKeywords()),
		index(serviceKeywords()), index(serverKeywords()), index(checkKeywords()), index(urlKeywords()), index(hostKeywords()),
		make(map[string]bool),
	}
	for _, k := range Keywords() {
		t.known[k.Name] = true
	}
	return t
}
