package cluster

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"
)

// A frame on a [lane] is the length of what follows, a number by which question and answer are told to belong together,
// and what is said.
const (
	frameHead = 4 + 8
	maxFrame  = 64 << 10 // what is larger has a request of its own: nobody is to wait behind it
)

func appendFrame(to []byte, number uint64, said []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(8+len(said)))
	return append(binary.BigEndian.AppendUint64(to, number), said...)
}

// readFrame reads one frame, into memory of its own.
func readFrame(from *bufio.Reader) (number uint64, said []byte, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 8 || length > 8+maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	said = make([]byte, length-8)
	if _, err := io.ReadFull(from, said); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint64(head[4:]), said, nil
}

// outbox writes frames to a connection. Those that come while a write is under way go out together in the next one. A
// connection that takes nothing is closed.
type outbox struct {
	conn net.Conn

	mu      sync.Mutex // guards what follows
	pending []byte
	spare   []byte // the memory of what was written last
	writing bool
}

// put has a frame written. Whether it was, the answer says, or the end of the connection.
func (o *outbox) put(number uint64, said []byte) {
	o.mu.Lock()
	o.pending = appendFrame(o.pending, number, said)
	first := !o.writing
	o.writing = true
	o.mu.Unlock()
	if first {
		runtime.Gosched() // who is about to run goes first: of those that were answered together one would go alone, and the others wait for its write
		o.write()
	}
}

// write writes what is there. What has come meanwhile is another goroutine's: who has put one frame does not wait for
// others'.
func (o *outbox) write() {
	o.mu.Lock()
	all := o.pending
	o.pending, o.spare = o.spare[:0], nil
	o.mu.Unlock()
	_ = o.conn.SetWriteDeadline(time.Now().Add(jammedAfter)) // fails if writing does
	_, err := o.conn.Write(all)
	if err != nil {
		_ = o.conn.Close() // who reads from it says why it ended
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if cap(all) <= 2*maxFrame {
		o.spare = all
	}
	if o.writing = err == nil && len(o.pending) > 0; o.writing {
		go o.write() // ends with the write
	}
}
