package logstore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/quorate/quorate/durable"
)

// RecordFile is the name of the record's file.
const RecordFile = "applied"

// Record keeps the highest applied index on disk. It is written in place, so a full disk does not
// stop it, and not synced but by Sync: one that is behind, or that cannot be read, is safe.
type Record struct {
	f       *os.File
	written uint64
}

const recordFormat = "%020d %08x\n"

// OpenRecord opens the record in a file, or makes one there. One that cannot be read says 0.
func OpenRecord(path string) (*Record, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the record of what was applied: %w", err)
	}
	b := make([]byte, 64)
	n, _ := f.ReadAt(b, 0) // always io.EOF; a record that cannot be read counts as none
	return &Record{f: f, written: parseRecord(string(b[:n]))}, nil
}

// FormatRecord returns what is in the file of the record of an index.
func FormatRecord(index uint64) string {
	return fmt.Sprintf(recordFormat, index, crc32.ChecksumIEEE(fmt.Append(nil, index)))
}

// parseRecord returns the index in a record, 0 for anything that is not one.
func parseRecord(s string) uint64 {
	var index uint64
	var sum uint32
	if n, err := fmt.Sscanf(s, recordFormat, &index, &sum); n != 2 || err != nil {
		return 0
	}
	if s != FormatRecord(index) {
		return 0
	}
	return index
}

// Write writes an index, unless a higher one is there.
func (r *Record) Write(index uint64) error {
	if index <= r.written {
		return nil
	}
	if err := r.put(FormatRecord(index)); err != nil {
		return fmt.Errorf("record what was applied: %w", err)
	}
	r.written = index
	return nil
}

func (r *Record) put(text string) error {
	_, err := r.f.WriteAt([]byte(text), 0)
	return err
}

// Last returns the index that is on disk.
func (r *Record) Last() uint64 { return r.written }

// Sync has it outlive a power cut.
func (r *Record) Sync() error {
	return errors.Join(r.f.Sync(), durable.SyncDir(filepath.Dir(r.f.Name())))
}

// Close closes it.
func (r *Record) Close() error { return r.f.Close() }
