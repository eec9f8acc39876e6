package store

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// Generation gives a number that is greater after every committed change of a tenant, by
// this process or another. Who has read the tenants at a generation need not read them again
// while it stays.
func (s *Store) Generation(ctx context.Context) (generation int64, err error) {
	err = s.read(ctx, "read the tenants' generation", func(q *sqlx.DB) error {
		return q.GetContext(ctx, &generation, `SELECT value FROM counters WHERE name = 'tenants'`)
	})
	return generation, err
}

// grow counts a change of a tenant. Called first in a transaction, it also makes transactions
// that change tenants wait for each other: generations are committed in order, what is looked
// up before an insert still holds at the insert, and there are no deadlocks among them.
func grow(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'tenants'`)
	return err
}
