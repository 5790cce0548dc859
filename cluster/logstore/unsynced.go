//go:build mutants

package logstore

import "os"

// unsynced has the log not be synced: a test's control.
var unsynced = os.Getenv("QUORATE_UNSYNCED") == "1"
