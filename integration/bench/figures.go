package bench

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Median of figures; 0 where there are none.
func Median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// Seconds writes figures as seconds, separated by blanks.
func Seconds(d []time.Duration) string {
	out := make([]string, len(d))
	for i, t := range d {
		out[i] = fmt.Sprintf("%.2f", t.Seconds())
	}
	return strings.Join(out, " ")
}

// WaitClean waits until btrfs has cleaned up after deleted instances. It does so in the
// background with a whole processor: the next turn would pay for the removal of the last.
// pool is where it is mounted; empty: another file system, which is not waited for.
func WaitClean(ctx context.Context, pool string) error {
	if pool == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, "btrfs", "subvolume", "sync", pool).CombinedOutput()
	if err != nil {
		return fmt.Errorf("btrfs subvolume sync %s: %w: %s", pool, err, out)
	}
	return Sleep(ctx, 2*time.Second)
}

// Sleep waits, or ends with the context.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
