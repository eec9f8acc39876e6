package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

type userRow struct {
	Name         string `db:"name"`
	DisplayName  string `db:"display_name"`
	Role         string `db:"role"`
	Tenants      string `db:"tenants"`
	Disabled     int64  `db:"disabled"`
	PasswordHash string `db:"password_hash"`
	TOTPSecret   string `db:"totp_secret"`
	TOTPStep     int64  `db:"totp_step"`
	Subject      string `db:"subject"`
	CreatedAt    int64  `db:"created_at"`
	UpdatedAt    int64  `db:"updated_at"`
	LastSeenAt   int64  `db:"last_seen_at"`
	Revision     int64  `db:"revision"`
}

const userColumns = `name, display_name, role, tenants, disabled, password_hash, totp_secret, totp_step, subject,
  created_at, updated_at, last_seen_at, revision`

func (r userRow) user() fleet.User {
	return fleet.User{
		Name: r.Name, DisplayName: r.DisplayName, Role: fleet.Role(r.Role), Tenants: readNames(r.Tenants),
		Disabled: r.Disabled != 0, TOTP: r.TOTPSecret != "", Subject: r.Subject,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt), LastSeenAt: fromMicros(r.LastSeenAt),
		Revision: r.Revision,
	}
}

func (r userRow) credentials() fleet.Credentials {
	return fleet.Credentials{PasswordHash: r.PasswordHash, TOTPSecret: r.TOTPSecret, TOTPStep: r.TOTPStep, Subject: r.Subject}
}

// readNames reads a column of tenants' names, separated by spaces.
func readNames(column string) []fleet.Name {
	var out []fleet.Name
	for name := range strings.FieldsSeq(column) {
		out = append(out, fleet.Name(name))
	}
	return out
}

func namesColumn(names []fleet.Name) string {
	var text []string
	for _, n := range names {
		text = append(text, n.String())
	}
	return strings.Join(text, " ")
}

// Users lists the users by name.
func (s *Store) Users(ctx context.Context) ([]fleet.User, error) {
	var rows []userRow
	err := s.read(ctx, "list the users", func(q *sqlx.DB) error {
		rows = rows[:0]
		return q.SelectContext(ctx, &rows, `SELECT `+userColumns+` FROM users ORDER BY name`)
	})
	if err != nil {
		return nil, err
	}
	out := make([]fleet.User, len(rows))
	for i, r := range rows {
		out[i] = r.user()
	}
	return out, nil
}

// User gives a user and what it proves itself with; fleet.NotFound.
func (s *Store) User(ctx context.Context, name string) (fleet.User, fleet.Credentials, error) {
	return s.oneUser(ctx, `name = ?`, name, name)
}

// UserBySubject gives the user that an OpenID provider knows under a subject; fleet.NotFound.
func (s *Store) UserBySubject(ctx context.Context, subject string) (fleet.User, fleet.Credentials, error) {
	u, c, err := s.oneUser(ctx, `subject = ? AND subject <> ''`, subject, "with that identity")
	if err == nil && c.Subject != subject { // some databases compare without the blanks at the end
		return fleet.User{}, fleet.Credentials{}, noUser(sql.ErrNoRows, "with that identity")
	}
	return u, c, err
}

func (s *Store) oneUser(ctx context.Context, where, arg, what string) (fleet.User, fleet.Credentials, error) {
	var row userRow
	err := s.read(ctx, "read a user", func(q *sqlx.DB) error {
		return noUser(q.GetContext(ctx, &row, `SELECT `+userColumns+` FROM users WHERE `+where, arg), what)
	})
	if err != nil {
		return fleet.User{}, fleet.Credentials{}, err
	}
	return row.user(), row.credentials(), nil
}

func noUser(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Errorf(fleet.NotFound, "there is no user %s", what).WithField("name").WithHint("see them with `lxdfleet user list`")
	}
	return err
}

// InsertUser adds a user, at revision 1. fleet.Taken where there is one of that name.
func (s *Store) InsertUser(ctx context.Context, u fleet.User, c fleet.Credentials) error {
	return s.write(ctx, "add user "+u.Name, func(tx *sqlx.Tx) error {
		var there int
		if err := tx.GetContext(ctx, &there, `SELECT COUNT(*) FROM users WHERE name = ?`, u.Name); err != nil {
			return err
		}
		if there > 0 {
			return fleet.Errorf(fleet.Taken, "there is a user %s already", u.Name).WithField("name").WithHint("choose another name")
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO users (`+userColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
			u.Name, clean(u.DisplayName), string(u.Role), namesColumn(u.Tenants), flag(u.Disabled),
			c.PasswordHash, c.TOTPSecret, c.TOTPStep, c.Subject, micros(u.CreatedAt), micros(u.UpdatedAt), micros(u.LastSeenAt))
		return err
	})
}

// UpdateUser writes all of the user but its name, CreatedAt and LastSeenAt, and its credentials.
// It ends the user's sessions where end says so, and always those of one that is disabled.
// fleet.Conflict when u.Revision is not the stored one or the last admin would be lost;
// fleet.NotFound when the user is gone.
func (s *Store) UpdateUser(ctx context.Context, u fleet.User, c fleet.Credentials, end bool) (fleet.User, error) {
	var after userRow
	err := s.write(ctx, "change user "+u.Name, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET display_name = ?, role = ?, tenants = ?, disabled = ?,
  password_hash = ?, totp_secret = ?, totp_step = ?, subject = ?, updated_at = ?, revision = revision + 1
  WHERE name = ? AND revision = ?`,
			clean(u.DisplayName), string(u.Role), namesColumn(u.Tenants), flag(u.Disabled),
			c.PasswordHash, c.TOTPSecret, c.TOTPStep, c.Subject, micros(u.UpdatedAt), u.Name, u.Revision)
		if err != nil {
			return err
		}
		err = noUser(tx.GetContext(ctx, &after, `SELECT `+userColumns+` FROM users WHERE name = ?`, u.Name), u.Name)
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || !mine {
			return or(err, fleet.Errorf(fleet.Conflict, "user %s was changed meanwhile", u.Name).WithHint("read it again and repeat the change"))
		}
		if end || u.Disabled {
			if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_name = ?`, u.Name); err != nil {
				return err
			}
		}
		return someAdmin(ctx, tx)
	})
	return after.user(), err
}

// someAdmin refuses a change after which nobody could manage users.
func someAdmin(ctx context.Context, tx *sqlx.Tx) error {
	var users, admins int
	if err := tx.GetContext(ctx, &users, `SELECT COUNT(*) FROM users`); err != nil {
		return err
	}
	if err := tx.GetContext(ctx, &admins, `SELECT COUNT(*) FROM users WHERE role = ? AND disabled = 0`, string(fleet.RoleAdmin)); err != nil {
		return err
	}
	if users > 0 && admins == 0 {
		return fleet.Errorf(fleet.Conflict, "no admin would be left").WithHint("make another user an admin first")
	}
	return nil
}

// DeleteUser removes a user with its sessions, tokens and links. fleet.NotFound;
// fleet.Conflict where it is the last admin among several users.
func (s *Store) DeleteUser(ctx context.Context, name string) error {
	return s.write(ctx, "delete user "+name, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM users WHERE name = ?`, name)
		if err != nil {
			return err
		}
		if there, err := changed(done); err != nil || !there {
			return or(err, noUser(sql.ErrNoRows, name))
		}
		for _, statement := range []string{
			`DELETE FROM sessions WHERE user_name = ?`, `DELETE FROM tokens WHERE owner = ?`, `DELETE FROM user_links WHERE user_name = ?`,
		} {
			if _, err := tx.ExecContext(ctx, statement, name); err != nil {
				return err
			}
		}
		return someAdmin(ctx, tx)
	})
}

// UseTOTPStep notes that the code of a time step was used. fleet.Unauthenticated where it, or a later
// one, was used before: of two logins with one code one succeeds.
func (s *Store) UseTOTPStep(ctx context.Context, name string, step int64) error {
	return s.write(ctx, "note a used code of "+name, func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE users SET totp_step = ? WHERE name = ? AND totp_step < ?`, step, name, step)
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || mine {
			return err
		}
		return fleet.Errorf(fleet.Unauthenticated, "the code was used already").WithField("code").WithHint("wait for the next one")
	})
}

// SaveUserLink keeps a one-time link, in place of the user's earlier ones.
func (s *Store) SaveUserLink(ctx context.Context, user, hash string, until time.Time) error {
	return s.write(ctx, "keep a link for "+user, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM user_links WHERE user_name = ?`, user); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO user_links (hash, user_name, expires_at) VALUES (?, ?, ?)`, hash, user, micros(until))
		return err
	})
}

// UserLink gives the user a link is for; fleet.Unauthenticated where it was used, has ended or was
// never made.
func (s *Store) UserLink(ctx context.Context, hash string, now time.Time) (user string, err error) {
	err = s.read(ctx, "read a link", func(q *sqlx.DB) error {
		return badLink(q.GetContext(ctx, &user, `SELECT user_name FROM user_links WHERE hash = ? AND expires_at > ?`, hash, micros(now)))
	})
	return user, err
}

// UseUserLink uses up a link: of two at the same time one succeeds. Errors as UserLink.
func (s *Store) UseUserLink(ctx context.Context, hash string, now time.Time) error {
	return s.write(ctx, "use a link", func(tx *sqlx.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM user_links WHERE hash = ? AND expires_at > ?`, hash, micros(now))
		if err != nil {
			return err
		}
		if mine, err := changed(done); err != nil || mine {
			return err
		}
		return badLink(sql.ErrNoRows)
	})
}

func badLink(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.Errorf(fleet.Unauthenticated, "the link is not good any more").WithField("link").
			WithHint("ask an admin for another: lxdfleet user link NAME")
	}
	return err
}
