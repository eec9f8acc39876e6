package backups

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/jobs"
)

// Control is what the control plane knows, as it is saved: enough to make the fleet again on an
// empty LXD and an empty store.
type Control struct {
	Version  int                 `json:"version"` // of this form: 1
	SavedAt  time.Time           `json:"saved_at"`
	Tenants  []fleet.Tenant      `json:"tenants"`
	Policies []fleet.Policy      `json:"policies"`
	Plans    []fleet.ProfileSpec `json:"plans"` // LXD's profiles
	Images   []fleet.GoldenImage `json:"images"`
	// Recipes are the bundles the images were built from, by hash. They are files of their own.
	Recipes map[string][]byte `json:"-"`
}

const (
	controlVersion = 1
	controlFile    = "control.json"
	recipeFolder   = "recipes/"
	hashLabel      = "hash"  // of the content without its time
	storeLabel     = "store" // whose it is
	storeFact      = "store-id"
	// mostControls is how many saves are kept.
	mostControls = 30
	// savedFact is the fact that tells when the last save was, and of what.
	savedFact = "control-saved"
)

// controlState is the state of backup.control.
type controlState struct {
	ID string `json:"id,omitempty"` // of the entry; empty where nothing has changed
}

// control saves what the control plane knows, where it has changed.
func (c *crew) control() jobs.Kind[controlState] {
	return jobs.Kind[controlState]{
		Name:    KindControlSave,
		Version: 1,
		Steps: []jobs.Step[controlState]{
			// Undo: the save is taken out again.
			{Name: "save", Do: c.controlSave, Undo: c.controlDrop},
			// Undo: those that this job saved are taken out again.
			{Name: "images", Do: c.saveImages, Undo: c.unsaveImages},
			{Name: "thin", Do: c.controlThin},
		},
		Commit: "thin",
	}
}

func (c *crew) controlSave(ctx context.Context, run *jobs.Run, s *controlState) (err error) {
	s.ID, err = c.saveControl(ctx, run.JobID)
	return err
}

func (c *crew) controlDrop(ctx context.Context, run *jobs.Run, _ *controlState) error {
	if err := c.dropEntries(ctx, run, KindControl); err != nil {
		return err
	}
	return c.Store.SetBackupFact(ctx, savedFact, "") // the next look saves
}

func (c *crew) controlThin(ctx context.Context, _ *jobs.Run, _ *controlState) error {
	repo, err := c.Vault.Open(ctx)
	if err != nil {
		return err
	}
	list, err := repo.List(ctx, KindControl)
	if err != nil {
		return err
	}
	own, err := c.storeID(ctx)
	if err != nil {
		return err
	}
	// Those of a store that was lost stay: a fleet may have to come back from them.
	list = slices.DeleteFunc(list, func(e Stored) bool { return e.Meta.Labels[storeLabel] != own })
	for _, old := range list[min(len(list), mostControls):] {
		if err := repo.Delete(ctx, old.ID); err != nil {
			return fmt.Errorf("delete an old save of the control plane: %w", err)
		}
	}
	return c.thinImages(ctx, repo, own)
}

// storeID names this store in the saves it is saved into: one that is recovered into does not
// come back from its own, which know nothing yet.
func (d Deps) storeID(ctx context.Context) (string, error) {
	id, err := d.Store.BackupFact(ctx, storeFact)
	if err != nil || id != "" {
		return id, err
	}
	id = fleet.NewID(d.Now())
	return id, d.Store.SetBackupFact(ctx, storeFact, id)
}

// gather reads what is to be saved.
func (d Deps) gather(ctx context.Context) (Control, error) {
	c := Control{Version: controlVersion, Recipes: map[string][]byte{}}
	var err error
	if c.Tenants, err = d.Store.Tenants(ctx, fleet.TenantFilter{}); err != nil {
		return c, fmt.Errorf("read the tenants: %w", err)
	}
	c.Tenants = slices.DeleteFunc(c.Tenants, func(t fleet.Tenant) bool { return !t.Ready })
	if c.Policies, err = d.Policies.Policies(ctx); err != nil {
		return c, fmt.Errorf("read the policies: %w", err)
	}
	if c.Plans, err = d.LXD.Profiles(ctx); err != nil {
		return c, fmt.Errorf("read the profiles: %w", err)
	}
	slices.SortFunc(c.Plans, func(a, b fleet.ProfileSpec) int { return strings.Compare(a.Name, b.Name) })
	if c.Images, err = d.Store.GoldenImages(ctx); err != nil {
		return c, fmt.Errorf("read the images: %w", err)
	}
	for i, g := range c.Images {
		c.Images[i].Members = nil // where it is unpacked changes by itself
		if g.RecipeHash == "" || c.Recipes[g.RecipeHash] != nil {
			continue
		}
		bundle, err := d.Store.Recipe(ctx, g.RecipeHash)
		if fleet.CodeOf(err) == fleet.NotFound {
			continue // its record was recovered from LXD, which has only the hash
		}
		if err != nil {
			return c, fmt.Errorf("read the recipe of %s: %w", g.Ref(), err)
		}
		c.Recipes[g.RecipeHash] = bundle
	}
	return c, nil
}

// digest is the hash of the content. Recipes are named by theirs.
func (c Control) digest() (string, error) {
	c.SavedAt = time.Time{}
	raw, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, _ = sum.Write(raw)
	for _, hash := range slices.Sorted(maps.Keys(c.Recipes)) {
		_, _ = io.WriteString(sum, "\n"+hash)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// saveControl saves what the control plane knows, unless the newest save says the same, and
// gives the entry's id, empty where nothing was written.
func (d Deps) saveControl(ctx context.Context, jobID string) (string, error) {
	repo, err := d.Vault.Open(ctx)
	if err != nil {
		return "", err
	}
	now, err := d.gather(ctx)
	if err != nil {
		return "", err
	}
	digest, err := now.digest()
	if err != nil {
		return "", err
	}
	list, err := repo.List(ctx, KindControl)
	if err != nil {
		return "", err
	}
	own, err := d.storeID(ctx)
	if err != nil {
		return "", err
	}
	if len(list) > 0 && list[0].Meta.Labels[hashLabel] == digest {
		return "", d.noteSaved(ctx, digest)
	}
	now.SavedAt = d.Now().UTC()
	var stream bytes.Buffer // the recipes of a fleet are a few megabytes
	if err := now.write(&stream); err != nil {
		return "", err
	}
	entry, err := repo.Write(ctx, Meta{
		Kind: KindControl, Tenant: KindControl, TakenAt: now.SavedAt, Labels: map[string]string{jobLabel: jobID, hashLabel: digest, storeLabel: own},
	}, &stream, nil)
	if err != nil {
		return "", fmt.Errorf("save the control plane: %w", err)
	}
	return entry.ID, d.noteSaved(ctx, digest)
}

func (d Deps) noteSaved(ctx context.Context, digest string) error {
	return d.Store.SetBackupFact(ctx, savedFact, digest+" "+d.Now().UTC().Format(time.RFC3339Nano))
}

// saved tells what was saved last, and when; zero where nothing was.
func (d Deps) saved(ctx context.Context) (digest string, at time.Time, err error) {
	fact, err := d.Store.BackupFact(ctx, savedFact)
	if err != nil || fact == "" {
		return "", time.Time{}, err
	}
	digest, when, _ := strings.Cut(fact, " ")
	at, _ = time.Parse(time.RFC3339Nano, when)
	return digest, at, nil
}

func (c Control) write(out io.Writer) error {
	w := tar.NewWriter(out)
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	put := func(name string, content []byte) error {
		err := w.WriteHeader(&tar.Header{
			Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(content)), ModTime: c.SavedAt.Truncate(time.Second), Format: tar.FormatPAX,
		})
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}
	if err := put(controlFile, raw); err != nil {
		return err
	}
	if len(c.Recipes) > 0 {
		err := w.WriteHeader(&tar.Header{Name: recipeFolder, Typeflag: tar.TypeDir, Mode: 0o700, ModTime: c.SavedAt.Truncate(time.Second), Format: tar.FormatPAX})
		if err != nil {
			return err
		}
	}
	for _, hash := range slices.Sorted(maps.Keys(c.Recipes)) {
		if err := put(recipeFolder+hash+".tar", c.Recipes[hash]); err != nil {
			return err
		}
	}
	return w.Close()
}

// mostControl bounds what is read of one file of a save.
const mostControl = 256 << 20

// readControl reads a save of the control plane.
func readControl(r io.Reader) (Control, error) {
	c := Control{Recipes: map[string][]byte{}}
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, fmt.Errorf("read the save of the control plane: %w", err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag != tar.TypeReg || h.Size > mostControl {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return c, fmt.Errorf("read the save of the control plane: %w", err)
		}
		if name == controlFile {
			if err := json.Unmarshal(content, &c); err != nil {
				return c, fleet.Errorf(fleet.Unsupported, "the save of the control plane cannot be read: %w", err).
					WithHint("lxdfleet of another version made it; use that version")
			}
		} else if hash, ok := strings.CutPrefix(name, recipeFolder); ok {
			c.Recipes[strings.TrimSuffix(hash, ".tar")] = content
		}
	}
	if c.Version == 0 || c.Version > controlVersion {
		return c, fleet.Errorf(fleet.Unsupported, "the save of the control plane has version %d; this lxdfleet knows up to %d", c.Version, controlVersion).
			WithHint("use the lxdfleet that made it")
	}
	return c, nil
}

// Saver saves the control plane soon after it has changed.
type Saver struct {
	Service *Service
	// Every is the time between two saves at least. Default 5 minutes.
	Every time.Duration
	// Look is the time between two looks. Default a minute.
	Look time.Duration
}

// Run saves until ctx ends.
func (v *Saver) Run(ctx context.Context) {
	for pause(ctx, cmp.Or(v.Look, time.Minute)) == nil {
		if err := v.Once(ctx); err != nil && ctx.Err() == nil {
			v.Service.Log.Warn("the control plane cannot be saved", "error", err)
		}
	}
}

// Once asks for a save where what the control plane knows has changed since the last one, and
// that was a while ago. Without a repository there is nothing to do.
func (v *Saver) Once(ctx context.Context) error {
	s := v.Service
	if _, err := s.Vault.Open(ctx); err != nil {
		if code := fleet.CodeOf(err); code == fleet.NotFound || code == fleet.Forbidden {
			return nil // the status tells
		}
		return err
	}
	digest, at, err := s.saved(ctx)
	if err != nil || s.Now().Sub(at) < cmp.Or(v.Every, 5*time.Minute) && !at.After(s.Now()) {
		return err
	}
	now, err := s.gather(ctx)
	if err != nil {
		return err
	}
	fresh, err := now.digest()
	if err != nil {
		return err
	}
	kept, err := s.Store.BackupFact(ctx, imagesFact)
	if err != nil || fresh == digest && kept == now.unbuildable() {
		return err
	}
	_, err = s.submit(ctx, KindControlSave, ofControl, controlState{}, Once{})
	if fleet.CodeOf(err) == fleet.Busy {
		return nil
	}
	return err
}
