package migration

import (
	"bufio"
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// lookInUse is how long it may take to find out what is in use, while nobody waits for it.
	lookInUse = 5 * time.Second
	// mostInUse bounds the list, which is kept with the job.
	mostInUse = 500
)

// inUseScript lists what the processes of an instance have mapped or open, with how often, the most
// used first. What precedes the first slash of each line is no part of the name.
const inUseScript = `{ cat /proc/[0-9]*/maps; ls -l /proc/[0-9]*/fd; } 2>/dev/null |
	sed -n 's|^[^/]*/|/|p' | sort | uniq -c | sort -rn | head -n 5000`

// inUse gives the files that the tenant's programs work with: its own and its libraries and data
// files. They are read ahead on the target while the original stops, since after a move nothing of
// them is in memory there, and on btrfs not even what has just been received: files of a clone are
// others to the page cache. It may be empty; a move does without.
func (c *crew) inUse(ctx context.Context, s *moveState) []string {
	if !s.Marked || !s.WasUp {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookInUse)
	defer cancel()
	var out bytes.Buffer
	_, err := c.LXD.Exec(ctx, s.tenant(), fleet.ExecSpec{Command: []string{"sh", "-c", inUseScript}, Stdout: &out})
	if err != nil {
		return nil
	}
	return parseInUse(out.Bytes())
}

// elsewhere begins the names of what is no file of the instance's disk.
var elsewhere = []string{"/dev/", "/proc/", "/sys/", "/run/", "/memfd:", "/SYSV", "/[", "/anon_hugepage"}

// parseInUse reads lines such as "     12 /usr/lib/x86_64-linux-gnu/libc.so.6".
func parseInUse(out []byte) []string {
	var files []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan() && len(files) < mostInUse; {
		_, file, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if !ok || !strings.HasPrefix(file, "/") || strings.HasSuffix(file, " (deleted)") ||
			slices.ContainsFunc(elsewhere, func(prefix string) bool { return strings.HasPrefix(file, prefix) }) {
			continue
		}
		files = append(files, file)
	}
	return files
}

// readAhead has the target read what the tenant's programs begin with, until the original has
// stopped.
func (c *crew) readAhead(ctx context.Context, s *moveState, copied string, stopped <-chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if len(s.InUse) > 0 && !s.Fresh {
			_, _ = c.LXD.ReadAhead(ctx, copied, s.InUse) // without, it starts as well, only slower
		}
	}()
	err := <-stopped
	cancel()
	<-done // nothing holds the copy's files open when it is renamed
	return err
}
