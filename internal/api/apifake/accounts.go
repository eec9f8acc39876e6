package apifake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Password is that of every user in this fleet.
const Password = "correct horse battery staple"

// Accounts are accounts whose store is in memory: the rules are the real ones, except that
// passwords are not hashed. There is a user of each role: anna the admin, olga the operator,
// vera the viewer and carl, acme's client.
type Accounts struct {
	*accounts.Service
	fleet *Fleet

	mu       sync.Mutex
	users    map[string]account
	links    map[string]link
	sessions map[string]fleet.Session // by ID
	tokens   map[string]fleet.Token   // by ID
	entries  []fleet.AuditEntry
}

type account struct {
	user  fleet.User
	proof fleet.Credentials
}

type link struct {
	user  string
	until time.Time
}

func newAccounts(f *Fleet) *Accounts {
	a := &Accounts{
		fleet: f, users: map[string]account{}, links: map[string]link{}, sessions: map[string]fleet.Session{}, tokens: map[string]fleet.Token{},
	}
	a.Service = accounts.NewService(memory{a}, accounts.Options{Hash: plain{}, Now: func() time.Time { return Now }})
	for _, u := range []fleet.User{
		{Name: "anna", DisplayName: "Anna Admin", Role: fleet.RoleAdmin},
		{Name: "olga", Role: fleet.RoleOperator},
		{Name: "vera", Role: fleet.RoleViewer},
		{Name: "carl", Role: fleet.RoleClient, Tenants: []fleet.Name{"acme"}},
	} {
		u.CreatedAt, u.UpdatedAt, u.Revision = Now.Add(-time.Hour), Now.Add(-time.Hour), 1
		a.users[u.Name] = account{u, fleet.Credentials{PasswordHash: Password}}
	}
	return a
}

// plain keeps passwords as they are.
type plain struct{}

func (plain) Hash(password string) (string, error)        { return password, nil }
func (plain) Matches(password, hash string) (bool, error) { return password == hash, nil }

// begin locks the accounts, unless they were told to fail.
func (a *Accounts) begin() (unlock func(), err error) {
	if err := a.fleet.fault("Accounts"); err != nil {
		return nil, err
	}
	a.mu.Lock()
	return a.mu.Unlock, nil
}

// change edits the accounts.
func (a *Accounts) change(do func() error) error {
	unlock, err := a.begin()
	if err != nil {
		return err
	}
	defer unlock()
	return do()
}

func noUser(name string) error {
	return fleet.Errorf(fleet.NotFound, "there is no user %s", name).WithHint("lxdfleet user list shows them")
}

// memory is the store.
type memory struct{ *Accounts }

var _ accounts.Store = memory{}

func (m memory) Users(context.Context) ([]fleet.User, error) {
	unlock, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []fleet.User
	for _, name := range slices.Sorted(maps.Keys(m.users)) {
		all = append(all, m.users[name].user)
	}
	return all, nil
}

func (m memory) User(_ context.Context, name string) (fleet.User, fleet.Credentials, error) {
	unlock, err := m.begin()
	if err != nil {
		return fleet.User{}, fleet.Credentials{}, err
	}
	defer unlock()
	found, ok := m.users[name]
	if !ok {
		return fleet.User{}, fleet.Credentials{}, noUser(name)
	}
	return found.user, found.proof, nil
}

func (m memory) UserBySubject(_ context.Context, subject string) (fleet.User, fleet.Credentials, error) {
	unlock, err := m.begin()
	if err != nil {
		return fleet.User{}, fleet.Credentials{}, err
	}
	defer unlock()
	for _, found := range m.users {
		if found.proof.Subject == subject {
			return found.user, found.proof, nil
		}
	}
	return fleet.User{}, fleet.Credentials{}, noUser(subject)
}

func (m memory) InsertUser(_ context.Context, u fleet.User, c fleet.Credentials) error {
	return m.change(func() error {
		if _, taken := m.users[u.Name]; taken {
			return fleet.Errorf(fleet.Taken, "there is a user %s already", u.Name).WithField("name").WithHint("choose another name")
		}
		m.users[u.Name] = account{u, c}
		return nil
	})
}

func (m memory) UpdateUser(_ context.Context, u fleet.User, c fleet.Credentials, end bool) (fleet.User, error) {
	err := m.change(func() error {
		if _, ok := m.users[u.Name]; !ok {
			return noUser(u.Name)
		}
		u.TOTP, u.Subject = c.TOTPSecret != "", c.Subject
		u.Revision++
		m.users[u.Name] = account{u, c}
		if end || u.Disabled {
			m.dropSessions(u.Name, "")
		}
		return nil
	})
	return u, err
}

func (m memory) dropSessions(user, keep string) {
	maps.DeleteFunc(m.sessions, func(id string, s fleet.Session) bool { return s.User == user && id != keep })
}

func (m memory) DeleteUser(_ context.Context, name string) error {
	return m.change(func() error {
		if _, ok := m.users[name]; !ok {
			return noUser(name)
		}
		delete(m.users, name)
		m.dropSessions(name, "")
		maps.DeleteFunc(m.tokens, func(_ string, t fleet.Token) bool { return t.Owner == name })
		return nil
	})
}

func (m memory) UseTOTPStep(_ context.Context, name string, step int64) error {
	return m.change(func() error {
		found := m.users[name]
		if step <= found.proof.TOTPStep {
			return fleet.Errorf(fleet.Unauthenticated, "the code was used already").WithField("code").WithHint("wait for the next one")
		}
		found.proof.TOTPStep = step
		m.users[name] = found
		return nil
	})
}

func (m memory) SaveUserLink(_ context.Context, user, hash string, until time.Time) error {
	return m.change(func() error {
		maps.DeleteFunc(m.links, func(_ string, l link) bool { return l.user == user })
		m.links[hash] = link{user, until}
		return nil
	})
}

func (m memory) UserLink(_ context.Context, hash string, now time.Time) (string, error) {
	unlock, err := m.begin()
	if err != nil {
		return "", err
	}
	defer unlock()
	l, ok := m.links[hash]
	if !ok || !now.Before(l.until) {
		return "", fleet.Errorf(fleet.Unauthenticated, "the link is not good any more").WithField("link").WithHint("ask an admin for another")
	}
	return l.user, nil
}

func (m memory) UseUserLink(ctx context.Context, hash string, now time.Time) error {
	if _, err := m.UserLink(ctx, hash, now); err != nil {
		return err
	}
	return m.change(func() error { delete(m.links, hash); return nil })
}

func (m memory) InsertSession(_ context.Context, s fleet.Session) error {
	return m.change(func() error { m.sessions[s.ID] = s; return nil })
}

func (m memory) SessionByHash(_ context.Context, hash string, now time.Time) (fleet.Session, error) {
	unlock, err := m.begin()
	if err != nil {
		return fleet.Session{}, err
	}
	defer unlock()
	for _, s := range m.sessions {
		if s.Hash == hash && now.Before(s.ExpiresAt) {
			return s, nil
		}
	}
	return fleet.Session{}, fleet.Errorf(fleet.NotFound, "there is no such session")
}

func (m memory) Sessions(_ context.Context, user string, _ time.Time) ([]fleet.Session, error) {
	unlock, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []fleet.Session
	for _, s := range m.sessions {
		if s.User == user {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b fleet.Session) int { return cmp.Compare(b.ID, a.ID) })
	return all, nil
}

func (m memory) SaveSessionSeen(ctx context.Context, s fleet.Session) error {
	return m.InsertSession(ctx, s)
}

func (m memory) DeleteSession(_ context.Context, user, id string) error {
	return m.change(func() error {
		if s, ok := m.sessions[id]; !ok || s.User != user {
			return fleet.Errorf(fleet.NotFound, "there is no session %s", id).WithHint("GET /v1/sessions lists them")
		}
		delete(m.sessions, id)
		return nil
	})
}

func (m memory) DeleteSessions(_ context.Context, user, keep string) error {
	return m.change(func() error { m.dropSessions(user, keep); return nil })
}

func (m memory) InsertToken(_ context.Context, t fleet.Token) error {
	return m.change(func() error { m.tokens[t.ID] = t; return nil })
}

func (m memory) TokenByHash(_ context.Context, hash string) (fleet.Token, error) {
	unlock, err := m.begin()
	if err != nil {
		return fleet.Token{}, err
	}
	defer unlock()
	for _, t := range m.tokens {
		if t.Hash == hash {
			return t, nil
		}
	}
	return fleet.Token{}, fleet.Errorf(fleet.NotFound, "there is no such token")
}

func (m memory) Tokens(_ context.Context, owner string) ([]fleet.Token, error) {
	unlock, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []fleet.Token
	for _, id := range slices.Sorted(maps.Keys(m.tokens)) {
		if t := m.tokens[id]; owner == "" || t.Owner == owner {
			all = append(all, t)
		}
	}
	return all, nil
}

func (m memory) SaveTokenUsed(_ context.Context, id, from string, at time.Time) error {
	return m.change(func() error {
		t := m.tokens[id]
		t.LastUsedAt, t.LastUsedBy = at, from
		m.tokens[id] = t
		return nil
	})
}

func (m memory) DeleteToken(_ context.Context, owner, id string) error {
	return m.change(func() error {
		if t, ok := m.tokens[id]; !ok || owner != "" && t.Owner != owner {
			return fleet.Errorf(fleet.NotFound, "there is no token %s", id).WithHint("lxdfleet token list shows them")
		}
		delete(m.tokens, id)
		return nil
	})
}

func (m memory) AppendAudit(_ context.Context, e fleet.AuditEntry) (fleet.AuditEntry, error) {
	err := m.change(func() error {
		e.Seq = int64(len(m.entries)) + 1
		if e.Seq > 1 {
			e.Prev = m.entries[e.Seq-2].Hash
		}
		e.Hash = e.Seal()
		m.entries = append(m.entries, e)
		return nil
	})
	return e, err
}

func (m memory) Audit(_ context.Context, f fleet.AuditFilter) ([]fleet.AuditEntry, error) {
	unlock, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []fleet.AuditEntry
	for _, e := range slices.Backward(m.entries) {
		about := f.Subject == "" || e.Subject == f.Subject || strings.HasSuffix(f.Subject, "/") && strings.HasPrefix(e.Subject, f.Subject)
		if about && (f.User == "" || e.User == f.User) && (f.Operation == "" || e.Operation == f.Operation) &&
			(f.Before == 0 || e.Seq < f.Before) && (f.Limit == 0 || len(all) < f.Limit) {
			all = append(all, e)
		}
	}
	return all, nil
}
