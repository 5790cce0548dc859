package track

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	scanAlone  = time.Second      // from scan to scan where the kernel tells nothing
	scanBeside = 10 * time.Second // where it tells: a second opinion
	breath     = 20 * time.Millisecond
	maxLine    = 4 << 10
	maxComm    = 15 // bytes of a program's name that the kernel keeps
	kernelTask = 0x00200000
)

// processes is the table of this host's processes.
type processes struct {
	open func() (*connector, error)

	mu    sync.Mutex // guards what follows
	table map[int32]process
	known bool // it was read since somebody watches
}

// process is one program that runs. Dead ones, and the kernel's own, are in no table.
type process struct {
	name string // at most 15 bytes
	line string // with single spaces, or what of it fits in maxLine bytes
}

// watch keeps the table until ctx ends, and calls changed when it may have changed.
func (p *processes) watch(ctx context.Context, log hclog.Logger, changed func()) {
	events, err := p.open()
	if err != nil {
		log.Debug("the kernel does not tell of processes: looking at all of them each second", "err", err)
	} else {
		defer events.close()
	}
	p.mu.Lock()
	p.known = false
	p.mu.Unlock()
	live, due := false, time.Time{}
	for ctx.Err() == nil {
		if !time.Now().Before(due) {
			p.scan()
			changed()
			due = time.Now().Add(scanAlone)
			if live {
				due = time.Now().Add(scanBeside)
			}
		}
		if events == nil {
			wait(ctx, time.Until(due))
			continue
		}
		e, ok, err := events.next(ctx, due)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil: // lost, or broken
			live, due = false, time.Now().Add(breath)
			wait(ctx, breath)
		case ok:
			live = true
			if p.apply(e) {
				changed()
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// apply follows one event, and reports whether the table may have changed.
func (p *processes) apply(e processEvent) bool {
	switch {
	case e.what == processForked && e.child == e.tail: // a process, and not a thread
		p.mu.Lock()
		defer p.mu.Unlock()
		parent, ok := p.table[e.tgid]
		if ok {
			p.table[e.child] = parent // what it is until it becomes another program
		}
		return ok
	case e.what == processExited && e.pid == e.tgid:
		p.mu.Lock()
		defer p.mu.Unlock()
		_, ok := p.table[e.pid]
		delete(p.table, e.pid)
		return ok
	case e.what == processExeced, e.what == processNamed && e.pid == e.tgid:
		now, ok := readProcess(e.tgid)
		p.mu.Lock()
		defer p.mu.Unlock()
		if ok {
			p.table[e.tgid] = now
		} else {
			delete(p.table, e.tgid)
		}
		return true
	}
	return false
}

// scan reads the whole table.
func (p *processes) scan() {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return
	}
	table := map[int32]process{}
	for _, name := range names {
		pid, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			continue
		}
		if one, ok := readProcess(int32(pid)); ok {
			table[int32(pid)] = one
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table, p.known = table, true
}

func readProcess(pid int32) (process, bool) {
	dir := "/proc/" + strconv.Itoa(int(pid))
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, false
	}
	name, ok := parseStat(stat)
	if !ok {
		return process{}, false
	}
	f, err := os.Open(dir + "/cmdline")
	if err != nil {
		return process{}, false
	}
	defer f.Close()
	args, err := io.ReadAll(io.LimitReader(f, maxLine))
	return process{name: name, line: commandLine(args)}, err == nil
}

// parseStat returns the name of a process that is neither dead nor the kernel's own (proc_pid_stat(5)).
func parseStat(b []byte) (string, bool) {
	from, to := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')') // the name may have both in it
	if from < 0 || to < from {
		return "", false
	}
	fields := bytes.Fields(b[to+1:])
	if len(fields) < 7 {
		return "", false
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	dead := bytes.ContainsAny(fields[0], "ZXx")
	return string(b[from+1 : to]), err == nil && !dead && flags&kernelTask == 0
}

func commandLine(args []byte) string {
	return string(bytes.Join(bytes.FieldsFunc(args, func(r rune) bool { return r == 0 }), []byte{' '}))
}

// is reports whether it is the process of a track. Of a long name the kernel keeps but the beginning; the
// rest is in the command line.
func (p process) is(s Spec) bool {
	switch {
	case s.CommandLine:
		return p.line == s.Process
	case len(s.Process) > maxComm:
		first, rest, _ := strings.Cut(p.line, " ")
		second, _, _ := strings.Cut(rest, " ") // of a script, whose interpreter comes first
		return p.name == s.Process[:maxComm] && (path.Base(first) == s.Process || path.Base(second) == s.Process)
	}
	return p.name == s.Process
}

// look counts the processes of a track.
func (p *processes) look(s Spec) (Observation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, one := range p.table {
		if one.is(s) {
			n++
		}
	}
	o := Observation{OK: n >= s.AtLeast && (s.AtMost == 0 || n <= s.AtMost), Value: n}
	if !o.OK {
		o.Reason = fmt.Sprintf("%d processes %q run, at least %d are wanted", n, s.Process, s.AtLeast)
		if n >= s.AtLeast {
			o.Reason = fmt.Sprintf("%d processes %q run, at most %d are wanted", n, s.Process, s.AtMost)
		}
	}
	return o, p.known
}
