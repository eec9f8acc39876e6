package store

import (
	"context"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// dialect is all in which the two databases differ once they are open. Statements are the
// same in both.
type dialect interface {
	goose() goose.Dialect
	// alone runs fn while no other process that uses the same database runs one.
	alone(ctx context.Context, fn func(*sqlx.DB) error) error
	// tableSuffix ends every CREATE TABLE statement.
	tableSuffix(ctx context.Context, db *sqlx.DB) (string, error)
	// thenJoin joins tables in the order they are written in: the planner of neither knows
	// that a page ends the reading early.
	thenJoin() string
	classify(err error) fault
	// applied reports whether a statement of a migration failed because an earlier run had
	// done it already.
	applied(err error) bool
	// where names the database to people: no password in it.
	where() string
}
