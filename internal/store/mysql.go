package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// mysqlDialect is a database on a MySQL or MariaDB server.
type mysqlDialect struct {
	cfg *mysql.Config
	log *slog.Logger
}

func (s *Store) openMySQL(dsn string) error {
	cfg, err := parseMySQL(dsn)
	if err != nil {
		return err
	}
	cfg.Logger = driverLog{s.log}
	db, err := mysqlPool(cfg)
	if err != nil {
		return err
	}
	s.writer, s.reader = db, db
	s.dialect = &mysqlDialect{cfg: cfg, log: s.log}
	return nil
}

func mysqlPool(cfg *mysql.Config) (*sqlx.DB, error) {
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, badDSN("the settings of the MySQL address cannot be used")
	}
	db := sqlx.NewDb(sql.OpenDB(readCommitted{connector}), "mysql")
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(8)
	// Servers, proxies and firewalls drop old connections without a word.
	db.SetConnMaxLifetime(3 * time.Minute)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// readCommitted sets the isolation level of each new connection: the variable's name differs
// between MySQL and MariaDB, so it cannot be a setting of the address.
type readCommitted struct{ driver.Connector }

func (c readCommitted) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	const level = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, level, nil); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// driverLog passes the driver's own messages, such as a broken connection, to the log.
type driverLog struct{ log *slog.Logger }

func (l driverLog) Print(v ...any) { l.log.Debug("mysql driver", "message", fmt.Sprint(v...)) }

func (d *mysqlDialect) goose() goose.Dialect { return goose.DialectMySQL }

func (d *mysqlDialect) thenJoin() string { return "STRAIGHT_JOIN" }

func (d *mysqlDialect) where() string {
	return fmt.Sprintf("database %s of the MySQL server at %s", d.cfg.DBName, d.cfg.Addr)
}

// tableSuffix asks for a collation that compares bytes and does not pad with spaces: MariaDB
// and MySQL name it differently, and old servers have none. Tables that exist decide.
func (d *mysqlDialect) tableSuffix(ctx context.Context, db *sqlx.DB) (string, error) {
	var collation string
	err := db.GetContext(ctx, &collation, `SELECT c FROM (
		SELECT 0 AS n, TABLE_COLLATION AS c FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'tenants'
		UNION ALL SELECT 1, COLLATION_NAME FROM information_schema.COLLATIONS
			WHERE COLLATION_NAME IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')
		UNION ALL SELECT 2, 'utf8mb4_bin') AS known ORDER BY n LIMIT 1`)
	if err != nil {
		return "", err
	}
	return " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE " + collation, nil
}

// alone holds a lock of the server, named after the database, on one connection: it is free
// again when that connection ends, however it ends. Connections here wait longer for an
// answer than others, because changing a large table takes time.
func (d *mysqlDialect) alone(ctx context.Context, fn func(*sqlx.DB) error) error {
	cfg := d.cfg.Clone()
	cfg.ReadTimeout = max(cfg.ReadTimeout, 10*time.Minute)
	if err := d.answers(ctx); err != nil {
		return err
	}
	db, err := mysqlPool(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	sum := sha256.Sum256([]byte(d.cfg.DBName))
	name := "lxdfleet.migrate." + hex.EncodeToString(sum[:8]) // MySQL allows 64 characters
	for {
		var got sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 5)", name).Scan(&got); err != nil {
			return err
		}
		if got.Int64 == 1 {
			return fn(db) // closing the pool ends the connection and with it the lock
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// answers asks for a first answer with the usual timeouts.
func (d *mysqlDialect) answers(ctx context.Context) error {
	db, err := mysqlPool(d.cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.PingContext(ctx)
}

// Numbers of server errors, from MySQL's and MariaDB's references.
const (
	erHostNotPrivileged      = 1130
	erTooManyConnections     = 1040
	erDBAccessDenied         = 1044
	erAccessDenied           = 1045
	erBadDB                  = 1049
	erTableExists            = 1050
	erServerShutdown         = 1053
	erDupFieldName           = 1060
	erDupKeyName             = 1061
	erDupEntry               = 1062
	erCantDrop               = 1091
	erTableFull              = 1114
	erOutOfResources         = 1041
	erDiskFull               = 1021
	erTableAccessDenied      = 1142
	erPacketTooLarge         = 1153
	erUnknownSystemVariable  = 1193
	erTooManyUserConnections = 1203
	erLockWaitTimeout        = 1205
	erDeadlock               = 1213
	erReadOnlyOption         = 1290
	erQueryInterrupted       = 1317
	erDataTooLong            = 1406
	erDupEntryWithKeyName    = 1586
	erAccessDeniedNoPassword = 1698
	erReadOnlyTransaction    = 1792
	erReadOnlyMode           = 1836
	erConnectionKilled       = 1927
)

func (d *mysqlDialect) classify(err error) fault {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyNumber(e.Number)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return faultDown
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return faultDown
	}
	switch {
	case errors.Is(err, mysql.ErrPktTooLarge):
		return faultTooLong
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, sql.ErrConnDone):
		return faultLost
	case errors.Is(err, context.DeadlineExceeded): // the dial's own timeout
		return faultDown
	case errors.Is(err, mysql.ErrNoTLS), errors.Is(err, mysql.ErrCleartextPassword),
		errors.Is(err, mysql.ErrNativePassword), errors.Is(err, mysql.ErrUnknownPlugin):
		return faultDenied
	}
	return faultOther
}

func classifyNumber(number uint16) fault {
	switch number {
	case erDupEntry, erDupEntryWithKeyName:
		return faultDuplicate
	case erDeadlock:
		return faultDeadlock
	case erLockWaitTimeout:
		return faultBusy
	case erTooManyConnections, erTooManyUserConnections, erOutOfResources:
		return faultDown
	case erServerShutdown, erQueryInterrupted, erConnectionKilled:
		return faultLost
	case erReadOnlyOption, erReadOnlyTransaction, erReadOnlyMode:
		return faultReadOnly
	case erTableFull, erDiskFull:
		return faultFull
	case erDataTooLong, erPacketTooLarge:
		return faultTooLong
	case erDBAccessDenied, erAccessDenied, erAccessDeniedNoPassword, erBadDB, erTableAccessDenied,
		erHostNotPrivileged, erUnknownSystemVariable:
		return faultDenied
	}
	return faultOther
}

// applied knows what a migration that was killed half-way leaves: MySQL commits each
// statement that changes the schema by itself.
func (d *mysqlDialect) applied(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch e.Number {
	case erTableExists, erDupFieldName, erDupKeyName, erDupEntry, erCantDrop:
		return true
	}
	return false
}
