package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func noCluster(name fleet.Name) error {
	return fleet.Errorf(fleet.NotFound, "there is no cluster %s", name).WithHint("lxdfleet cluster list shows them")
}

func clusterOf(name, record string) (c fleet.Cluster, err error) {
	if err := fromJSON("record", record, &c); err != nil {
		return fleet.Cluster{}, damaged("cluster "+name, err)
	}
	return c, nil
}

// Clusters lists all clusters, by name.
func (s *Store) Clusters(ctx context.Context) (all []fleet.Cluster, err error) {
	var rows []struct {
		Name   string `db:"name"`
		Record string `db:"record"`
	}
	err = s.read(ctx, "list clusters", func(q *sqlx.DB) error {
		rows = nil
		return q.SelectContext(ctx, &rows, `SELECT name, record FROM clusters`)
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		c, err := clusterOf(row.Name, row.Record)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b fleet.Cluster) int { return strings.Compare(a.Name.String(), b.Name.String()) })
	return all, nil
}

// Cluster gives a cluster; fleet.NotFound.
func (s *Store) Cluster(ctx context.Context, name fleet.Name) (fleet.Cluster, error) {
	var record string
	err := s.read(ctx, "read cluster "+name.String(), func(q *sqlx.DB) error {
		err := q.GetContext(ctx, &record, `SELECT record FROM clusters WHERE name = ?`, name.String())
		if errors.Is(err, sql.ErrNoRows) {
			return noCluster(name)
		}
		return err
	})
	if err != nil {
		return fleet.Cluster{}, err
	}
	return clusterOf(name.String(), record)
}

// InsertCluster stores a new cluster; fleet.Taken with field "name" where there is one of its name.
func (s *Store) InsertCluster(ctx context.Context, c fleet.Cluster) error {
	record, err := toJSON(c)
	if err != nil {
		return err
	}
	return s.write(ctx, "store cluster "+c.Name.String(), func(tx *sqlx.Tx) error {
		var have int64
		if err := tx.GetContext(ctx, &have, `SELECT COUNT(*) FROM clusters WHERE name = ?`, c.Name.String()); err != nil {
			return err
		}
		if have > 0 {
			return fleet.Errorf(fleet.Taken, "there is a cluster %s already", c.Name).WithField("name").WithHint("choose another name")
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO clusters (name, record) VALUES (?, ?)`, c.Name.String(), record)
		return err
	})
}

// UpdateCluster writes a cluster that is there; fleet.NotFound.
func (s *Store) UpdateCluster(ctx context.Context, c fleet.Cluster) error {
	record, err := toJSON(c)
	if err != nil {
		return err
	}
	return s.write(ctx, "change cluster "+c.Name.String(), func(tx *sqlx.Tx) error {
		var have int64 // MySQL does not count a row that is so already as changed
		if err := tx.GetContext(ctx, &have, `SELECT COUNT(*) FROM clusters WHERE name = ?`, c.Name.String()); err != nil {
			return err
		}
		if have == 0 {
			return noCluster(c.Name)
		}
		_, err := tx.ExecContext(ctx, `UPDATE clusters SET record = ? WHERE name = ?`, record, c.Name.String())
		return err
	})
}

// DeleteCluster forgets a cluster; one that there is not is success.
func (s *Store) DeleteCluster(ctx context.Context, name fleet.Name) error {
	return s.write(ctx, "delete cluster "+name.String(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM clusters WHERE name = ?`, name.String())
		return err
	})
}
