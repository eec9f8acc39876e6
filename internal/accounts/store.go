package accounts

import (
	"context"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Store keeps accounts. Errors are those its implementation in package store tells of.
type Store interface {
	Users(ctx context.Context) ([]fleet.User, error)
	User(ctx context.Context, name string) (fleet.User, fleet.Credentials, error)
	UserBySubject(ctx context.Context, subject string) (fleet.User, fleet.Credentials, error)
	InsertUser(ctx context.Context, u fleet.User, c fleet.Credentials) error
	UpdateUser(ctx context.Context, u fleet.User, c fleet.Credentials, end bool) (fleet.User, error)
	DeleteUser(ctx context.Context, name string) error
	UseTOTPStep(ctx context.Context, name string, step int64) error

	SaveUserLink(ctx context.Context, user, hash string, until time.Time) error
	UserLink(ctx context.Context, hash string, now time.Time) (user string, err error)
	UseUserLink(ctx context.Context, hash string, now time.Time) error

	InsertSession(ctx context.Context, s fleet.Session) error
	SessionByHash(ctx context.Context, hash string, now time.Time) (fleet.Session, error)
	Sessions(ctx context.Context, user string, now time.Time) ([]fleet.Session, error)
	SaveSessionSeen(ctx context.Context, s fleet.Session) error
	DeleteSession(ctx context.Context, user, id string) error
	DeleteSessions(ctx context.Context, user, keep string) error

	InsertToken(ctx context.Context, t fleet.Token) error
	TokenByHash(ctx context.Context, hash string) (fleet.Token, error)
	Tokens(ctx context.Context, owner string) ([]fleet.Token, error)
	SaveTokenUsed(ctx context.Context, id, from string, at time.Time) error
	DeleteToken(ctx context.Context, owner, id string) error

	AppendAudit(ctx context.Context, e fleet.AuditEntry) (fleet.AuditEntry, error)
	Audit(ctx context.Context, f fleet.AuditFilter) ([]fleet.AuditEntry, error)
}
