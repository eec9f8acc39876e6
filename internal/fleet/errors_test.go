package fleet

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestErrorCodes(t *testing.T) {
	err := fmt.Errorf("create: %w", Errorf(Taken, "read: %w", io.EOF).WithField("name").WithHint("try %s", "another"))
	if !errors.Is(err, Taken) || errors.Is(err, NotFound) || !errors.Is(err, io.EOF) {
		t.Errorf("errors.Is does not see through %v", err)
	}
	if CodeOf(err) != Taken || CodeOf(io.EOF) != Internal || CodeOf(nil) != "" {
		t.Errorf("codes: %q, %q, %q", CodeOf(err), CodeOf(io.EOF), CodeOf(nil))
	}
	if got, want := err.Error(), "create: name: read: EOF (try another)"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func TestIDsSortByTime(t *testing.T) {
	last := ""
	for i := range 1000 {
		id := NewID(time.UnixMilli(1_700_000_000_000 + int64(i)*7))
		if len(id) != 26 || id <= last {
			t.Fatalf("id %q after %q", id, last)
		}
		last = id
	}
}
