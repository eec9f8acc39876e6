package store

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func aUser(name string, role fleet.Role, tenants ...fleet.Name) fleet.User {
	return fleet.User{Name: name, Role: role, Tenants: tenants, CreatedAt: at(1), UpdatedAt: at(1), Revision: 1}
}

func testUser(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ada, ben := aUser("ada", fleet.RoleAdmin), aUser("ben@example.org", fleet.RoleClient, "acme", "bakery")
	ok(t, s.InsertUser(ctx, ada, fleet.Credentials{PasswordHash: "h", Subject: "https://id a"}))
	ada.Subject = "https://id a"
	ok(t, s.InsertUser(ctx, ben, fleet.Credentials{}))
	fails(t, s.InsertUser(ctx, ada, fleet.Credentials{}), fleet.Taken, "name", "ada")
	same(t, "all", must(s.Users(ctx))(t), []fleet.User{ada, ben})
	got, c, err := s.UserBySubject(ctx, "https://id a")
	ok(t, err)
	same(t, "by subject", got, ada)
	same(t, "credentials", c, fleet.Credentials{PasswordHash: "h", Subject: "https://id a"})
	for _, none := range []string{"", "https://id A", "https://id", "https://id a "} {
		_, _, err = s.UserBySubject(ctx, none)
		fails(t, err, fleet.NotFound, "name")
	}
	_, _, err = s.UserBySubject(ctx, "")
	fails(t, err, fleet.NotFound, "name")
	_, _, err = s.User(ctx, "eve")
	fails(t, err, fleet.NotFound, "name", "eve")

	ben.DisplayName, ben.Tenants, ben.UpdatedAt = "Ben", nil, at(2)
	after := must(s.UpdateUser(ctx, ben, fleet.Credentials{TOTPSecret: "S", TOTPStep: 7}, false))(t)
	ben.TOTP, ben.Revision = true, 2
	same(t, "changed", after, ben)
	ben.Revision = 1
	_, err = s.UpdateUser(ctx, ben, c, false)
	fails(t, err, fleet.Conflict, "", "ben@example.org")
	_, err = s.UpdateUser(ctx, aUser("eve", fleet.RoleViewer), c, false)
	fails(t, err, fleet.NotFound, "name")

	ok(t, s.UseTOTPStep(ctx, ben.Name, 8))
	fails(t, s.UseTOTPStep(ctx, ben.Name, 8), fleet.Unauthenticated, "code")
	fails(t, s.UseTOTPStep(ctx, ben.Name, 7), fleet.Unauthenticated, "code")

	for _, change := range []func(*fleet.User){
		func(u *fleet.User) { u.Role = fleet.RoleOperator }, func(u *fleet.User) { u.Disabled = true },
	} {
		last := ada
		change(&last)
		_, err = s.UpdateUser(ctx, last, c, false)
		fails(t, err, fleet.Conflict, "", "no admin")
	}
	fails(t, s.DeleteUser(ctx, ada.Name), fleet.Conflict, "", "no admin")
	same(t, "still there", must(s.Users(ctx))(t)[0], ada)
	ok(t, s.DeleteUser(ctx, ben.Name))
	fails(t, s.DeleteUser(ctx, ben.Name), fleet.NotFound, "name")
	ok(t, s.DeleteUser(ctx, ada.Name)) // nobody is left to be managed
}

func testUserLink(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertUser(ctx, aUser("ada", fleet.RoleAdmin), fleet.Credentials{}))
	ok(t, s.SaveUserLink(ctx, "ada", "old", at(100)))
	ok(t, s.SaveUserLink(ctx, "ada", "new", at(100)))
	_, err := s.UserLink(ctx, "old", at(1))
	fails(t, err, fleet.Unauthenticated, "link")
	same(t, "whose", must(s.UserLink(ctx, "new", at(1)))(t), "ada")
	_, err = s.UserLink(ctx, "new", at(100))
	fails(t, err, fleet.Unauthenticated, "link")
	used := race(t, 8, fleet.Unauthenticated, func(int) error { return s.UseUserLink(ctx, "new", at(1)) })
	same(t, "used", used, 1)
}

func testSession(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	ok(t, s.InsertUser(ctx, aUser("ada", fleet.RoleAdmin), fleet.Credentials{}))
	ok(t, s.InsertUser(ctx, aUser("ben", fleet.RoleOperator), fleet.Credentials{}))
	session := func(id, user string, began, ends int) fleet.Session {
		return fleet.Session{ID: id, Hash: "hash-" + id, User: user, CreatedAt: at(began), SeenAt: at(began), ExpiresAt: at(ends), EndsAt: at(ends + 50), Address: "192.0.2.1", UserAgent: "lynx"}
	}
	one, two := session("one", "ada", 1, 50), session("two", "ada", 2, 100)
	ok(t, s.InsertSession(ctx, one))
	ok(t, s.InsertSession(ctx, two))
	ok(t, s.InsertSession(ctx, session("ben", "ben", 2, 100)))
	same(t, "by hash", must(s.SessionByHash(ctx, "hash-one", at(3)))(t), one)
	_, err := s.SessionByHash(ctx, "hash-one", at(50))
	fails(t, err, fleet.NotFound, "")
	same(t, "ada's", must(s.Sessions(ctx, "ada", at(3)))(t), []fleet.Session{two, one})
	one.SeenAt, one.ExpiresAt, one.Address = at(40), at(60), "192.0.2.2"
	ok(t, s.SaveSessionSeen(ctx, one))
	same(t, "seen", must(s.SessionByHash(ctx, "hash-one", at(55)))(t), one)
	same(t, "user seen", must(s.Users(ctx))(t)[0].LastSeenAt, at(40))
	fails(t, s.DeleteSession(ctx, "ben", "one"), fleet.NotFound, "id")
	ok(t, s.DeleteSessions(ctx, "ada", "two"))
	same(t, "left", must(s.Sessions(ctx, "ada", at(3)))(t), []fleet.Session{two})
	ok(t, s.DeleteSession(ctx, "ada", "two"))

	// Less power ends sessions, and so does the end of the user.
	ben := aUser("ben", fleet.RoleViewer)
	ok(t, second(s.UpdateUser(ctx, ben, fleet.Credentials{}, true)))
	same(t, "ended", len(must(s.Sessions(ctx, "ben", at(3)))(t)), 0)
	ok(t, s.InsertSession(ctx, session("again", "ben", 3, 100)))
	ok(t, s.DeleteUser(ctx, "ben"))
	same(t, "gone with its user", len(must(s.Sessions(ctx, "ben", at(3)))(t)), 0)
}

func second[T any](_ T, err error) error { return err }

func testToken(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	token := func(id, owner string) fleet.Token {
		return fleet.Token{ID: id, Hash: "hash-" + id, Name: "for " + id, Owner: owner, Role: fleet.RoleClient, Tenants: []fleet.Name{"acme"}, CreatedAt: at(1), ExpiresAt: at(9)}
	}
	one, two := token("one", "ada"), token("two", "ben")
	two.ExpiresAt = time.Time{}
	ok(t, s.InsertToken(ctx, one))
	ok(t, s.InsertToken(ctx, two))
	again := token("three", "ada")
	again.Name = one.Name
	fails(t, s.InsertToken(ctx, again), fleet.Taken, "name")
	same(t, "by hash", must(s.TokenByHash(ctx, "hash-one"))(t), one)
	_, err := s.TokenByHash(ctx, "hash-three")
	fails(t, err, fleet.NotFound, "")
	ok(t, s.SaveTokenUsed(ctx, "one", "192.0.2.1", at(5)))
	one.LastUsedAt, one.LastUsedBy = at(5), "192.0.2.1"
	same(t, "all", must(s.Tokens(ctx, ""))(t), []fleet.Token{one, two})
	same(t, "ben's", must(s.Tokens(ctx, "ben"))(t), []fleet.Token{two})
	fails(t, s.DeleteToken(ctx, "ben", "one"), fleet.NotFound, "id")
	ok(t, s.DeleteToken(ctx, "ada", "one"))
	ok(t, s.DeleteToken(ctx, "", "two"))
	same(t, "none", len(must(s.Tokens(ctx, ""))(t)), 0)
}

func testAudit(t *testing.T, db database) {
	dsn := db(t)
	stores, ctx := []*Store{openAt(t, dsn), openAt(t, dsn)}, t.Context()
	s := stores[0]
	first := must(s.AppendAudit(ctx, fleet.AuditEntry{
		At: at(1), Actor: "ada", User: "ada", Operation: "stopTenant", Subject: "tenant/acme", Status: 202,
		Before: json.RawMessage(`{ "a": "<b>" }`), Job: "j",
	}))(t)
	same(t, "first", first.Seq, int64(1))
	same(t, "sealed", first.Hash, first.Seal())
	got := must(s.Audit(ctx, fleet.AuditFilter{}))(t)
	same(t, "read", got, []fleet.AuditEntry{first})
	same(t, "still sealed", got[0].Seal(), first.Hash)

	// Of many at once, by two processes, each has a number of its own and follows the one before.
	race(t, 12, "", func(i int) error {
		_, err := stores[i%2].AppendAudit(ctx, fleet.AuditEntry{At: at(2), User: fmt.Sprint("u", i%3), Operation: "op", Subject: fmt.Sprint("tenant/t", i%4)})
		return err
	})
	all := must(s.Audit(ctx, fleet.AuditFilter{}))(t)
	same(t, "number", len(all), 13)
	for i, e := range all[:12] {
		same(t, "seq", e.Seq, int64(13-i))
		same(t, "chain", e.Prev, all[i+1].Hash)
		same(t, "hash", e.Hash, e.Seal())
	}

	count := func(what string, f fleet.AuditFilter, want int) {
		t.Helper()
		same(t, what, len(must(s.Audit(ctx, f))(t)), want)
	}
	count("user", fleet.AuditFilter{User: "u1"}, 4)
	count("subject", fleet.AuditFilter{Subject: "tenant/t0"}, 3)
	count("kind", fleet.AuditFilter{Subject: "tenant/"}, 13)
	count("another kind", fleet.AuditFilter{Subject: "image/"}, 0)
	count("operation", fleet.AuditFilter{Operation: "stopTenant"}, 1)
	count("tenants", fleet.AuditFilter{Tenants: []fleet.Name{"acme", "t1"}}, 4)
	count("no tenants", fleet.AuditFilter{Tenants: []fleet.Name{}}, 0)
	count("from", fleet.AuditFilter{From: at(2)}, 12)
	count("to", fleet.AuditFilter{To: at(2)}, 1)
	count("page", fleet.AuditFilter{Before: 13, Limit: 5}, 5)
}
