package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose notes which migrations were applied.
const versionTable = "schema_version"

// migrate brings the schema up to date, alone among the processes that use the database.
func (s *Store) migrate(ctx context.Context) error {
	return s.patiently(ctx, func() (bool, error) {
		return false, s.dialect.alone(ctx, func(db *sqlx.DB) error { return s.up(ctx, db) })
	})
}

func (s *Store) up(ctx context.Context, db *sqlx.DB) error {
	suffix, err := s.dialect.tableSuffix(ctx, db)
	if err != nil {
		return err
	}
	steps, err := s.steps(struct{ Table string }{suffix})
	if err != nil {
		return err
	}
	// goose keeps the versions; what a version does is Go code that runs the file's
	// statements, because goose runs plain files only and knows no templates.
	provider, err := goose.NewProvider(s.dialect.goose(), db.DB, nil, goose.WithGoMigrations(steps...),
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable), goose.WithSlog(s.log))
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fleet.Errorf(fleet.Unsupported, "the database has schema version %d; this lxdfleet knows up to %d", have, want).
			WithField("store.dsn").WithHint("run the newer lxdfleet that wrote %s", s.dialect.where())
	}
	if have == want || s.asIs {
		return nil
	}
	began := time.Now()
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	s.log.Info("database schema brought up to date", "from", have, "to", want, "took", time.Since(began))
	return nil
}

// steps reads the migration files; NUMBER_NAME.sql is version NUMBER.
func (s *Store) steps(words any) ([]*goose.Migration, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, file := range files {
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", file, err)
		}
		text, err := template.ParseFS(migrations, file)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := text.Execute(&b, words); err != nil {
			return nil, err
		}
		run := func(ctx context.Context, tx *sql.Tx) error { return s.run(ctx, tx, file, b.String()) }
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: run}, nil))
	}
	return steps, nil
}

// run executes the statements of a file. Each ends with a semicolon at the end of a line.
func (s *Store) run(ctx context.Context, tx *sql.Tx, file, text string) error {
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil && !s.dialect.applied(err) {
			return fmt.Errorf("migration %s: %w", file, err)
		}
	}
	return nil
}
