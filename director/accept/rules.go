package accept

import (
	"slices"

	"golang.org/x/sys/unix"
)

const (
	tableName = "quorate"
	chainName = "input"
	// priority puts the chain behind IPVS, which takes its packets at 98 and 99 of the same hook, and the
	// translation of addresses at 100. A firewall's chain, at 0, has seen the packet before both.
	priority = 150
	// perMessage is how many elements go into one message: an attribute is no longer than 64 KiB.
	perMessage = 500
)

// ICMPv6 types that always pass: without them the address would be unknown to the segment.
const (
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
)

// Registers, by their old numbers, of 16 bytes each: a key of two parts is in the first two.
const (
	verdict = unix.NFT_REG_VERDICT
	first   = unix.NFT_REG_1
	second  = unix.NFT_REG_2
)

// expression is one step of a rule, as bytes.
func expression(name string, parts ...[]byte) []byte {
	return nest(nil, unix.NFTA_LIST_ELEM, text(unix.NFTA_EXPR_NAME, name), nest(nil, unix.NFTA_EXPR_DATA, parts...))
}

// meta loads what is known of a packet beside its bytes.
func meta(key, register uint32) []byte {
	return expression("meta", word(unix.NFTA_META_KEY, key), word(unix.NFTA_META_DREG, register))
}

// payload loads bytes of a packet.
func payload(base, offset, length, register uint32) []byte {
	return expression(
		"payload", word(unix.NFTA_PAYLOAD_DREG, register), word(unix.NFTA_PAYLOAD_BASE, base),
		word(unix.NFTA_PAYLOAD_OFFSET, offset), word(unix.NFTA_PAYLOAD_LEN, length),
	)
}

// compared ends the rule unless what was loaded stands so to a value.
func compared(op uint32, value ...byte) []byte {
	return expression(
		"cmp", word(unix.NFTA_CMP_SREG, first), word(unix.NFTA_CMP_OP, op),
		nest(nil, unix.NFTA_CMP_DATA, attr(nil, unix.NFTA_DATA_VALUE, value)),
	)
}

// among ends the rule unless a set has what was loaded.
func among(name string) []byte {
	return expression("lookup", text(unix.NFTA_LOOKUP_SET, name), word(unix.NFTA_LOOKUP_SREG, first))
}

// counter counts what comes to it, for people.
func counter() []byte { return expression("counter") }

// decide ends the way of a packet through the chain.
func decide(code uint32) []byte {
	return expression(
		"immediate", word(unix.NFTA_IMMEDIATE_DREG, verdict),
		nest(nil, unix.NFTA_IMMEDIATE_DATA, nest(nil, unix.NFTA_DATA_VERDICT, word(unix.NFTA_VERDICT_CODE, code))),
	)
}

// Codes of verdicts, which the kernel shares with the rest of netfilter.
const (
	drop = 0
	pass = 1
)

// rules are the chain's, in order.
func rules() [][][]byte {
	ipv4 := [][]byte{meta(unix.NFT_META_NFPROTO, first), compared(unix.NFT_CMP_EQ, unix.NFPROTO_IPV4)}
	ipv6 := [][]byte{meta(unix.NFT_META_NFPROTO, first), compared(unix.NFT_CMP_EQ, unix.NFPROTO_IPV6)}
	destination4 := payload(unix.NFT_PAYLOAD_NETWORK_HEADER, 16, 4, first)
	destination6 := payload(unix.NFT_PAYLOAD_NETWORK_HEADER, 24, 16, first)
	refuse := [][]byte{counter(), decide(drop)}
	return [][][]byte{
		{meta(unix.NFT_META_IIF, first), compared(unix.NFT_CMP_EQ, native.AppendUint32(nil, loopback)...), decide(pass)},
		slices.Concat(ipv6, [][]byte{
			meta(unix.NFT_META_L4PROTO, first), compared(unix.NFT_CMP_EQ, unix.IPPROTO_ICMPV6),
			payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, first),
			compared(unix.NFT_CMP_GTE, neighbourSolicitation), compared(unix.NFT_CMP_LTE, neighbourAdvertisement), decide(pass),
		}),
		slices.Concat(ipv4, [][]byte{destination4, among("ipv4")}, refuse),
		slices.Concat(ipv6, [][]byte{destination6, among("ipv6")}, refuse),
		slices.Concat(ipv6, [][]byte{destination6, meta(unix.NFT_META_IIFNAME, second), among("link_local")}, refuse),
	}
}

// loopback is the index of lo, in every network namespace.
const loopback = 1

// requests are what makes the kernel have a table and nothing else of quorate's, whatever it had before.
func (t Table) requests() []request {
	named := text(unix.NFTA_TABLE_NAME, tableName)
	all := []request{ // one that is not there cannot be deleted
		{kind: unix.NFT_MSG_NEWTABLE, flags: unix.NLM_F_CREATE, body: named},
		{kind: unix.NFT_MSG_DELTABLE, body: named},
	}
	if len(t) == 0 {
		return all
	}
	all = append(
		all,
		request{kind: unix.NFT_MSG_NEWTABLE, flags: unix.NLM_F_CREATE, body: named},
		request{kind: unix.NFT_MSG_NEWCHAIN, flags: unix.NLM_F_CREATE, body: chain()},
	)
	for i, s := range sets {
		all = append(all, request{kind: unix.NFT_MSG_NEWSET, flags: unix.NLM_F_CREATE, body: s.body(uint32(i + 1))})
		for keys := range slices.Chunk(s.keys(t), perMessage) {
			all = append(all, request{kind: unix.NFT_MSG_NEWSETELEM, flags: unix.NLM_F_CREATE, body: s.elements(keys)})
		}
	}
	for _, r := range rules() {
		body := slices.Concat(text(unix.NFTA_RULE_TABLE, tableName), text(unix.NFTA_RULE_CHAIN, chainName))
		body = nest(body, unix.NFTA_RULE_EXPRESSIONS, r...)
		all = append(all, request{kind: unix.NFT_MSG_NEWRULE, flags: unix.NLM_F_CREATE | unix.NLM_F_APPEND, body: body})
	}
	return all
}

func chain() []byte {
	at := nest(nil, unix.NFTA_CHAIN_HOOK, word(unix.NFTA_HOOK_HOOKNUM, unix.NF_INET_LOCAL_IN), word(unix.NFTA_HOOK_PRIORITY, priority))
	return slices.Concat(
		text(unix.NFTA_CHAIN_TABLE, tableName), text(unix.NFTA_CHAIN_NAME, chainName),
		at, word(unix.NFTA_CHAIN_POLICY, pass), text(unix.NFTA_CHAIN_TYPE, "filter"),
	)
}

func (s set) body(id uint32) []byte {
	return slices.Concat(
		text(unix.NFTA_SET_TABLE, tableName), text(unix.NFTA_SET_NAME, s.name),
		word(unix.NFTA_SET_KEY_TYPE, s.typ), word(unix.NFTA_SET_KEY_LEN, uint32(s.width)), word(unix.NFTA_SET_ID, id),
	)
}

func (s set) elements(keys [][]byte) []byte {
	list := make([][]byte, len(keys))
	for i, k := range keys {
		list[i] = nest(nil, unix.NFTA_LIST_ELEM, nest(nil, unix.NFTA_SET_ELEM_KEY, attr(nil, unix.NFTA_DATA_VALUE, k)))
	}
	body := slices.Concat(text(unix.NFTA_SET_ELEM_LIST_TABLE, tableName), text(unix.NFTA_SET_ELEM_LIST_SET, s.name))
	return nest(body, unix.NFTA_SET_ELEM_LIST_ELEMENTS, list...)
}
