package agent

import (
	"context"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster"
)

type callerKey struct{}

// withCaller remembers which user of this host opened a connection to the API's socket: the kernel says it.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *unix.Ucred
	bad := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if bad != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, peer.Uid)
}

// author names who asks for a change, for the history: the member that its certificate names, or the user
// who opened the socket. Root may say for whom it asks, as sudo does; nobody else may.
func (s *session) author(ctx context.Context, claimed string) string {
	if name, ok := cluster.Peer(ctx); ok {
		return name
	}
	uid, ok := ctx.Value(callerKey{}).(uint32)
	name := claimed
	if !ok || uid != 0 || name == "" {
		name = userName(uid, ok)
	}
	return name + "@" + s.cfg.Name
}

func userName(uid uint32, known bool) string {
	if !known {
		return "somebody"
	}
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
