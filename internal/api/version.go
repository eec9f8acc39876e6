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

// matches refuses a change of another version than the one in If-Match. The turn of the subject
// is taken, so that nobody changes it over the API in between.
func matches(r *http.Request, document json.RawMessage) error {
	now := versionOf(document)
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

// versionOf is the entity tag of a document: of its revision where it has one, so that what was
// merely observed makes no other version, else of all that is in it. Empty for none.
func versionOf(document json.RawMessage) string {
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
	sum := sha256.Sum256(document)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// versioned gives answers that show one thing its version, in the header ETag.
func versioned(next StrictHandlerFunc, operation string) StrictHandlerFunc {
	single := slices.Contains([]string{
		"GetTenant", "EditTenant", "StartMaintenance", "EndMaintenance", "EditGuard", "DropGuard", "HoldTenant", "ResumeTenant",
		"GetPolicy", "EditPolicy", "CreatePolicy", "GetUser", "EditUser", "GetMember", "EditMember", "GetWebhook", "GetBackup", "EditBackup",
	}, operation)
	if !single {
		return next
	}
	return func(ec echo.Context, request any) (any, error) {
		answer, err := next(ec, request)
		if err != nil || answer == nil {
			return answer, err
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return answer, err
		}
		ec.Response().Header().Set("ETag", versionOf(text))
		return answer, nil
	}
}
