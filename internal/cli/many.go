package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
)

// many are the flags of a verb that can be done to many tenants by one job.
type many struct {
	action client.BulkAction
	labels []string
	all    bool
	atOnce int
}

func (m *many) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&m.labels, "selector", nil, "all tenants with this label, `key=value`, as one job; several times: with all of them")
	c.Flags().BoolVar(&m.all, "all", false, "all tenants, as one job")
	c.Flags().IntVar(&m.atOnce, "at-once", 0, "as one job, this `number` of tenants at a time (default 4)")
	apart(c, "all", "selector")
}

// asked reports whether one job is to do it.
func (m *many) asked() bool { return m.all || len(m.labels) > 0 || m.atOnce != 0 }

// body says to whom it is done: those of the flags, or the names given.
func (m *many) body(c *cobra.Command, names []string) (client.TenantBulk, error) {
	b := client.TenantBulk{Action: m.action, All: m.all, AtOnce: m.atOnce, Tenants: names}
	labels, err := parsePairs("selector", m.labels)
	switch {
	case err != nil:
		return b, err
	case (len(names) > 0) == (m.all || len(labels) > 0):
		return b, usagef("name the tenants, or give --selector or --all: %s", c.UseLine())
	case len(labels) > 0:
		b.Selector = &client.TenantSelector{Labels: labels}
	}
	return b, nil
}

// bulk does it by one job; past says what then has happened.
func (t *tool) bulk(ctx context.Context, w *waiting, b client.TenantBulk, past string) error {
	d, err := t.daemon()
	if err != nil {
		return err
	}
	answer, err := d.BulkTenants(ctx, &client.BulkTenantsParams{IdempotencyKey: w.key}, b)
	if b.At != "" && b.At != "window" {
		return t.waits(answer, err)
	}
	return w.job(ctx, d, t.saying("All of them: "+past), answer, err)
}

// waits says that a job waits for its time.
func (t *tool) waits(answer *http.Response, err error) error {
	job, err := client.Decode[client.Job](answer, err)
	if err != nil {
		return err
	}
	return t.print(job, func() error {
		_, err := fmt.Fprintf(t.Out, "Job %s begins %s; cancel it with: lxdfleet job cancel %s\n", job.Id, cmp.Or(t.when(job.NotBefore), "now"), job.Id)
		return err
	})
}
