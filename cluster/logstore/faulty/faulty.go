// Package faulty is a disk for tests, whose writes fail or hang when a test says so. It is used by no program.
package faulty

import (
	"sync"

	"github.com/hashicorp/raft"
)

// under is what the disk is made of: what package logstore calls a disk, whose own tests use this one.
type under interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// Disk is a disk whose writes can be made to fail, at any time.
type Disk struct {
	under

	mu     sync.Mutex
	stable error         // of writes of term and vote
	logs   error         // of writes of the log
	hang   chan struct{} // writes of the log wait for it to be closed
	tries  int
}

// New returns a disk that is well, over another one.
func New(over under) *Disk { return &Disk{under: over} }

// Over puts the disk over another one. Nobody may use it yet.
func (d *Disk) Over(disk under) { d.under = disk }

// FailStable has writes of term and vote fail with an error, or work again with none.
func (d *Disk) FailStable(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stable = err
}

// FailLog has writes of the log fail with an error, or work again with none.
func (d *Disk) FailLog(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logs = err
}

// HangLog has writes of the log wait until a channel is closed, or for nothing with none.
func (d *Disk) HangLog(until chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hang = until
}

// LogError returns with what writes of the log fail, or nil.
func (d *Disk) LogError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.logs
}

// Tries returns how often term and vote were to be written.
func (d *Disk) Tries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries
}

func (d *Disk) attempt() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries++
	return d.stable
}

// Set implements [raft.StableStore].
func (d *Disk) Set(key, val []byte) error {
	if err := d.attempt(); err != nil {
		return err
	}
	return d.under.Set(key, val)
}

// SetUint64 implements [raft.StableStore].
func (d *Disk) SetUint64(key []byte, val uint64) error {
	if err := d.attempt(); err != nil {
		return err
	}
	return d.under.SetUint64(key, val)
}

// StoreLogs implements [raft.LogStore].
func (d *Disk) StoreLogs(es []*raft.Log) error {
	d.mu.Lock()
	err, hang := d.logs, d.hang
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		return err
	}
	return d.under.StoreLogs(es)
}
