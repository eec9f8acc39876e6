package pace_test

import (
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/pace"
)

func TestOf(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": time.Second, "1": time.Second, "10": 10 * time.Second, "0": time.Second, "-3": time.Second, "much": time.Second,
	} {
		t.Setenv(pace.Variable, value)
		if got := pace.Of(time.Second); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
