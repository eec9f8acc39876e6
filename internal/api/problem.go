package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/accounts"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// kinds says what each code is in HTTP.
var kinds = map[fleet.Code]struct {
	status int
	title  string
}{
	fleet.Invalid:     {http.StatusBadRequest, "Invalid input"},
	fleet.NotFound:    {http.StatusNotFound, "Not found"},
	fleet.Taken:       {http.StatusConflict, "Already taken"},
	fleet.Busy:        {http.StatusConflict, "Busy with another job"},
	fleet.Conflict:    {http.StatusConflict, "Not possible in this state"},
	fleet.Exhausted:   {http.StatusInsufficientStorage, "No room"},
	fleet.Unavailable: {http.StatusServiceUnavailable, "Not available now"},
	fleet.Forbidden:   {http.StatusForbidden, "Not allowed"},

	fleet.Unauthenticated: {http.StatusUnauthorized, "Not logged in"},

	fleet.Unsupported: {http.StatusNotImplemented, "Not supported"},
	fleet.Fenced:      {http.StatusConflict, "Taken over by another runner"},
	fleet.Unhealthy:   {http.StatusBadGateway, "Not healthy"},
	fleet.Failed:      {http.StatusBadGateway, "Failed inside the instance"},
	fleet.Cancelled:   {http.StatusConflict, "Cancelled"},
	fleet.Internal:    {http.StatusInternalServerError, "Internal error"},
}

var jobID = regexp.MustCompile(`\b[0-9a-hjkmnp-tv-z]{26}\b`)

// problemOf is the one place where errors become problem documents.
func problemOf(err error) Problem {
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok {
		e = asFleet(err)
	}
	kind, known := kinds[e.Code]
	if !known {
		kind = kinds[fleet.Internal]
	}
	p := Problem{
		Type: "urn:lxdfleet:problem:" + strings.ReplaceAll(string(e.Code), "_", "-"), Title: kind.title, Status: kind.status,
		Detail: e.Message, Code: ProblemCode(e.Code), Field: e.Field, Hint: e.Hint,
	}
	if e.Code == fleet.Busy {
		p.Job = jobID.FindString(e.Message)
	}
	if ended, ok := errors.AsType[*jobError](err); ok {
		p.Job = ended.job.ID
	}
	if http, ok := errors.AsType[*echo.HTTPError](err); ok {
		p.Status = http.Code
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		p.Status = http.StatusRequestEntityTooLarge
	}
	if _, ok := errors.AsType[*staleError](err); ok {
		p.Status, p.Title = http.StatusPreconditionFailed, "Changed meanwhile"
	}
	if _, ok := errors.AsType[*limitError](err); ok {
		p.Status, p.Title = http.StatusTooManyRequests, "Too many requests"
	}
	if _, ok := errors.AsType[*accounts.WaitError](err); ok {
		p.Status, p.Title = http.StatusTooManyRequests, "Too many tries"
	}
	return p
}

// asFleet gives errors that are not fleet errors a code.
func asFleet(err error) *fleet.Error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(fleet.Size(large.Limit))
	}
	if refused, ok := errors.AsType[*echo.HTTPError](err); ok {
		return asRefused(refused)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fleet.Errorf(fleet.Unavailable, "it took too long: %w", err).WithHint("try again")
	}
	return fleet.Errorf(fleet.Internal, "%w", err).WithHint("this is a defect of lxdfleet; the daemon's log has more")
}

func tooLarge(limit fleet.Size) *fleet.Error {
	return fleet.Errorf(fleet.Invalid, "the body has more than %s", limit).WithField("body").WithHint("send less")
}

var parameter = regexp.MustCompile(`(?:for parameter|argument|parameter '?) ?([A-Za-z-]+)`)

// asRefused explains what echo or the generated code refused before any handler saw it.
func asRefused(err *echo.HTTPError) *fleet.Error {
	message := fmt.Sprint(err.Message)
	switch err.Code {
	case http.StatusNotFound:
		return fleet.Errorf(fleet.NotFound, "there is nothing at this address").WithHint("GET /v1/openapi.yaml lists all addresses")
	case http.StatusMethodNotAllowed:
		return fleet.Errorf(fleet.Unsupported, "this address does not take this method").WithHint("GET /v1/openapi.yaml lists all methods")
	case http.StatusBadRequest:
		e := fleet.Errorf(fleet.Invalid, "%s", message).WithHint("GET /v1/openapi.yaml says what is wanted")
		if m := parameter.FindStringSubmatch(message); m != nil {
			e = e.WithField(m[1])
		}
		return e
	}
	return fleet.Errorf(fleet.Internal, "%s", message)
}

// onError writes an error as a problem document. An answer that has begun cannot become an
// error any more: the connection is cut, so that the client does not take it for complete.
func (s *Server) onError(err error, c echo.Context) {
	if c.Request().Context().Err() != nil && !c.Response().Committed {
		s.log.Debug("client left", "method", c.Request().Method, "path", c.Request().URL.Path)
	}
	problem := problemOf(err)
	if problem.Code == ProblemCodeInternal {
		s.log.Error("request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "error", err)
	}
	if c.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	if wait, ok := errors.AsType[*accounts.WaitError](err); ok {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(wait.Wait/time.Second)+1))
	}
	if limit, ok := errors.AsType[*limitError](err); ok {
		c.Response().Header().Set("Retry-After", strconv.Itoa(limit.seconds))
	}
	if stale, ok := errors.AsType[*staleError](err); ok && stale.now != "" {
		c.Response().Header().Set("ETag", stale.now)
	}
	writeProblem(c.Response(), problem)
}

func writeProblem(w http.ResponseWriter, problem Problem) {
	secure(w.Header()) // also where there is no operation
	w.Header().Set("Content-Type", "application/problem+json")
	switch problem.Status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem) // a failure means the client has left
}
