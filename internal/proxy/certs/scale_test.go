//go:build integration

package certs

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// resident is the memory of this process, in MB.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// Ten thousand hosts, each with a certificate and an intermediate of an authority, are asked for
// again and again, more than memory is to hold at once.
func TestTenThousandHosts(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ACME.PerHour, c.ACME.TenantPerHour, c.Every = 1e6, 1e6, time.Hour })
	hosts := names(10_000, "www.client-number-%05d.dev")
	w.lead("acme", hosts...)
	w.run()
	w.Want(w)
	visit := func(what string) {
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := i; j < len(hosts); j += 8 {
					got := w.hello(hosts[j])
					for range 2 { // on a busy machine an order may take longer than a client waits
						if got != hosts[j] {
							got = w.hello(hosts[j])
						}
					}
					if got != hosts[j] {
						t.Errorf("certificate of %q for %s", got, hosts[j])
						return
					}
				}
			})
		}
		wg.Wait()
		mem := resident(t)
		t.Logf("%s: %v, %d MB resident, %d orders", what, time.Since(began).Round(time.Millisecond), mem, len(w.asked()))
		if mem > 200 {
			t.Errorf("%d MB resident", mem)
		}
	}
	visit("first visits")
	visit("later visits, from storage")
	w.follow(w)
	w.clock.pass(24 * time.Hour)
	visit("a day later")
	if n := len(w.asked()); n != len(hosts) {
		t.Errorf("%d orders for %d hosts", n, len(hosts))
	}
}
