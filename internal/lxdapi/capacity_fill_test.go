package lxdapi

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// What a machine has is asked for again after ten minutes, after a minute where LXD had no answer, and
// at once when the member was away; until then what was told stands.
func TestResourcesAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var known capacities
		asked, failure := 0, error(nil)
		check := func(after time.Duration, wantAsked, wantCPUs int) {
			t.Helper()
			time.Sleep(after)
			var m fleet.Member
			known.of("n1").fill(&m, func(out any) error {
				asked++
				if r, ok := out.(*api.Resources); ok && failure == nil {
					r.CPU.Total = uint64(asked)
				}
				return failure
			})
			if asked != wantAsked || m.CPUs != wantCPUs {
				t.Errorf("asked %d times, %d CPUs; want %d, %d", asked, m.CPUs, wantAsked, wantCPUs)
			}
		}
		check(0, 1, 1)
		check(resourcesEvery-time.Second, 1, 1)
		check(time.Second, 2, 2)
		failure = fleet.Errorf(fleet.Failed, "no ethtool")
		check(resourcesEvery, 3, 2)
		check(resourcesAgain-time.Second, 3, 2)
		failure = nil
		check(time.Second, 4, 4)
		known.forget("n1")
		check(0, 5, 5)
	})
}
