package agent

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// keeperUnit is the systemd unit of a keeper that control neither starts nor stops.
const keeperUnit = "quorate-keeper.service"

// jobLimit is how long after control was told to stop a job for the keeper may come: `systemctl stop` of two
// units is two calls, and control is told to stop by the first.
const jobLimit = 400 * time.Millisecond

// unitStops reports whether systemd has a job for a unit that is not done: when control is stopped, one
// for the keeper is the same stop, of both, or of the whole machine. Control is stopped first and the
// keeper's job waits for that, so that there is time to hand over.
func unitStops(unit string) bool {
	for end := time.Now().Add(jobLimit); ; {
		job, err := unitJob(unit)
		if err != nil || job || time.Now().After(end) {
			return job
		}
		time.Sleep(jobLimit / 8)
	}
}

// unitJob reports whether systemd has a job for a unit.
func unitJob(unit string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	job, err := exec.CommandContext(ctx, "systemctl", "show", "--property=Job", "--value", unit).Output()
	text := strings.TrimSpace(string(job))
	return err == nil && text != "" && text != "0", err
}
