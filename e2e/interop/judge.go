package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// OneOwner says what is wrong with who serves an address: it must be that host's, on an interface that
// works, and nobody else's; and when somebody asks the segment, one answer comes.
func OneOwner(n *lab.Net, from *lab.Host, on *lab.Segment, address string, want *lab.Host) error {
	var names []string
	for _, h := range n.Holders(address) {
		names = append(names, h.Name)
	}
	if len(names) != 1 || names[0] != want.Name {
		return fmt.Errorf("%s is held by %v, want %s", address, names, want.Name)
	}
	answers := from.Ask(on, address, 100*time.Millisecond)
	if len(answers) != 1 {
		return fmt.Errorf("%d hosts answer for %s: %v", len(answers), address, answers)
	}
	return nil
}

// NeighbourRight says what is wrong with the client's entry for an address, as `ip neigh` has it: it must
// be the hardware address of the host on that cable, or a virtual one that the switch sees there.
func NeighbourRight(client *lab.Host, on *lab.Segment, address string, want *lab.Host) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := client.Run(ctx, "ip", "neigh", "show", "to", address)
	if err != nil {
		return err
	}
	fields := strings.Fields(out)
	i := slices.Index(fields, "lladdr")
	if i < 0 || i+1 >= len(fields) {
		return fmt.Errorf("the client has no neighbour %s: %q", address, out)
	}
	mac, err := net.ParseMAC(fields[i+1])
	if err != nil {
		return err
	}
	if !slices.Equal(mac, want.MAC(on)) && on.Behind(mac) != want.Name {
		return fmt.Errorf("the client believes that %s is at %v (%s), want %s", address, mac, on.Behind(mac), want.Name)
	}
	return nil
}

// TsharkClean says what tshark finds to say about the frames of a capture that pass a display filter: a
// frame that it cannot decode, a wrong checksum of any layer, a warning, or no such frame at all. Plain
// says that version 3 adverts have the checksum of version 2.
func TsharkClean(file, filter string, plain bool) error {
	args := []string{
		"-r", file, "-o", "ip.check_checksum:TRUE", "-o", fmt.Sprintf("vrrp.v3_checksum_as_in_v2:%v", plain),
		"-o", "arp.detect_duplicate_ips:FALSE", // an address that moves is what this is about
		"-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "_ws.col.Protocol",
		"-e", "_ws.malformed", "-e", "_ws.expert.message", "-e", "vrrp.checksum.status", "-Y", filter,
	}
	cmd := exec.Command("tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("tshark: %w: %s", err, stderr.String())
	}
	var errs []error
	frames := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(f) != 5 {
			return fmt.Errorf("tshark: %q", line)
		}
		frames++
		bad := f[2] != "" || f[3] != "" || strings.Trim(f[4], "1,") != ""
		if bad && len(errs) < 5 {
			errs = append(errs, fmt.Errorf("frame %s (%s): %s %s, checksum status %q", f[0], f[1], f[2], f[3], f[4]))
		}
	}
	if frames == 0 {
		return fmt.Errorf("tshark: no frame of %s passes %q", file, filter)
	}
	return errors.Join(errs...)
}

// within polls a judge until it has nothing to say, and returns how long that took, or what it said last.
func within(limit time.Duration, judge func() error) (time.Duration, error) {
	start := time.Now()
	for {
		err := judge()
		took := time.Since(start)
		if err == nil {
			return took, nil
		}
		if took > limit {
			return took, fmt.Errorf("not within %v: %w", limit, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
