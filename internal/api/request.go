package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

const (
	bodyLimit   = fleet.MiB      // of a JSON body
	bundleLimit = 16 * fleet.MiB // of a recipe bundle
)

// call is what handlers may need of the request beyond what the generated code gives them.
type call struct {
	request  *http.Request
	response *echo.Response
	key      string
	hash     hash.Hash // of method, path, query and what was read of the body so far
	body     []byte    // of requests whose body is not streamed

	access access
	caller fleet.Caller
	// subject and user are what the audit log names where the request itself does not tell it:
	// set by handlers.
	subject, user string

	// note writes the change into the audit log now, with the status and the address of the job
	// that the answer will have; later calls do nothing.
	note func(status int, location string)
	// release ends the subject's turn before the request ends.
	release func()
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

func callerOf(ctx context.Context) fleet.Caller { return callOf(ctx).caller }

// callerIn is callerOf where there may be no request, but news that is told.
func callerIn(ctx context.Context) fleet.Caller {
	if c, known := ctx.Value(callKey{}).(*call); known {
		return c.caller
	}
	return fleet.Caller{Kind: fleet.CallerNobody}
}

// onceOf gives the request's idempotency key and hash. Handlers of streamed bodies call it
// once they have read the body through hashed.
func onceOf(ctx context.Context) tenants.Once {
	c := callOf(ctx)
	return tenants.Once{Key: c.key, Hash: hex.EncodeToString(c.hash.Sum(nil))}
}

// hashed makes what is read of a streamed body part of the request's hash.
func (c *call) hashed(body io.Reader) io.Reader { return io.TeeReader(body, c.hash) }

// prepare limits and hashes the body, and hands the request on to the handlers.
func prepare(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		r := ec.Request()
		c, known := r.Context().Value(callKey{}).(*call)
		if !known {
			return next(ec) // no operation's
		}
		c.key, c.hash = r.Header.Get("Idempotency-Key"), sha256.New()
		if len(c.key) > 200 {
			return fleet.Errorf(fleet.Invalid, "the key has more than 200 characters").WithField("Idempotency-Key").
				WithHint("a random UUID is enough")
		}
		c.key = ownKey(c.caller, c.key)
		_, _ = io.WriteString(c.hash, r.Method+" "+r.URL.Path+"?"+r.URL.Query().Encode()+"\n")
		if !streamsBody(r) {
			body, err := io.ReadAll(http.MaxBytesReader(ec.Response(), r.Body, int64(bodyLimit)))
			if err != nil {
				return readFailed(err)
			}
			_, _ = c.hash.Write(body)
			r.Body, c.body = io.NopCloser(bytes.NewReader(body)), body
		}
		return next(ec)
	}
}

// ownKey gives each user keys of its own, so that nobody is answered with another's job.
func ownKey(caller fleet.Caller, key string) string {
	if key == "" || caller.Kind == fleet.CallerSocket {
		return key
	}
	sum := sha256.Sum256([]byte(caller.User + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

// streamsBody tells bodies that their handlers read themselves.
func streamsBody(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/v1/images/build" || r.URL.Path == "/v1/images/import")
}

func readFailed(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		e := tooLarge(fleet.Size(large.Limit))
		e.Err = err
		return e
	}
	return fleet.Errorf(fleet.Invalid, "the body ended early: %w", err).WithField("body").WithHint("send the request again")
}

// binder decodes JSON bodies strictly.
type binder struct{}

func (binder) Bind(into any, c echo.Context) error {
	contentType, _, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if contentType != "application/json" {
		return fleet.Errorf(fleet.Invalid, "the body is %q, not application/json", contentType).WithField("Content-Type").
			WithHint("send JSON, with the header Content-Type: application/json")
	}
	d := json.NewDecoder(c.Request().Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return explain(err, into)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fleet.Errorf(fleet.Invalid, "there is more after the JSON document").WithField("body").WithHint("send one object")
	}
	return nil
}

// explain says in the words of the request what a decoder complains about.
func explain(err error, into any) error {
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return fleet.Errorf(fleet.Invalid, "there is no such field").WithField(name).
			WithHint("the fields are %s", strings.Join(fieldsOf(into), ", "))
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fleet.Errorf(fleet.Invalid, "a JSON %s is not wanted here", wrong.Value).WithField(wrong.Field).
			WithHint("send a %s", jsonWord(wrong.Type))
	}
	if errors.Is(err, io.EOF) {
		return fleet.Errorf(fleet.Invalid, "the body is empty").WithField("body").
			WithHint("send a JSON object with %s", strings.Join(fieldsOf(into), ", "))
	}
	return fleet.Errorf(fleet.Invalid, "the body is not JSON: %w", err).WithField("body").WithHint("send one JSON object")
}

func fieldsOf(into any) (names []string) {
	t := reflect.TypeOf(into)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func jsonWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "JSON object"
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "string"
	}
	return "number"
}
