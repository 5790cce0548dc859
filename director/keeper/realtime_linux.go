package keeper

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// realTime asks for what keeps adverts on time on a busy host: memory that is never paged out, and a
// place before all ordinary processes. Threads that are started later inherit it. What is not
// allowed is said once, and does no harm.
func realTime(log hclog.Logger) {
	debug.SetGCPercent(50)
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Debug("memory is not locked", "err", err)
	}
	if err := schedule(); err != nil {
		log.Debug("scheduling is not real-time", "err", err)
	}
}

func schedule() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetAttr(tid, attr, 0); err != nil {
			return fmt.Errorf("set SCHED_RR of thread %d: %w", tid, err)
		}
	}
	return nil
}
