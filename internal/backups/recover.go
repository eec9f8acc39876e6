package backups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// RecoverRequest asks to bring the fleet back from the repository.
type RecoverRequest struct {
	// From is where the repository is; empty: where the configuration says. One elsewhere is only
	// read: its backups are not recorded, and new ones go where the configuration says.
	From string
	// Key is the recovery key of one elsewhere; empty: that which opened it before, or else the
	// daemon's own.
	Key string
	// DryRun only says what would be done.
	DryRun bool
	// Tenants are those to bring back; none: all.
	Tenants []fleet.Name
}

// RecoverOutcome says what becomes of a tenant.
type RecoverOutcome string

const (
	RecoverRestoring RecoverOutcome = "restoring" // a job restores it, or would in a dry run
	RecoverThere     RecoverOutcome = "there"     // the store has it
	RecoverConflict  RecoverOutcome = "conflict"  // its name or a domain is another's
	RecoverNothing   RecoverOutcome = "nothing"   // there is no good backup of it
)

// RecoveredTenant says what becomes of one tenant.
type RecoveredTenant struct {
	Tenant  fleet.Name
	Outcome RecoverOutcome
	Backup  fleet.Backup // the one it comes back from
	JobID   string
	Reason  string
}

// RecoveredImage says what becomes of a golden image. Tenants come back without theirs, too.
type RecoveredImage struct {
	Image fleet.ImageRef
	// Recipe is the hash of the bundle it is built from again, where it is the current version of
	// its name; empty: it was imported.
	Recipe string
	// Saved: it was saved as it is. Without, and without Recipe, it has to be imported again.
	Saved  bool
	JobID  string // brings it back; empty: nothing does
	Reason string // why nothing does
}

// Recovery is what Recover found and did.
type Recovery struct {
	SavedAt  time.Time // of the save of the control plane that was used
	Plans    []string
	Policies []string
	Images   []RecoveredImage
	Backups  int // recorded again
	Tenants  []RecoveredTenant
}

// Recover brings back what the newest save of the control plane tells of: plans and policies at
// once, and each tenant that the store lacks by a job that restores its newest good backup. What
// is there is left as it is. It may be repeated.
func (s *Service) Recover(ctx context.Context, req RecoverRequest) (Recovery, error) {
	repo, err := s.source(ctx, req)
	if err != nil {
		return Recovery{}, err
	}
	if s.Vault.isOwn(req.From) {
		req.From = ""
	}
	control, err := s.latestControl(ctx, repo)
	if err != nil {
		return Recovery{}, err
	}
	report := Recovery{SavedAt: control.SavedAt}
	if err := s.recoverRules(ctx, control, req.DryRun, &report); err != nil {
		return report, err
	}
	if err := s.recoverImages(ctx, repo, control, req, &report); err != nil {
		return report, err
	}
	backups, kept, err := s.recoverRecords(ctx, repo, req, &report)
	if err != nil {
		return report, err
	}
	for _, t := range control.Tenants {
		if len(req.Tenants) > 0 && !slices.Contains(req.Tenants, t.Name) {
			continue
		}
		entry, err := s.recoverTenant(ctx, t, backups[t.ID], kept, req)
		if err != nil {
			return report, err
		}
		report.Tenants = append(report.Tenants, entry)
	}
	for _, name := range req.Tenants {
		if !slices.ContainsFunc(control.Tenants, func(t fleet.Tenant) bool { return t.Name == name }) {
			return report, fleet.Errorf(fleet.NotFound, "the save of %s knows no tenant %s", control.SavedAt.Format(time.RFC3339), name).
				WithField("tenants").WithHint("leave it out to see which there are")
		}
	}
	return report, nil
}

// source gives the repository to recover from.
func (s *Service) source(ctx context.Context, req RecoverRequest) (Repository, error) {
	if req.Key != "" {
		return s.Vault.Admit(ctx, req.From, req.Key, !req.DryRun)
	}
	return s.Vault.At(ctx, req.From)
}

// latestControl reads the newest save of a store that was lost. Those of this store know no more
// than it does: a daemon that was just installed saves that it knows nothing. One that is damaged
// is passed over.
func (s *Service) latestControl(ctx context.Context, repo Repository) (Control, error) {
	list, err := repo.List(ctx, KindControl)
	if err != nil {
		return Control{}, err
	}
	own, err := s.storeID(ctx)
	if err != nil {
		return Control{}, err
	}
	slices.SortStableFunc(list, func(a, b Stored) int {
		isOwn := func(e Stored) int {
			if e.Meta.Labels[storeLabel] == own {
				return 1
			}
			return 0
		}
		return isOwn(a) - isOwn(b)
	})
	if len(list) == 0 {
		return Control{}, fleet.Errorf(fleet.NotFound, "the control plane was never saved into this repository").
			WithHint("restore single backups: lxdfleet backup list, lxdfleet backup restore ID --into NAME")
	}
	var failure error
	for _, e := range list {
		c, err := pump(ctx, func(ctx context.Context, w io.Writer) error {
			return repo.Read(ctx, e.ID, w, nil)
		}, func(_ context.Context, r io.Reader) (Control, error) { return readControl(r) })
		if _, damaged := errors.AsType[*Damage](err); !damaged {
			return c, err
		}
		s.Log.Error("a save of the control plane is damaged", "entry", e.ID, "taken", e.Meta.TakenAt, "error", err)
		failure = err
	}
	return Control{}, fleet.Errorf(fleet.Failed, "every save of the control plane is damaged: %w", failure).
		WithHint("restore single backups: lxdfleet backup list, lxdfleet backup restore ID --into NAME")
}

// recoverRules brings back plans, policies and recipes.
func (s *Service) recoverRules(ctx context.Context, c Control, dry bool, report *Recovery) error {
	have, err := s.LXD.Profiles(ctx)
	if err != nil {
		return fmt.Errorf("read the profiles: %w", err)
	}
	for _, plan := range c.Plans {
		// The profile "default" says how this LXD is wired, which may not be that of before.
		there := slices.ContainsFunc(have, func(p fleet.ProfileSpec) bool { return p.Name == plan.Name })
		if plan.Name == "default" || there {
			continue
		}
		if !dry {
			if _, err := s.LXD.EnsureProfile(ctx, plan); err != nil {
				return fmt.Errorf("make the plan %s: %w", plan.Name, err)
			}
		}
		report.Plans = append(report.Plans, plan.Name)
	}
	known, err := s.Policies.Policies(ctx)
	if err != nil {
		return fmt.Errorf("read the policies: %w", err)
	}
	for _, p := range c.Policies {
		if slices.ContainsFunc(known, func(k fleet.Policy) bool { return k.Name == p.Name }) {
			continue
		}
		if !dry {
			if err := s.Policies.RestorePolicy(ctx, p); err != nil {
				return fmt.Errorf("store the policy %s: %w", p.Name, err)
			}
		}
		report.Policies = append(report.Policies, p.Name)
	}
	return nil
}

// recoverImages brings recipes back, and, by jobs, the images that were saved as they are.
func (s *Service) recoverImages(ctx context.Context, repo Repository, c Control, req RecoverRequest, report *Recovery) error {
	if !req.DryRun {
		for _, hash := range slices.Sorted(maps.Keys(c.Recipes)) {
			if err := s.Store.SaveRecipe(ctx, hash, c.Recipes[hash]); err != nil {
				return fmt.Errorf("store a recipe: %w", err)
			}
		}
	}
	there, err := s.Store.GoldenImages(ctx)
	if err != nil {
		return fmt.Errorf("read the images: %w", err)
	}
	saved, err := savedImages(ctx, repo)
	if err != nil {
		return err
	}
	for _, g := range c.Images {
		if slices.ContainsFunc(there, func(h fleet.GoldenImage) bool { return h.Ref() == g.Ref() }) {
			continue
		}
		image := RecoveredImage{Image: g.Ref(), Saved: saved[g.Fingerprint] != "" && c.Recipes[g.RecipeHash] == nil}
		if c.Recipes[g.RecipeHash] != nil {
			image.Recipe = g.RecipeHash
		}
		if !req.DryRun {
			s.recoverImage(ctx, imageState{From: req.From, Entry: saved[g.Fingerprint], Image: g}, &image)
		}
		report.Images = append(report.Images, image)
	}
	return nil
}

// recoverImage begins the job that brings an image back. Tenants come back without it, so what is in
// the way is told.
func (s *Service) recoverImage(ctx context.Context, state imageState, image *RecoveredImage) {
	var job fleet.Job
	var err error
	switch {
	case image.Saved:
		job, err = s.submit(ctx, KindImageBack, "image/"+state.Image.Name, state, Once{})
	case image.Recipe == "":
		err = errors.New("it was neither saved nor built from a recipe")
	case !state.Image.Current:
		err = errors.New("only the current version is built again")
	default:
		job, err = s.Images.Rebuild(ctx, state.Image.Ref(), image.Recipe)
	}
	image.JobID = job.ID
	if err != nil {
		image.Reason = err.Error()
	}
}

// recoverRecords records the backups in the daemon's own repository, and gives those of any by
// tenant, newest first.
func (s *Service) recoverRecords(ctx context.Context, repo Repository, req RecoverRequest, report *Recovery) (map[string][]fleet.Backup, map[string]Keepsake, error) {
	list, err := repo.List(ctx, KindTenant)
	if err != nil {
		return nil, nil, err
	}
	backups, kept := map[string][]fleet.Backup{}, map[string]Keepsake{}
	for _, e := range list {
		k, err := keepsakeIn(e)
		if err != nil {
			s.Log.Warn("an entry of the repository is not a backup of ours", "entry", e.ID, "error", err)
			continue
		}
		b := recordOf(e, k)
		if req.From == "" {
			if b, err = s.recoverRecord(ctx, b, req.DryRun, report); err != nil {
				return nil, nil, fmt.Errorf("record backup %s: %w", short(e.ID), err)
			}
		}
		kept[b.ID] = k
		backups[b.TenantID] = append(backups[b.TenantID], b)
	}
	for _, of := range backups {
		slices.SortFunc(of, func(a, b fleet.Backup) int { return cmp.Or(b.TakenAt.Compare(a.TakenAt), cmp.Compare(b.ID, a.ID)) })
	}
	return backups, kept, nil
}

// recoverRecord records a backup, unless it is.
func (s *Service) recoverRecord(ctx context.Context, b fleet.Backup, dry bool, report *Recovery) (fleet.Backup, error) {
	known, err := s.Store.Backup(ctx, b.ID)
	if fleet.CodeOf(err) != fleet.NotFound {
		return known, err
	}
	report.Backups++
	if dry {
		return b, nil
	}
	return b, s.Store.SaveBackup(ctx, b)
}

func (s *Service) recoverTenant(ctx context.Context, t fleet.Tenant, backups []fleet.Backup, kept map[string]Keepsake, req RecoverRequest) (RecoveredTenant, error) {
	entry := RecoveredTenant{Tenant: t.Name, Outcome: RecoverConflict}
	if _, err := s.Store.TenantByID(ctx, t.ID); err == nil {
		entry.Outcome = RecoverThere
		return entry, nil
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return entry, fmt.Errorf("look for tenant %s: %w", t.Name, err)
	}
	good := slices.IndexFunc(backups, func(b fleet.Backup) bool { return b.Damage == "" })
	if good < 0 {
		entry.Outcome, entry.Reason = RecoverNothing, "there is no good backup of it"
		return entry, nil
	}
	entry.Backup = backups[good]
	reason, err := s.clash(ctx, t)
	if err != nil || reason != "" {
		entry.Reason = reason
		return entry, err
	}
	entry.Outcome = RecoverRestoring
	if req.DryRun {
		return entry, nil
	}
	// Where it was may not exist any more; the job asks for a member.
	t.Ready, t.Member, t.Holds = false, "", nil
	job, err := s.submit(ctx, KindClone, ofTenant(t.Name), cloneState{From: req.From, Backup: entry.Backup, Kept: kept[entry.Backup.ID], Tenant: t, Mail: true}, Once{})
	if fleet.CodeOf(err) == fleet.Busy {
		entry.Outcome, entry.Reason = RecoverConflict, err.Error()
		return entry, nil
	}
	entry.JobID = job.ID
	return entry, err
}

// clash says what stands in the way of a tenant that is to come back; empty: nothing.
func (s *Service) clash(ctx context.Context, t fleet.Tenant) (string, error) {
	_, err := s.Store.Tenant(ctx, t.Name)
	if err == nil {
		return "another tenant has its name", nil
	}
	if fleet.CodeOf(err) != fleet.NotFound {
		return "", err
	}
	for _, d := range t.Domains {
		other, err := s.Store.TenantByDomain(ctx, d)
		if err == nil {
			return fmt.Sprintf("%s belongs to tenant %s", d, other.Name), nil
		}
		if fleet.CodeOf(err) != fleet.NotFound {
			return "", err
		}
	}
	if _, err := s.LXD.Instance(ctx, t.Name.String()); err == nil {
		return "LXD has an instance of its name; lxdfleet recover takes that in", nil
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return "", err
	}
	return "", nil
}
