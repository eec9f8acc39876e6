package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// staleError is a change that was asked for of another version than there is now.
type staleError struct {
	now string
	// unwanted: it was to be made, and is there.
	unwanted bool
}

func (e *staleError) Error() string { return e.Unwrap().Error() }

// Unwrap gives it a code and a hint.
func (e *staleError) Unwrap() error {
	if e.unwanted {
		return fleet.Errorf(fleet.Conflict, "it is there already, as version %s", e.now).WithField("If-None-Match").
			WithHint("leave If-None-Match out to change what there is")
	}
	if e.now == "" {
		return fleet.Errorf(fleet.Conflict, "there is no such thing now, or it has no versions").WithField("If-Match").
			WithHint("leave If-Match out, or read it first: its version is in the header ETag")
	}
	return fleet.Errorf(fleet.Conflict, "it was changed meanwhile: its version is %s now", e.now).WithField("If-Match").
		WithHint("read it again, and repeat the change with the version in the header ETag")
}

// turns lets changes of one subject through one after the other.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// take waits for the subject's turn. What it gives ends it.
func (t *turns) take(ctx context.Context, subject string) (done func(), err error) {
	if subject == "" {
		return func() {}, nil
	}
	for {
		t.mu.Lock()
		before, busy := t.busy[subject]
		if !busy {
			mine := make(chan struct{})
			t.busy[subject] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, subject)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// turnOf waits for the turn of a subject, and of what else is changed with it: a domain is a part of its
// tenant. The domain's turn is taken first, and nobody who has a tenant's waits for a domain's.
func (s *Server) turnOf(ctx context.Context, subject string) (end func(), err error) {
	done, err := s.turns.take(ctx, subject)
	domain, isDomain := strings.CutPrefix(subject, "domain/")
	if err != nil || !isDomain {
		return done, err
	}
	for {
		now, err := s.Domains.DomainRecord(ctx, domain)
		if err != nil { // the change itself will say what is wrong
			return done, nil
		}
		whole, err := s.turns.take(ctx, "tenant/"+now.Tenant.String())
		if err != nil {
			done()
			return nil, err
		}
		if then, err := s.Domains.DomainRecord(ctx, domain); err != nil || then.Tenant == now.Tenant {
			return func() { whole(); done() }, nil
		}
		whole() // it went to another tenant meanwhile
	}
}

// matches refuses a change of another version than the one in If-Match. The turn of the subject
// is taken, so that nobody changes it over the API in between.
func matches(r *http.Request, thing string, document json.RawMessage) error {
	now := versionOf(thing, document)
	if now != "" && strings.TrimSpace(r.Header.Get("If-None-Match")) == "*" {
		return &staleError{now: now, unwanted: true}
	}
	wanted := r.Header.Values("If-Match")
	if len(wanted) == 0 {
		return nil
	}
	for one := range strings.SplitSeq(strings.Join(wanted, ","), ",") {
		if one = strings.TrimSpace(one); now != "" && (one == "*" || one == now) {
			return nil
		}
	}
	return &staleError{now: now}
}

// conditional reports whether a request is for certain versions only.
func conditional(r *http.Request) bool {
	return r.Header.Get("If-Match") != "" || r.Header.Get("If-None-Match") != ""
}

// versionOf is the entity tag of a thing, such as tenant/acme: of its document's revision where it has
// one, else of all that is in it and not merely observed. Empty for none.
func versionOf(thing string, document json.RawMessage) string {
	if len(document) == 0 {
		return ""
	}
	var v struct {
		ID, Name string
		Created  string `json:"created_at"`
		Revision int64
	}
	if json.Unmarshal(document, &v) == nil && v.Revision > 0 {
		sum := sha256.Sum256([]byte(v.ID + "\x00" + v.Name + "\x00" + v.Created))
		return fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(sum[:4]), v.Revision)
	}
	kind, _, _ := strings.Cut(thing, "/")
	sum := sha256.Sum256(settled(kind, document))
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// settled is a document without what is merely observed.
func settled(kind string, document json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(document, &fields) != nil {
		return document
	}
	for _, name := range observed(kind) {
		delete(fields, name)
	}
	text, err := json.Marshal(fields) // by name
	if err != nil {
		return document
	}
	return text
}

// versioned gives answers that show one thing its version, in the header ETag, where the document
// says so.
func (s *Server) versioned(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ec echo.Context, request any) (any, error) {
		answer, err := next(ec, request)
		c, known := ec.Request().Context().Value(callKey{}).(*call)
		if err != nil || answer == nil || !known || !c.access.versioned {
			return answer, err
		}
		version, err := s.versionNow(ec, c, answer)
		if err == nil && version != "" {
			ec.Response().Header().Set("ETag", version)
		}
		return answer, err
	}
}

// versionNow is the version of what an answer shows: of the answer itself where that is just the thing,
// else of the thing as it is now.
func (s *Server) versionNow(ec echo.Context, c *call, answer any) (string, error) {
	all, thing := sites(), thingOf(ec, c)
	i := slices.IndexFunc(all, func(p site) bool { return p.holds(c.access.route) })
	if i < 0 && c.subject != "" {
		thing = c.subject // made just now
	}
	if i < 0 || c.access.method != http.MethodGet || all[i].route != c.access.route {
		return versionOf(thing, s.document(ec.Request().Context(), thing)), nil
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("write the answer: %w", err)
	}
	return versionOf(thing, text), nil
}
