package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/integration/bench"
)

// lxdfleet is what is measured: one API call, then pages through the proxy.
type lxdfleet struct {
	fleet       *bench.Fleet
	image, plan string
}

// create asks for the tenant, follows the job to its end as `lxdfleet tenant create` does, and
// fetches the page. Fetching from the start would measure this program: it would take the CPU
// time that the instances need to boot.
func (l *lxdfleet) create(ctx context.Context, name string) error {
	domain := name + ".localhost"
	err := l.fleet.Do(ctx, http.MethodPost, "/v1/tenants", map[string]any{
		"name": name, "image": l.image, "plan": l.plan, "domains": []string{domain},
	})
	if err != nil {
		return err
	}
	return bench.PollPage(ctx, l.fleet.Pages, "https://"+domain+"/", domain)
}

func (l *lxdfleet) remove(ctx context.Context, name string) error {
	return l.fleet.Do(ctx, http.MethodDelete, "/v1/tenants/"+name+"?now=true", nil)
}

// busy is the processor time that the whole machine has used since it was started.
func busy() time.Duration {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	total := int64(0)
	for i, field := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 { // idle, waiting
			continue
		}
		n, _ := strconv.ParseInt(field, 10, 64)
		total += n
	}
	return time.Duration(total) * 10 * time.Millisecond // USER_HZ is 100, proc(5)
}

// resident reads how much memory a process has resident.
func resident(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest) + " resident"
		}
	}
	return "unknown"
}
