package track

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's process connector (linux/connector.h, linux/cn_proc.h).
const (
	connectorIndex = 1 // CN_IDX_PROC, CN_VAL_PROC
	startListening = 1
	stopListening  = 2

	netlinkHeader   = 16
	connectorHeader = 20
	eventHeader     = 16

	processForked = 0x00000001
	processExeced = 0x00000002
	processNamed  = 0x00000200
	processExited = 0x80000000
)

// processEvent is a change of one process, or of a thread that is not the first of its process.
type processEvent struct {
	what        uint32
	pid, tgid   int32 // of a fork: the parent
	child, tail int32 // of a fork: the child, and the process that it belongs to
}

// connector tells of processes as they come and go.
type connector struct{ *listener }

// openConnector fails where the kernel has no connector, which is so in all network namespaces but the
// first, and without the right to use it. Some kernels refuse in silence.
func openConnector() (*connector, error) {
	l, err := listen(unix.NETLINK_CONNECTOR, connectorIndex)
	if err != nil {
		return nil, err
	}
	c := &connector{l}
	if err := c.ask(startListening); err != nil {
		l.close()
		return nil, fmt.Errorf("ask for process events: %w", err)
	}
	return c, nil
}

func (c *connector) ask(operation uint32) error {
	b := make([]byte, 0, netlinkHeader+connectorHeader+4)
	b = native.AppendUint32(b, uint32(cap(b)))
	b = native.AppendUint16(b, unix.NLMSG_DONE)
	b = append(b, make([]byte, 2+4+4)...) // flags, sequence, port
	b = native.AppendUint32(b, connectorIndex)
	b = native.AppendUint32(b, connectorIndex)
	b = append(b, make([]byte, 4+4)...) // sequence, acknowledgement
	b = native.AppendUint16(b, 4)       // length of the operation
	b = native.AppendUint16(b, 0)
	return c.send(native.AppendUint32(b, operation))
}

// close tells the kernel to stop, since not every kernel notices by itself.
func (c *connector) close() error {
	err := c.ask(stopListening)
	c.listener.close()
	return err
}

// next returns the next event that matters, or false for one that does not.
func (c *connector) next(ctx context.Context, until time.Time) (processEvent, bool, error) {
	b, err := c.receive(ctx, until)
	if err != nil {
		return processEvent{}, false, err
	}
	e, ok := parseProcessEvent(b)
	return e, ok, nil
}

func parseProcessEvent(b []byte) (processEvent, bool) {
	if len(b) < netlinkHeader+connectorHeader+eventHeader || native.Uint32(b[netlinkHeader:]) != connectorIndex {
		return processEvent{}, false
	}
	b = b[netlinkHeader+connectorHeader:]
	what, b := native.Uint32(b), b[eventHeader:]
	word := func(i int) int32 { return int32(native.Uint32(b[4*i:])) }
	switch {
	case what == processForked && len(b) >= 16:
		return processEvent{what: what, pid: word(0), tgid: word(1), child: word(2), tail: word(3)}, true
	case (what == processExeced || what == processNamed || what == processExited) && len(b) >= 8:
		return processEvent{what: what, pid: word(0), tgid: word(1)}, true
	}
	return processEvent{}, false
}
