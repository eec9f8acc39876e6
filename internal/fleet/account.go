package fleet

import (
	"slices"
	"strings"
	"time"
)

// Role says what a user or token may do. Each includes what the ones after it may.
type Role string

const (
	// RoleAdmin may do everything, users and settings too.
	RoleAdmin Role = "admin"
	// RoleOperator runs the fleet: tenants, images, members, backups; not users or tokens of others.
	RoleOperator Role = "operator"
	// RoleViewer reads everything but secrets.
	RoleViewer Role = "viewer"
	// RoleClient sees its own tenants only, and may restart, snapshot, restore and read logs of them.
	RoleClient Role = "client"
)

// Roles lists the roles, the mightiest first.
func Roles() []Role { return []Role{RoleAdmin, RoleOperator, RoleViewer, RoleClient} }

// ParseRole reads a role. The error is of code Invalid and field "role".
func ParseRole(s string) (Role, error) {
	if !slices.Contains(Roles(), Role(s)) {
		return "", Errorf(Invalid, "%q is not a role", s).WithField("role").
			WithHint("the roles are admin, operator, viewer and client")
	}
	return Role(s), nil
}

// Includes reports whether r may do all that o may.
func (r Role) Includes(o Role) bool {
	mine, other := slices.Index(Roles(), r), slices.Index(Roles(), o)
	return mine >= 0 && other >= 0 && mine <= other
}

// User is somebody who logs in.
type User struct {
	Name        string `json:"name"` // lower case; unique
	DisplayName string `json:"display_name,omitempty"`
	Role        Role   `json:"role"`
	// Tenants are the ones a client sees; of other roles it is empty.
	Tenants  []Name `json:"tenants,omitempty"`
	Disabled bool   `json:"disabled"`
	// TOTP: a one-time code is asked for at each login.
	TOTP bool `json:"totp"`
	// Subject is who it is at an OpenID provider, as Credentials say; empty: nobody.
	Subject    string    `json:"subject,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	LastSeenAt time.Time `json:"last_seen_at,omitzero"`
	Revision   int64     `json:"revision"`
}

// Credentials are what a user proves who it is with. They never leave the daemon.
type Credentials struct {
	PasswordHash string // argon2id, in PHC form; empty: no password is set yet
	TOTPSecret   string // base32; empty: none
	TOTPStep     int64  // the last time step whose code was used, so that none is good twice
	Subject      string // ISSUER SUBJECT at an OpenID provider; empty: none
}

// Session is a login in a browser. Hash is the SHA-256, in hex, of the secret in its cookie.
type Session struct {
	ID        string    `json:"id"`
	Hash      string    `json:"-"`
	User      string    `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	EndsAt    time.Time `json:"ends_at"`    // however much it is used
	Address   string    `json:"address"`    // where it was last seen from
	UserAgent string    `json:"user_agent"` // of its login
}

// Token lets a script in. Hash is the SHA-256, in hex, of its secret, which is kept nowhere.
type Token struct {
	ID    string `json:"id"`
	Hash  string `json:"-"`
	Name  string `json:"name"`
	Owner string `json:"owner"` // the user that made it; it may never do more than that user
	Role  Role   `json:"role"`
	// Tenants are the only ones it may touch; empty: all its role may, none for a client.
	Tenants    []Name    `json:"tenants,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"` // zero: never
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	LastUsedBy string    `json:"last_used_by,omitempty"` // address
}

// Caller is who makes a request.
type Caller struct {
	Kind    CallerKind
	Name    string // of the user, token ID, or name of the local user
	User    string // the user behind it; empty for a local one
	Role    Role
	Tenants []Name // the only ones it sees; nil: all
	Session string // ID; empty: none
	Address string // IP address; empty over the unix socket
	// Until is when what it has proven itself with ends; zero: it does not.
	Until time.Time
}

// Bound reports whether the caller sees certain tenants only.
func (c Caller) Bound() bool { return c.Tenants != nil || c.Role == RoleClient }

// CallerKind says how a caller has proven who it is.
type CallerKind string

const (
	CallerSocket  CallerKind = "socket"
	CallerSession CallerKind = "session"
	CallerToken   CallerKind = "token"
	CallerNobody  CallerKind = "nobody"
)

// Sees reports whether the caller may know of the tenant.
func (c Caller) Sees(tenant Name) bool {
	switch {
	case c.Kind == CallerNobody:
		return false
	case !c.Bound():
		return true
	}
	return slices.Contains(c.Tenants, tenant)
}

// String is the caller as audit entries name it.
func (c Caller) String() string {
	switch c.Kind {
	case CallerToken:
		return "token " + c.Name + " of " + c.User
	case CallerSession:
		return c.User
	case CallerSocket:
		return "local user " + c.Name
	}
	return string(c.Kind)
}

// ParseUserName reads the name of a user: 1 to 63 letters, digits, dots, hyphens, underscores
// and at most one @; upper case is lowered. The error is of code Invalid and field "name".
func ParseUserName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	ok := name != "" && len(name) <= 63 && strings.Count(name, "@") <= 1 && !strings.ContainsAny(name[:1], ".-_@")
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_@", r))
	}
	if !ok {
		return "", Errorf(Invalid, "%q is not a user's name", s).WithField("name").
			WithHint("use 1 to 63 letters, digits, dots, hyphens and underscores, beginning with a letter or digit; an e-mail address is good")
	}
	return name, nil
}
