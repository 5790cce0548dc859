package keeper

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// linkUp returns the index of an interface that is up, and whether it has carrier, as of now: what the
// kernel tells by itself may come a second later.
func linkUp(iface string) (index int, carrier bool, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, false, fmt.Errorf("look at %s: %w", iface, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(iface)
	if err != nil {
		return 0, false, fmt.Errorf("no interface %s", iface)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); errors.Is(err, unix.ENODEV) {
		return 0, false, fmt.Errorf("no interface %s", iface)
	} else if err != nil {
		return 0, false, fmt.Errorf("look at %s: %w", iface, err)
	}
	flags := request.Uint16()
	if flags&unix.IFF_UP == 0 {
		return 0, false, fmt.Errorf("link %s is set down", iface)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, false, fmt.Errorf("look at %s: %w", iface, err)
	}
	return int(request.Uint32()), flags&unix.IFF_RUNNING != 0, nil
}
