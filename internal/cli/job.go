package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (t *tool) jobCommand() *cobra.Command {
	return t.group("job", "Jobs: list, show, watch, cancel, retry",
		t.jobList(), t.jobShow(), t.jobWatch(), t.jobCancel(), t.jobRetry())
}

func (t *tool) jobList() *cobra.Command {
	var p client.ListJobsParams
	var states []string
	var sort string
	limit := 50
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List jobs, newest first", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			for _, state := range states {
				p.State = append(p.State, client.JobState(state))
			}
			p.Sort, p.Limit = client.ListJobsParamsSort(sort), &limit
			list, err := client.Decode[client.JobList](d.ListJobs(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, j := range list.Items {
					rows[i] = []string{j.Id, j.Kind, j.Subject, string(j.State), t.ago(j.CreatedAt), facts(j.Facts), j.Error}
				}
				return t.printTable([]string{"ID", "KIND", "SUBJECT", "STATE", "STARTED", "FACTS", "ERROR"}, rows)
			})
		},
	}
	f := c.Flags()
	f.IntVarP(&limit, "limit", "n", 50, "at most this `many`")
	f.StringVar(&p.Subject, "subject", "", "only on this `subject`, such as tenant/acme")
	f.StringVar(&p.Kind, "kind", "", "only of this `kind`, such as tenant.create; tenant. for all of tenants")
	f.StringSliceVar(&states, "state", nil, "only in these `states`: queued, running, undoing, done, undone, cancelled, stuck")
	f.StringVar(&p.Parent, "parent", "", "only those that the job with this `id` has begun for single tenants")
	f.BoolVar(&p.Unfinished, "unfinished", false, "only those that are not over, and stuck ones")
	sortFlag(c, &sort, "created")
	fixed(c, "state", "queued", "running", "undoing", "done", "undone", "cancelled", "stuck")
	return c
}

// facts are what a job's kind tells of it, by name: "from n1, to n2, waited 1.2s".
func facts(all map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, name+" "+all[name])
	}
	return strings.Join(parts, ", ")
}

func (t *tool) jobShow() *cobra.Command {
	return t.onJob("show ID", "Show a job and what it did", func(ctx context.Context, d *client.Daemon, id string) error {
		detail, err := client.Decode[client.JobDetail](d.GetJob(ctx, id, nil))
		if err != nil {
			return err
		}
		return t.print(detail, func() error { return t.describeJob(detail) })
	})
}

func (t *tool) describeJob(detail client.JobDetail) error {
	j := detail.Job
	err := t.printFields(
		"ID", j.Id, "Kind", j.Kind, "Subject", j.Subject, "Facts", facts(j.Facts), "State", string(j.State),
		"Error", j.Error, "Hint", j.Hint, "Waits for", t.when(j.NotBefore), "Started", t.ago(j.CreatedAt), "Changed", t.ago(j.UpdatedAt),
	)
	if err != nil {
		return err
	}
	history := &progress{out: t.Out, start: j.CreatedAt, now: t.now, over: make(chan struct{})}
	for _, e := range detail.Events {
		history.event(e)
	}
	history.close()
	return t.outcomes(j.Outcomes)
}

// outcomes shows what came of each tenant of a job for many.
func (t *tool) outcomes(all []client.JobOutcome) error {
	if len(all) == 0 {
		return nil
	}
	rows := make([][]string, len(all))
	for i, o := range all {
		rows[i] = []string{o.Tenant, strings.ReplaceAll(string(o.State), "_", " "), o.Job, cmp.Or(o.Why, t.when(o.At), facts(o.Facts))}
	}
	return t.printTable([]string{"TENANT", "OUTCOME", "JOB", "WHY, WHEN OR WHERE"}, rows)
}

func (t *tool) jobWatch() *cobra.Command {
	return t.onJob("watch ID", "Follow a job to its end", func(ctx context.Context, d *client.Daemon, id string) error {
		detail, err := client.Decode[client.JobDetail](d.GetJob(ctx, id, nil))
		if err != nil {
			return err
		}
		return t.watch(ctx, d, detail.Job)
	})
}

// watch follows a job and says how it ended.
func (t *tool) watch(ctx context.Context, d *client.Daemon, job client.Job) error {
	end, err := t.follow(ctx, d, job)
	if err != nil {
		return err
	}
	return t.print(end, func() error {
		_, err := fmt.Fprintf(t.Out, "Job %s (%s %s) is %s\n", end.Id, end.Kind, end.Subject, end.State)
		return err
	})
}

func (t *tool) jobCancel() *cobra.Command {
	return t.onJob("cancel ID", "Ask a job to stop and take back what it did", func(ctx context.Context, d *client.Daemon, id string) error {
		job, err := client.Decode[client.Job](d.CancelJob(ctx, id, nil))
		if err != nil {
			return err
		}
		end, err := t.follow(ctx, d, job)
		switch {
		case end.State == client.JobStateCancelled:
			return t.print(end, func() error {
				_, err := fmt.Fprintf(t.Out, "Job %s is cancelled; nothing of it is left behind\n", id)
				return err
			})
		case err != nil:
			return err
		}
		return fleet.Errorf(fleet.Conflict, "the job was past the point of no return, and is done")
	})
}

func (t *tool) jobRetry() *cobra.Command {
	c := &cobra.Command{
		Use: "retry ID", Short: "Let a stuck job go on", Args: arguments(1, 1), ValidArgsFunction: t.words(1, jobIDs),
	}
	w := t.waitFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := t.daemon()
		if err != nil {
			return err
		}
		answer, err := d.RetryJob(c.Context(), args[0], nil)
		return w.job(c.Context(), d, func(j client.Job) error {
			_, err := fmt.Fprintf(t.Out, "Job %s (%s %s) is %s\n", j.Id, j.Kind, j.Subject, j.State)
			return err
		}, answer, err)
	}
	return c
}

// onJob makes a verb for one job.
func (t *tool) onJob(use, short string, do func(ctx context.Context, d *client.Daemon, id string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1), ValidArgsFunction: t.words(1, jobIDs),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			return do(c.Context(), d, args[0])
		},
	}
}
