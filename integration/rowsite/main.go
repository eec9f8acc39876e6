// Command rowsite is a web application for a tiny image with MariaDB beside it: it commits the
// transactions of the load in package rows, as rows.php does in a WordPress tenant, and prints
// what the database holds of it.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of the connection to the database

	"github.com/lxdfleet/lxdfleet/integration/rows"
)

// Socket is where the database listens.
const Socket = "/run/mysqld.sock"

func main() {
	db, err := sql.Open("mysql", "root@unix("+Socket+")/?multiStatements=true")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for prepare(ctx, db) != nil { // until the database answers
		time.Sleep(200 * time.Millisecond)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+rows.PageURL, func(w http.ResponseWriter, r *http.Request) {
		if err := commit(r.Context(), db, w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /dump", func(w http.ResponseWriter, r *http.Request) {
		if err := dump(r.Context(), db, w); err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		page, err := os.ReadFile("/www/index.html")
		if err == nil {
			err = db.PingContext(r.Context())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(page) // an error is a client that has left
	})
	srv := &http.Server{Addr: ":80", Handler: mux, ReadHeaderTimeout: time.Minute}
	log.Fatal(srv.ListenAndServe())
}

// prepare makes the load's tables, once, and the login that lxdfleet holds the database with.
func prepare(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, "SELECT 1 FROM wordpress.load_log LIMIT 1"); err == nil {
		return nil
	}
	_, err := db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS wordpress; USE wordpress; "+rows.Schema+
		" CREATE OR REPLACE USER quiesce@'%' IDENTIFIED BY 'still'; GRANT ALL ON *.* TO quiesce@'%'")
	return err
}

// commit is what rows.php does.
func commit(ctx context.Context, db *sql.DB, w http.ResponseWriter, r *http.Request) error {
	var n [3]int
	for i, name := range []string{"writer", "seq", "seen"} {
		var err error
		if n[i], err = strconv.Atoi(r.FormValue(name)); err != nil {
			return err
		}
	}
	writer, seq, seen := n[0], n[1], n[2]
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for part := range 3 {
		noise := make([]byte, 8+seq*37%200)
		_, _ = rand.Read(noise) // never fails
		payload := hex.EncodeToString(noise)
		row := rows.Row{Writer: writer, Seq: seq, Part: part, Seen: seen, Payload: payload}
		_, err := tx.ExecContext(ctx, "INSERT INTO wordpress.load_rows VALUES (?, ?, ?, ?, ?, 0, ?)", writer, seq, part, seen, payload, row.Reckon())
		if err != nil {
			return err
		}
	}
	old := rows.Row{Writer: writer, Part: 1}
	err = tx.QueryRowContext(ctx, "SELECT seq, seen, payload, version FROM wordpress.load_rows WHERE writer = ? AND seq <= ? AND part = 1 ORDER BY seq DESC LIMIT 1",
		writer, seq-5).Scan(&old.Seq, &old.Seen, &old.Payload, &old.Version)
	if err == nil {
		letters := strings.Split(old.Payload, "")
		slices.Reverse(letters)
		old.Payload, old.Version = strings.Join(letters, ""), old.Version+1
		_, err = tx.ExecContext(ctx, "UPDATE wordpress.load_rows SET payload = ?, version = ?, sum = ? WHERE writer = ? AND seq = ? AND part = 1",
			old.Payload, old.Version, old.Reckon(), writer, old.Seq)
	}
	if err != nil && err != sql.ErrNoRows { //nolint:errorlint // database/sql gives it as it is
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO wordpress.load_last VALUES (?, ?) ON DUPLICATE KEY UPDATE seq = VALUES(seq)", writer, seq); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO wordpress.load_log VALUES (?, ?)", writer, seq); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "committed %d %d\n", writer, seq)
	return err
}

// dump prints what rows.Read reads.
func dump(ctx context.Context, db *sql.DB, w http.ResponseWriter) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "USE wordpress"); err != nil {
		return err
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(rows.Dump), "\n") {
		if err := list(ctx, conn, w, strings.TrimSuffix(statement, ";")); err != nil {
			return err
		}
	}
	return nil
}

func list(ctx context.Context, conn *sql.Conn, w http.ResponseWriter, statement string) error {
	found, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return err
	}
	values, into := make([]string, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, strings.Join(values, "\t")); err != nil {
			return err
		}
	}
	return found.Err()
}
