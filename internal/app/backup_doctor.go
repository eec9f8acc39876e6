package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups"
	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/setup"
	"github.com/lxdfleet/lxdfleet/internal/store"
)

// staleBackup is how old the newest backup may be.
const staleBackup = 48 * time.Hour

// backupFindings look at the repository of the backups, its key, and how the last drill went.
// Nothing is made.
func backupFindings(ctx context.Context, cfg config.Config) []setup.Finding {
	if cfg.Store.DSN == "" {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, "lxdfleet.db")); errors.Is(err, os.ErrNotExist) {
			return nil // nothing was ever made here
		}
	}
	s, err := store.Open(ctx, cfg.DSN(), store.AsIs())
	if err != nil {
		return nil // the store's own finding tells
	}
	defer s.Close()
	v := backups.NewVault(backups.VaultOptions{Location: cfg.BackupLocation(), KeyFile: cfg.BackupKeyFile(), Opener: opener{cfg}})
	defer func() { _ = v.Close(context.WithoutCancel(ctx)) }() // nothing was written
	st, err := backups.NewService(backups.Deps{Store: s, Vault: v}, nil).Status(ctx)
	if err != nil {
		return []setup.Finding{{Check: "backups", State: setup.Fail, Message: err.Error(), Hint: "see whether the store answers"}}
	}
	return findingsOf(st, time.Now())
}

// findingsOf says what of the backups somebody should look at.
func findingsOf(st backups.Status, now time.Time) []setup.Finding {
	var found []setup.Finding
	add := func(check string, state setup.State, message, hint string) {
		found = append(found, setup.Finding{Check: check, State: state, Message: message, Hint: hint})
	}
	switch {
	case st.State == backups.StateAbsent && st.Backups == 0:
		add("backups", setup.Warn, "there is no repository yet: "+st.Problem, "make one: lxdfleet backup init")
		return found
	case st.State != backups.StateReady:
		add("backups", setup.Fail, "no backups can be made: "+st.Problem, st.Hint)
	case !st.Away:
		add("backups", setup.Warn, "backups are kept in "+st.Location+", and do not leave this building",
			"set backups.location to an S3 bucket elsewhere: s3://bucket/prefix")
	default:
		add("backups", setup.OK, fmt.Sprintf("%d backups at %s", st.Backups, st.Location), "")
	}
	if st.KeyID != "" && !st.KeyRecorded {
		add("backup key", setup.Warn, "nobody has said that there is a copy of the recovery key; with this machine all backups would be lost",
			"copy "+st.KeyFile+" to a safe place, then: lxdfleet backup confirm-key")
	}
	if st.Damaged > 0 {
		add("backup damage", setup.Fail, fmt.Sprintf("%d backups are damaged", st.Damaged), "see them: lxdfleet backup list --damaged; make new ones")
	}
	if st.LastBackup != nil && now.Sub(*st.LastBackup) > staleBackup {
		add("backup age", setup.Warn, "the newest backup is of "+st.LastBackup.Format(time.RFC3339), "give tenants a policy: lxdfleet tenant set NAME policy=POLICY")
	}
	switch d := st.LastDrill; {
	case d != nil && !d.Passed:
		add("restore drill", setup.Fail, fmt.Sprintf("the last drill, of %s, failed: %s", d.Tenant, d.Error), "see it: lxdfleet drill list; make a new backup and try that")
	case d == nil && st.Backups > 0:
		add("restore drill", setup.Warn, "no backup was ever restored on trial", "try one: lxdfleet drill run")
	}
	return found
}
