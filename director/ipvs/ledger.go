package ipvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/quorate/quorate/durable"
)

// Ledger is the record of the virtual services that quorate made or took over. The destinations of
// such a service belong to it. A service enters the ledger before the kernel hears of it and
// leaves it after the kernel lost it, so that a crash between leaves a record, never an orphan.
type Ledger map[Key]bool

// Has reports whether the service is quorate's.
func (l Ledger) Has(key Key) bool { return l[key] }

// ledgerFile is a ledger on disk.
type ledgerFile struct {
	Version  int   `json:"version"`
	Services []Key `json:"services"`
}

// LoadLedger reads the ledger in a file. A file that does not exist is an empty ledger.
func LoadLedger(path string) (Ledger, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Ledger{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ipvs ledger: %w", err)
	}
	var file ledgerFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("ipvs ledger %s: %w", path, err)
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("ipvs ledger %s: version %d is unknown", path, file.Version)
	}
	ledger := make(Ledger, len(file.Services))
	for _, key := range file.Services {
		ledger[key] = true
	}
	return ledger, nil
}

// Save writes the ledger to a file: whole or not at all, and durable when it returns.
func (l Ledger) Save(path string) error {
	keys := slices.SortedFunc(maps.Keys(l), Key.Compare)
	b, err := json.MarshalIndent(ledgerFile{Version: 1, Services: keys}, "", "\t")
	if err != nil {
		return fmt.Errorf("ipvs ledger: %w", err)
	}
	if err := durable.Write(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("ipvs ledger: %w", err)
	}
	return nil
}
