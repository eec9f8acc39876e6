package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/lxdfleet/lxdfleet/integration/rows"
)

// Seed gives a WordPress instance what a load of rows needs, with empty tables.
func (l LXC) Seed(ctx context.Context, instance string) error {
	install := "cat >" + rows.PagePath + " && chmod 644 " + rows.PagePath
	if _, err := l.Feed(ctx, string(rows.Page), "exec", instance, "--", "sh", "-c", install); err != nil {
		return err
	}
	_, err := l.Feed(ctx, rows.Schema, "exec", instance, "--", "mariadb", "wordpress")
	return err
}

// CheckRows fails where the instance's rows are not what a cut through the load's commits left.
func (l LXC) CheckRows(ctx context.Context, instance string, load *rows.Load, cut rows.Cut) error {
	dump, err := l.Feed(ctx, rows.Dump, "exec", instance, "--", "mariadb", "--skip-column-names", "wordpress")
	if err != nil {
		return err
	}
	state, err := rows.Read(strings.NewReader(dump))
	if err != nil {
		return err
	}
	if err := rows.Check(state, load.Commits(), cut); err != nil {
		return fmt.Errorf("the rows of %s: %w", instance, err)
	}
	return nil
}
