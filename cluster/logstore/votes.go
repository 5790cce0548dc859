package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// Set implements [raft.StableStore].
func (s sealing) Set(key, val []byte) error { return s.Disk.Set(key, sealValue(key, val)) }

// SetUint64 implements [raft.StableStore].
func (s sealing) SetUint64(key []byte, val uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// Get implements [raft.StableStore].
func (s sealing) Get(key []byte) ([]byte, error) {
	val, err := s.Disk.Get(key)
	if err != nil {
		return nil, err
	}
	return unsealValue(key, val)
}

// GetUint64 implements [raft.StableStore].
func (s sealing) GetUint64(key []byte) (uint64, error) {
	val, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != numberSize {
		return 0, fmt.Errorf("%s: %w", key, errDamaged)
	}
	return binary.BigEndian.Uint64(val), nil
}

// numberSize is how long a term is. What reads no checksums takes that much of a value, and leaves what is behind.
const numberSize = 8

// sealValue returns what is stored under a key for a value: the value, and its checksum behind it. A version that reads no checksums
// takes a term as it is, and of a vote the checksum for a part of the name: nobody has that, so that it gives no other vote in that
// term, nor the same one again to who asks for it twice. That may cost an election, and gives nobody two leaders.
func sealValue(key, val []byte) []byte {
	sum := newSum()
	_, _ = sum.Write(key) // never fails
	_, _ = sum.Write(val)
	return sum.Sum(slices.Concat(val, sealed))
}

// unsealValue returns the value in what is stored under a key.
func unsealValue(key, stored []byte) ([]byte, error) {
	n := len(stored) - len(sealed) - crc32.Size
	if n < 0 || !bytes.HasPrefix(stored[n:], sealed) {
		return stored, nil // of a version that had none
	}
	if !bytes.Equal(stored, sealValue(key, stored[:n])) {
		return nil, fmt.Errorf("%s: %w", key, errDamaged)
	}
	return stored[:n], nil
}

// The buckets of a log's file, of which one is for term and vote, and what is in that.
const (
	logsBucket  = "logs"
	votesBucket = "conf"

	termKey     = "CurrentTerm"
	voteTermKey = "LastVoteTerm"
	voteKey     = "LastVoteCand"
	tryKey      = "try"
)

// checkVotes returns what is wrong with term and vote by themselves. A later version may keep more beside the log, which is nothing
// to this one. It is no reason to refuse a key that nobody knows: one that flipped does not go with the checksum, which is of the key, too.
func checkVotes(tx *bbolt.Tx) error {
	votes := tx.Bucket([]byte(votesBucket))
	if votes == nil {
		return nil // the store makes it when it is opened
	}
	return votes.ForEach(func(k, v []byte) error {
		val, err := unsealValue(k, v)
		switch key := string(k); {
		case err != nil:
			return err
		case key == termKey || key == voteTermKey:
			if len(val) != numberSize {
				return fmt.Errorf("%s: %w", key, errDamaged)
			}
		}
		return nil
	})
}

// Term returns the newest term that this member has seen, which is 0 before the first.
func (s *Store) Term() (uint64, error) {
	term, err := s.Bare.GetUint64([]byte(termKey))
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return 0, nil
	}
	return term, err
}

// checkTerm returns why the term is none that this member can be in: of its entries and snapshots none is of a later one. A log's file
// that is gone leaves no term, and what was confirmed behind the newest snapshot is gone with it, and the vote.
func (s *Store) checkTerm() error {
	term, err := s.Term()
	if err != nil {
		return err
	}
	metas, err := s.Snapshots.List()
	if err != nil {
		return err
	}
	for _, m := range metas {
		if m.Term > term && s.Snapshots.asWritten(m.ID, *m) == nil { // else it is passed over, see Open
			return fmt.Errorf("the term is %d, and snapshot %s is of %d", term, m.ID, m.Term)
		}
	}
	last, err := s.Bare.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	var e raft.Log
	if err := s.Bare.GetLog(last, &e); err != nil {
		return fmt.Errorf("log entry %d: %w", last, err)
	}
	if e.Term > term {
		return fmt.Errorf("the term is %d, and log entry %d is of %d", term, last, e.Term)
	}
	return nil
}
