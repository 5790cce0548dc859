package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// onOneProcessor has what the calling thread starts from now on run on one processor, which no other guest of this user has:
// a guest is one processor's work, and each of its system calls and page faults goes back and forth between two processes,
// which takes half as long again where they are on two processors. Where each processor has a guest, nothing is changed. To
// end it is to let the processor go, and the thread. What is taken is known by files in a folder.
func onOneProcessor(locks string) (end func()) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() < 2 {
		return func() {}
	}
	for cpu := range len(all) * 64 {
		if !all.IsSet(cpu) {
			continue
		}
		lock, err := taken(filepath.Join(locks, fmt.Sprintf("quorate-guest-%d-processor-%d", os.Getuid(), cpu)))
		if err != nil {
			continue
		}
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			lock.Close()
			continue
		}
		return func() {
			unix.SchedSetaffinity(0, &all)
			lock.Close()
		}
	}
	return func() {}
}

// taken locks a file that no other process has locked.
func taken(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
