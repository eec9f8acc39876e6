package config

import (
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkSnapshots(c Config) *fleet.Error {
	s := c.Snapshots
	if s.PerMember < 1 {
		return invalid("snapshots.per_member", "write 1 or more", "%d at the same time are none", s.PerMember)
	}
	if s.HoldLimit > time.Minute {
		return invalid("snapshots.hold_limit", "write 1m or less", "an application that is held still for %s is down", s.HoldLimit)
	}
	return durations(span{"snapshots.hold_limit", s.HoldLimit, time.Second}, span{"snapshots.keep_safety", s.KeepSafety, time.Minute})
}

func checkBackups(c Config) *fleet.Error {
	b := c.Backups
	if err := checkLocation(c); err != nil {
		return err
	}
	if b.UploadLimit < 0 || b.UploadLimit > 0 && b.UploadLimit < 64*fleet.KiB {
		return invalid("backups.upload_limit", "write 64KiB or more, or 0B for no limit", "%s in a second is too little", b.UploadLimit)
	}
	if b.Parallel < 1 || b.Parallel > 64 {
		return invalid("backups.parallel", "write a number from 1 to 64", "%d is out of range", b.Parallel)
	}
	if b.PerMember < 1 {
		return invalid("backups.per_member", "write 1 or more", "%d at the same time are none", b.PerMember)
	}
	if b.LockFor != 0 && !strings.HasPrefix(b.Location, "s3://") {
		return invalid("backups.lock_for", "write 0s, or set backups.location to a bucket", "only an S3 server locks what was written")
	}
	if b.LockFor != 0 {
		if err := durations(span{"backups.lock_for", b.LockFor, 24 * time.Hour}); err != nil {
			return err
		}
	}
	if b.ControlEvery != 0 {
		if err := durations(span{"backups.control_every", b.ControlEvery, time.Minute}); err != nil {
			return err
		}
	}
	if b.VerifyEvery != 0 {
		if err := durations(span{"backups.verify_every", b.VerifyEvery, time.Hour}); err != nil {
			return err
		}
	}
	if err := durations(span{"backups.prune_every", b.PruneEvery, time.Minute}, span{"backups.keep_old", b.KeepOld, 0}); err != nil {
		return err
	}
	return absolute(place{"backups.key_file", b.KeyFile})
}

var bucketRule = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func checkLocation(c Config) *fleet.Error {
	const field, hint = "backups.location", "write file:///srv/backups or s3://bucket/folder"
	where := c.Backups.Location
	if where == "" {
		return nil
	}
	u, err := url.Parse(where)
	if err == nil && u.User != nil { // not repeated: it may be a password
		return invalid(field, hint, "it names a user; the keys of an S3 server belong into the section s3")
	}
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return invalid(field, hint, "%q is not where backups can be kept", where)
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || !filepath.IsAbs(u.Path) || path.Clean(u.Path) == "/" {
			return invalid(field, hint, "%q does not name a folder", where)
		}
		return nil
	case "s3":
		if !bucketRule.MatchString(u.Host) {
			return invalid(field, hint, "%q is not the name of a bucket", u.Host)
		}
		if c.S3.Endpoint == "" {
			return invalid("s3.endpoint", "say where the S3 server is, such as https://s3.example", "backups are to be kept in S3")
		}
		return nil
	}
	return invalid(field, hint, "%q is not where backups can be kept", where)
}
