package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	mostRecipe = 16 << 20 // bytes of a bundle
	recipePart = 1 << 20  // bytes of one row; escaping doubles it at worst
)

// SaveRecipe stores a recipe bundle under its hash. A hash that is there already keeps its
// bundle: the same hash means the same bytes. fleet.Invalid with field "recipe" above 16 MiB.
func (s *Store) SaveRecipe(ctx context.Context, hash string, bundle []byte) error {
	if len(bundle) > mostRecipe {
		return fleet.Errorf(fleet.Invalid, "the recipe and its files have %d bytes", len(bundle)).WithField("recipe").
			WithHint("at most %s are kept; fetch large files in a shell step", fleet.Size(mostRecipe))
	}
	return s.write(ctx, "store recipe "+hash, func(tx *sqlx.Tx) error {
		var n int
		if err := tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM recipes WHERE hash = ?`, hash); err != nil {
			return err
		}
		if n > 0 {
			return errUnchanged
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO recipes (hash, size) VALUES (?, ?)`, hash, len(bundle)); err != nil {
			return err
		}
		seq := 0
		for part := range slices.Chunk(bundle, recipePart) {
			if _, err := tx.ExecContext(ctx, `INSERT INTO recipe_parts (hash, seq, data) VALUES (?, ?, ?)`, hash, seq, part); err != nil {
				return err
			}
			seq++
		}
		return nil
	})
}

// Recipe gives the bundle stored under the hash; fleet.NotFound.
func (s *Store) Recipe(ctx context.Context, hash string) (bundle []byte, err error) {
	err = s.read(ctx, "read recipe "+hash, func(q *sqlx.DB) error {
		var size int
		err := q.GetContext(ctx, &size, `SELECT size FROM recipes WHERE hash = ?`, hash)
		if errors.Is(err, sql.ErrNoRows) {
			return fleet.Errorf(fleet.NotFound, "there is no recipe %s", hash).WithHint("it is stored when an image is built from it")
		}
		if err != nil {
			return err
		}
		var parts [][]byte
		if err := q.SelectContext(ctx, &parts, `SELECT data FROM recipe_parts WHERE hash = ? ORDER BY seq`, hash); err != nil {
			return err
		}
		bundle = make([]byte, 0, size)
		for _, part := range parts {
			bundle = append(bundle, part...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return bundle, nil
}
