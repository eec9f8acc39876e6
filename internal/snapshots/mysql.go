package snapshots

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"path"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// login finds out how the tenant's database server is reached.
func (c *crew) login(ctx context.Context, t fleet.Tenant, q fleet.Quiesce) (*mysql.Config, error) {
	file := q.Login
	if file == "" {
		file = fleet.DefaultQuiesceLogin
	}
	content, err := c.LXD.ReadFile(ctx, t.Name.String(), file)
	if err != nil {
		return nil, fmt.Errorf("read the database login %s: %w", file, err)
	}
	defer content.Close()
	cfg, err := readLogin(io.LimitReader(content, 64<<10))
	if err != nil {
		return nil, fleet.Errorf(fleet.Invalid, "the database login %s cannot be read: %w", file, err)
	}
	switch {
	case path.IsAbs(q.Address):
		cfg.Net, cfg.Addr = "unix", q.Address
	case q.Address != "":
		cfg.Net, cfg.Addr = "tcp", q.Address
	default:
		seen := c.Tenants.Seen(t)
		found := seen.Address
		if seen.Via != "" {
			return nil, fleet.Errorf(fleet.Unsupported, "the database of %s cannot be reached: its own address cannot be dialled", t.Name).
				WithHint("give the address it is reached at, or have the image's hook pre-snapshot hold it still: docs/networks.md")
		}
		if found == "" {
			return nil, fleet.Errorf(fleet.Unavailable, "%s has no address yet", t.Name)
		}
		port := "3306"
		if cfg.Addr != "" {
			port = cfg.Addr
		}
		cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(found, port)
	}
	return cfg, nil
}

// readLogin reads user, password and port of the section [client] of an option file. The port is
// given in Addr.
func readLogin(r io.Reader) (*mysql.Config, error) {
	cfg := mysql.NewConfig()
	section := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[client]" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		value = strings.TrimSpace(value)
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		switch strings.TrimSpace(key) {
		case "user":
			cfg.User = value
		case "password":
			cfg.Passwd = value
		case "port":
			cfg.Addr = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if cfg.User == "" {
		return nil, fmt.Errorf("its section [client] has no user")
	}
	return cfg, nil
}

// mysqlHold is a database server that is locked for writes over a connection of its own.
type mysqlHold struct {
	db    *sql.DB
	conn  *sql.Conn
	free  string // the statement that lets go
	since time.Time
	until time.Time
	limit time.Duration
	end   context.CancelFunc
}

// lockMySQL blocks all commits of a MariaDB server, or all writes of a MySQL server, until the
// release. The server lets go by itself when the connection ends, as it does with this process,
// or when nothing was asked on it until the limit is over.
func lockMySQL(ctx context.Context, cfg *mysql.Config, limit time.Duration) (_ hold, err error) {
	began := time.Now()
	cfg = cfg.Clone()
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = limit, limit, limit
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fleet.Errorf(fleet.Invalid, "the database login is wrong: %w", err)
	}
	db := sql.OpenDB(connector)
	// When the limit is over the connection is closed, and with it the lock.
	life, end := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, end)
	h := &mysqlHold{db: db, limit: limit, until: began.Add(limit), end: end}
	defer func() {
		stop()
		if err != nil {
			late := life.Err() != nil // the close ends it, too
			h.close()
			if ctx.Err() != nil {
				err = ctx.Err()
			} else if late {
				err = fleet.Errorf(fleet.Failed, "the database server did not give the lock within %s", limit)
			}
		}
	}()
	if h.conn, err = db.Conn(life); err != nil {
		return nil, fmt.Errorf("reach the database server: %w", err)
	}
	context.AfterFunc(life, h.close)
	var version string
	if err = h.conn.QueryRowContext(life, "SELECT VERSION()").Scan(&version); err != nil {
		return nil, fmt.Errorf("ask the database server: %w", err)
	}
	seconds := max(int(limit/time.Second), 1)
	lock := []string{
		fmt.Sprintf("SET SESSION wait_timeout = %d, lock_wait_timeout = %d", seconds, seconds), "FLUSH TABLES WITH READ LOCK",
	}
	h.free = "UNLOCK TABLES"
	if strings.Contains(version, "MariaDB") {
		lock = append(lock[:1], "BACKUP STAGE START", "BACKUP STAGE FLUSH", "BACKUP STAGE BLOCK_DDL", "BACKUP STAGE BLOCK_COMMIT")
		h.free = "BACKUP STAGE END"
	}
	for _, statement := range lock {
		if strings.HasSuffix(statement, "LOCK") || strings.HasSuffix(statement, "BLOCK_COMMIT") {
			h.since = time.Now()
		}
		if _, err = h.conn.ExecContext(life, statement); err != nil {
			return nil, fmt.Errorf("lock the database: %w", err)
		}
	}
	return h, nil
}

func (h *mysqlHold) close() {
	h.end()
	if h.conn != nil {
		_ = h.conn.Close() // when what runs on it has ended, as it does with life
	}
	_ = h.db.Close()
}

// release implements hold.
func (h *mysqlHold) release(ctx context.Context) (time.Duration, error) {
	defer h.close()
	left, cancel := context.WithDeadline(ctx, h.until)
	defer cancel()
	_, err := h.conn.ExecContext(left, h.free)
	held := time.Since(h.since)
	if err != nil {
		return min(held, h.limit), fleet.Errorf(fleet.Failed, "the database lock was lost before the snapshot was complete: %w", err)
	}
	return held, nil
}
