package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func (t *tool) auditCommand() *cobra.Command {
	return t.group("audit", "Who changed what: list, show, export, verify", t.auditList(), t.auditShow(), t.auditExport(), t.auditVerify())
}

// auditFlags narrow what is read of the audit log.
type auditFlags struct {
	user, subject, operation, from, to string
}

func (f *auditFlags) add(t *tool, c *cobra.Command) {
	c.Flags().StringVar(&f.user, "user", "", "only of this `user`")
	complete(c, "user", t.words(-1, userNames))
	c.Flags().StringVar(&f.subject, "subject", "", "only of this `subject`, such as tenant/acme; tenant/ for all tenants")
	c.Flags().StringVar(&f.operation, "operation", "", "only this `operation` of the API, such as deleteTenant")
	c.Flags().StringVar(&f.from, "from", "", "not before this `time`, such as 2026-03-01 or 24h for the last day")
	c.Flags().StringVar(&f.to, "to", "", "before this `time`")
}

// moment reads a time: a date, a moment, or how long ago.
func (t *tool) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return t.now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, t.now().Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fleet.Errorf(fleet.Invalid, "%q is not a time", text).WithField(flag).
		WithHint("write 2026-03-01, 2026-03-01T12:00:00Z, or 24h for a day ago")
}

func (t *tool) auditList() *cobra.Command {
	var f auditFlags
	var limit int
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List changes, the newest first", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			p := client.ListAuditParams{User: f.user, Subject: f.subject, Operation: f.operation, Limit: &limit}
			if p.From, err = t.moment("from", f.from); err != nil {
				return err
			}
			if p.To, err = t.moment("to", f.to); err != nil {
				return err
			}
			list, err := client.Decode[client.AuditList](d.ListAudit(c.Context(), &p))
			if err != nil {
				return err
			}
			return t.print(list.Items, func() error {
				rows := make([][]string, len(list.Items))
				for i, e := range list.Items {
					rows[i] = []string{strconv.FormatInt(e.Seq, 10), t.clock(e.At, time.DateTime), e.Actor, e.Address, e.Operation, e.Subject, strconv.Itoa(e.Status), e.Job}
				}
				return t.printTable([]string{"NO", "AT", "BY", "FROM", "OPERATION", "SUBJECT", "STATUS", "JOB"}, rows)
			})
		},
	}
	f.add(t, c)
	c.Flags().IntVar(&limit, "limit", 50, "how many, 1 to 1000; a `number`")
	return c
}

func (t *tool) auditShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NO", Short: "Show one entry, with the thing before and after", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			seq, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || seq < 1 {
				return usagef("%q is not the number of an entry", args[0])
			}
			d, err := t.daemon()
			if err != nil {
				return err
			}
			one := 1
			list, err := client.Decode[client.AuditList](d.ListAudit(c.Context(), &client.ListAuditParams{Limit: &one, Cursor: cursorBefore(seq + 1)}))
			if err != nil {
				return err
			}
			if len(list.Items) == 0 || list.Items[0].Seq != seq {
				return fleet.Errorf(fleet.NotFound, "there is no entry %d", seq).WithHint("see them with: lxdfleet audit list")
			}
			e := list.Items[0]
			return t.print(e, func() error {
				return t.printFields("No", args[0], "At", t.when(e.At), "By", e.Actor, "From", e.Address, "Operation", e.Operation, "Subject", e.Subject,
					"Status", strconv.Itoa(e.Status), "Job", e.Job, "Before", compactJSON(e.Before), "After", compactJSON(e.After), "Hash", e.Hash)
			})
		},
	}
}

// cursorBefore is the cursor of a page that begins below a number.
func cursorBefore(seq int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(seq, 10)))
}

func compactJSON(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

func (t *tool) auditExport() *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use: "export", Short: "Write the audit log to standard output, an entry a line as JSON", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			p := client.ExportAuditParams{User: f.user, Subject: f.subject, Operation: f.operation}
			if p.From, err = t.moment("from", f.from); err != nil {
				return err
			}
			if p.To, err = t.moment("to", f.to); err != nil {
				return err
			}
			body, err := client.Open(d.ExportAudit(c.Context(), &p))
			if err != nil {
				return err
			}
			defer body.Close()
			if _, err := io.Copy(t.Out, body); err != nil {
				return fmt.Errorf("read the audit log: %w", err)
			}
			return nil
		},
	}
	f.add(t, c)
	return c
}

func (t *tool) auditVerify() *cobra.Command {
	return &cobra.Command{
		Use: "verify", Short: "Look whether the audit log is as it was written", Args: arguments(0, 0),
		Long: "Look whether the audit log is as it was written. Entries taken from its end show only beside the\n" +
			"number and hash of an earlier look: keep what this prints somewhere else.",
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			found, err := client.Decode[client.AuditCheck](d.CheckAudit(c.Context()))
			if err != nil {
				return err
			}
			err = t.print(found, func() error {
				for _, flaw := range found.Flaws {
					fmt.Fprintf(t.Out, "Entry %d: %s\n", flaw.Seq, flaw.What)
				}
				_, err := fmt.Fprintf(t.Out, "%d entries, the last with hash %s\n", found.Entries, found.LastHash)
				return err
			})
			if err == nil && len(found.Flaws) > 0 {
				return fleet.Errorf(fleet.Conflict, "the audit log is not as it was written").WithHint("compare it with an export or a backup of the control plane")
			}
			return err
		},
	}
}
