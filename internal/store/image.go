package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const imageColumns = `name, version, fingerprint, description, health, hooks, recipe_hash, base_fingerprint,
	size, is_current, job_id, created_at`

const insertImage = `INSERT INTO images (` + imageColumns + `) VALUES (:name, :version, :fingerprint, :description,
	:health, :hooks, :recipe_hash, :base_fingerprint, :size, :is_current, :job_id, :created_at)`

// imageRow is a row of the table images.
type imageRow struct {
	Name            string `db:"name"`
	Version         string `db:"version"`
	Fingerprint     string `db:"fingerprint"`
	Description     string `db:"description"`
	Health          string `db:"health"`
	Hooks           string `db:"hooks"`
	RecipeHash      string `db:"recipe_hash"`
	BaseFingerprint string `db:"base_fingerprint"`
	Size            int64  `db:"size"`
	IsCurrent       int64  `db:"is_current"`
	JobID           string `db:"job_id"`
	CreatedAt       int64  `db:"created_at"`
}

// InsertImage stores a version of a golden image, with the members it is unpacked on. The
// same name, version and fingerprint again change nothing; another fingerprint is fleet.Taken
// with field "image". An image that says it is current takes that from the others of its name.
func (s *Store) InsertImage(ctx context.Context, image fleet.GoldenImage) error {
	row, err := toImageRow(image)
	if err != nil {
		return err
	}
	return s.write(ctx, "store image "+image.Ref().String(), func(tx *sqlx.Tx) error {
		have, err := imageByRef(ctx, tx, image.Ref())
		switch {
		case err == nil && have.Fingerprint == image.Fingerprint:
			return errUnchanged
		case err == nil:
			return fleet.Errorf(fleet.Taken, "there is an image %s already, with fingerprint %.12s", image.Ref(), have.Fingerprint).
				WithField("image").WithHint("choose another version, or delete it with lxdfleet image delete %s", image.Ref())
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if _, err := tx.NamedExecContext(ctx, insertImage, row); err != nil {
			return err
		}
		for _, member := range image.Members {
			if err := setUnpacked(ctx, tx, image.Fingerprint, member); err != nil {
				return err
			}
		}
		if image.Current {
			return setCurrent(ctx, tx, image.Ref())
		}
		return nil
	})
}

// GoldenImage gives a version of an image, or its current version where ref has none;
// fleet.NotFound.
func (s *Store) GoldenImage(ctx context.Context, ref fleet.ImageRef) (fleet.GoldenImage, error) {
	where, args := `name = ? AND version = ?`, []any{ref.Name, ref.Version}
	if ref.Version == "" {
		where, args = `name = ? AND is_current = 1`, []any{ref.Name}
	}
	images, err := s.images(ctx, "read image "+ref.String(), where, args...)
	if err != nil {
		return fleet.GoldenImage{}, err
	}
	if len(images) == 0 {
		return fleet.GoldenImage{}, noImage(ref)
	}
	return images[0], nil
}

// GoldenImages lists all images by name, newest first.
func (s *Store) GoldenImages(ctx context.Context) ([]fleet.GoldenImage, error) {
	return s.images(ctx, "list images", `1 = 1`)
}

// SetCurrentImage makes a version the current one of its name; fleet.NotFound.
func (s *Store) SetCurrentImage(ctx context.Context, ref fleet.ImageRef) error {
	return s.write(ctx, "make image "+ref.String()+" current", func(tx *sqlx.Tx) error {
		return setCurrent(ctx, tx, ref)
	})
}

// DeleteImage removes a version. A missing one is success. It does not ask whether tenants
// use it. fleet.Invalid where ref has no version.
func (s *Store) DeleteImage(ctx context.Context, ref fleet.ImageRef) error {
	if ref.Version == "" {
		return fleet.Errorf(fleet.Invalid, "%s names no version", ref).WithField("image").WithHint("write NAME/VERSION")
	}
	return s.write(ctx, "delete image "+ref.String(), func(tx *sqlx.Tx) error {
		row, err := imageByRef(ctx, tx, ref)
		if err != nil {
			return or(notNoRows(err), errUnchanged)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM images WHERE name = ? AND version = ?`, ref.Name, ref.Version); err != nil {
			return err
		}
		// What is unpacked belongs to the fingerprint, which another version may share.
		_, err = tx.ExecContext(ctx, `DELETE FROM image_members WHERE fingerprint = ?
			AND NOT EXISTS (SELECT 1 FROM images WHERE fingerprint = ?)`, row.Fingerprint, row.Fingerprint)
		return err
	})
}

// SetUnpacked notes whether the image is unpacked on the member. Repeating it changes nothing.
func (s *Store) SetUnpacked(ctx context.Context, fingerprint, member string, unpacked bool) error {
	return s.write(ctx, "note that an image is unpacked", func(tx *sqlx.Tx) error {
		if unpacked {
			return setUnpacked(ctx, tx, fingerprint, member)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM image_members WHERE fingerprint = ? AND member = ?`, fingerprint, member)
		return err
	})
}

func (s *Store) images(ctx context.Context, doing, where string, args ...any) ([]fleet.GoldenImage, error) {
	var rows []imageRow
	var members []struct{ Fingerprint, Member string }
	err := s.read(ctx, doing, func(q *sqlx.DB) error {
		rows, members = rows[:0], members[:0]
		if err := q.SelectContext(ctx, &rows, `SELECT `+imageColumns+` FROM images WHERE `+where+
			` ORDER BY name, created_at DESC, version DESC`, args...); err != nil || len(rows) == 0 {
			return err
		}
		return q.SelectContext(ctx, &members, `SELECT fingerprint, member FROM image_members
			WHERE fingerprint IN (SELECT fingerprint FROM images WHERE `+where+`) ORDER BY member`, args...)
	})
	if err != nil {
		return nil, err
	}
	on := map[string][]string{}
	for _, m := range members {
		on[m.Fingerprint] = append(on[m.Fingerprint], m.Member)
	}
	images := make([]fleet.GoldenImage, len(rows))
	for i, row := range rows {
		if images[i], err = row.image(on[row.Fingerprint]); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func imageByRef(ctx context.Context, tx *sqlx.Tx, ref fleet.ImageRef) (row imageRow, err error) {
	err = tx.GetContext(ctx, &row, `SELECT `+imageColumns+` FROM images WHERE name = ? AND version = ?`, ref.Name, ref.Version)
	return row, err
}

func setCurrent(ctx context.Context, tx *sqlx.Tx, ref fleet.ImageRef) error {
	// One statement locks all versions of the name, so two callers cannot leave two current.
	if _, err := tx.ExecContext(ctx, `UPDATE images SET is_current = CASE WHEN version = ? THEN 1 ELSE 0 END WHERE name = ?`,
		ref.Version, ref.Name); err != nil {
		return err
	}
	_, err := imageByRef(ctx, tx, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return noImage(ref)
	}
	return err
}

func setUnpacked(ctx context.Context, tx *sqlx.Tx, fingerprint, member string) error {
	var n int
	if err := tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM image_members WHERE fingerprint = ? AND member = ?`,
		fingerprint, member); err != nil || n > 0 {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO image_members (fingerprint, member) VALUES (?, ?)`, fingerprint, member)
	return err
}

func noImage(ref fleet.ImageRef) error {
	return fleet.Errorf(fleet.NotFound, "there is no image %s", ref).WithField("image").
		WithHint("lxdfleet image list shows those there are")
}

func toImageRow(image fleet.GoldenImage) (imageRow, error) {
	health, err := toJSON(image.Health)
	if err != nil {
		return imageRow{}, err
	}
	hooks, err := toJSON(image.Hooks)
	if err != nil {
		return imageRow{}, err
	}
	return imageRow{
		Name: image.Name, Version: image.Version, Fingerprint: image.Fingerprint,
		Description: clean(image.Description), Health: health, Hooks: hooks, RecipeHash: image.RecipeHash,
		BaseFingerprint: image.BaseFingerprint, Size: int64(image.Size), IsCurrent: flag(image.Current),
		JobID: image.JobID, CreatedAt: micros(image.CreatedAt),
	}, nil
}

func (r imageRow) image(members []string) (fleet.GoldenImage, error) {
	image := fleet.GoldenImage{
		Name: r.Name, Version: r.Version, Fingerprint: r.Fingerprint, Description: r.Description,
		RecipeHash: r.RecipeHash, BaseFingerprint: r.BaseFingerprint, Size: fleet.Size(r.Size),
		Current: r.IsCurrent != 0, Members: members, JobID: r.JobID, CreatedAt: fromMicros(r.CreatedAt),
	}
	if err := or(fromJSON("health", r.Health, &image.Health), fromJSON("hooks", r.Hooks, &image.Hooks)); err != nil {
		return fleet.GoldenImage{}, damaged(image.Ref().String(), err)
	}
	return image, nil
}
