package accept

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Sizes of the wire, and the marks in the type of an attribute.
const (
	headerSize = 16 // of a message
	familySize = 4  // of what follows in a message of netfilter
	attrSize   = 4  // of the head of an attribute
	nameSize   = unix.IFNAMSIZ
	nested     = 1 << 15
	typeMask   = 1<<14 - 1
)

var (
	native   = binary.NativeEndian
	network  = binary.BigEndian
	errShort = errors.New("message of the kernel is cut short")
)

// request is one message to nftables.
type request struct {
	kind  uint16 // NFT_MSG_...
	flags uint16
	body  []byte
}

// attr appends an attribute.
func attr(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(attrSize+len(value)))
	b = native.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// nest appends an attribute that is made of others.
func nest(b []byte, kind uint16, parts ...[]byte) []byte {
	var value []byte
	for _, p := range parts {
		value = append(value, p...)
	}
	return attr(b, kind|nested, value)
}

func word(kind uint16, v uint32) []byte { return attr(nil, kind, network.AppendUint32(nil, v)) }

func text(kind uint16, s string) []byte { return attr(nil, kind, append([]byte(s), 0)) }

// attrs calls f with each attribute of a message or of an attribute that is made of others. The value that f
// gets is the message's own.
func attrs(b []byte, f func(kind uint16, value []byte)) error {
	for len(b) > 0 {
		if len(b) < attrSize {
			return errShort
		}
		size := int(native.Uint16(b))
		if size < attrSize || size > len(b) {
			return errShort
		}
		f(native.Uint16(b[2:])&typeMask, b[attrSize:size])
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil
}

// message appends one message to the kernel.
func message(b []byte, kind, flags uint16, seq uint32, family byte, resource uint16, body []byte) []byte {
	b = native.AppendUint32(b, uint32(headerSize+familySize+len(body)))
	b = native.AppendUint16(b, kind)
	b = native.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = native.AppendUint32(b, seq)
	b = native.AppendUint32(b, 0)
	b = append(b, family, unix.NFNETLINK_V0)
	b = network.AppendUint16(b, resource)
	return append(b, body...)
}

// kindOf is the type of a message of nftables.
func kindOf(kind uint16) uint16 { return unix.NFNL_SUBSYS_NFTABLES<<8 | kind }

// transaction returns the bytes of requests that the kernel takes all or none of, with sequence numbers from
// first on: the head has first, the requests those after it, and the last of them is acknowledged. Without its
// end, the kernel says what it would have said, and does nothing.
func transaction(first uint32, requests []request, end bool) []byte {
	b := message(nil, unix.NFNL_MSG_BATCH_BEGIN, 0, first, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	seq := first
	for i, r := range requests {
		seq++
		if i == len(requests)-1 {
			r.flags |= unix.NLM_F_ACK
		}
		b = message(b, kindOf(r.kind), r.flags, seq, unix.NFPROTO_INET, 0, r.body)
	}
	if end {
		b = message(b, unix.NFNL_MSG_BATCH_END, 0, seq+1, 0, unix.NFNL_SUBSYS_NFTABLES, nil)
	}
	return b
}

// answer is one message from the kernel.
type answer struct {
	kind  uint16
	flags uint16
	seq   uint32
	body  []byte
}

func parse(b []byte) ([]answer, error) {
	var all []answer
	for len(b) > 0 {
		if len(b) < headerSize {
			return nil, errShort
		}
		size := int(native.Uint32(b))
		if size < headerSize || size > len(b) {
			return nil, errShort
		}
		all = append(all, answer{native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:]), b[headerSize:size]})
		b = b[min(len(b), (size+3)&^3):]
	}
	return all, nil
}

// failure returns the error in a message of an error or of an end, nil if there is none.
func (a answer) failure() error {
	if len(a.body) < 4 {
		return nil
	}
	if errno := -int32(native.Uint32(a.body)); errno > 0 {
		return unix.Errno(errno)
	}
	return nil
}

// attributes are those of a message of nftables.
func (a answer) attributes() []byte {
	if len(a.body) < familySize {
		return nil
	}
	return a.body[familySize:]
}
