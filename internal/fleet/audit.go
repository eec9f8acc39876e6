package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"
)

// AuditEntry is one change, or refused change, of anything: by whom, from where, of what. Each
// holds the hash of the one before, so that one that was altered or taken out shows.
type AuditEntry struct {
	Seq       int64     `json:"seq"` // 1, 2, 3 …
	At        time.Time `json:"at"`
	Actor     string    `json:"actor"`             // Caller.String
	User      string    `json:"user,omitempty"`    // the user behind it
	Address   string    `json:"address,omitempty"` // empty over the unix socket
	Operation string    `json:"operation"`         // operationId of the API
	Subject   string    `json:"subject,omitempty"` // "tenant/acme"
	// Status is the answer's HTTP status.
	Status int `json:"status"`
	// Before and After are the subject's documents without secrets; null where not known.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Job    string          `json:"job,omitempty"`
	Prev   string          `json:"prev"` // Hash of the entry before; empty of the first
	Hash   string          `json:"hash"`
}

// Seal computes the entry's hash over all of its other fields: SHA-256, in hex, of the fields
// in the order of the type, each with its length before it.
func (e AuditEntry) Seal() string {
	h := sha256.New()
	field := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	number := func(v int64) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(v))
		field(n[:])
	}
	number(e.Seq)
	number(e.At.UnixMicro())
	for _, s := range []string{e.Actor, e.User, e.Address, e.Operation, e.Subject} {
		field([]byte(s))
	}
	number(int64(e.Status))
	field(e.Before)
	field(e.After)
	field([]byte(e.Job))
	field([]byte(e.Prev))
	return hex.EncodeToString(h.Sum(nil))
}

// AuditFilter narrows a list of entries; zero fields do not. Lists are sorted by Seq, the newest
// first.
type AuditFilter struct {
	User      string
	Subject   string // exact, or a kind with its slash: "tenant/"
	Operation string
	Tenants   []Name // only of these tenants; nil: of everything
	From, To  time.Time
	Before    int64 // only with a smaller Seq (paging)
	Limit     int   // 0: all
}
