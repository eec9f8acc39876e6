package fleet

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an error is. It is itself an error, so that
// errors.Is(err, fleet.NotFound) works through any wrapping.
type Code string

const (
	// Invalid: the input breaks a rule; Field and Hint say which and what to do.
	Invalid Code = "invalid"
	// NotFound: the thing named does not exist.
	NotFound Code = "not_found"
	// Taken: the name, domain or alias belongs to something else.
	Taken Code = "taken"
	// Busy: another job holds the subject; Message names it.
	Busy Code = "busy"
	// Conflict: the thing is not in a state that allows this, or has changed since it was read.
	Conflict Code = "conflict"
	// Exhausted: there is no room (pool full, no member fits, too many waiters).
	Exhausted Code = "exhausted"
	// Unavailable: LXD, the store or a member does not answer now. Trying again may work.
	Unavailable Code = "unavailable"
	// Forbidden: the caller may not do this.
	Forbidden Code = "forbidden"
	// Unauthenticated: nobody has proven who the caller is, or the proof is not good any more.
	Unauthenticated Code = "unauthenticated"
	// Unsupported: the server or storage driver lacks what this needs.
	Unsupported Code = "unsupported"
	// Fenced: a stale runner wrote after its lease was taken by another.
	Fenced Code = "fenced"
	// Unhealthy: an instance never passed its health check.
	Unhealthy Code = "unhealthy"
	// Failed: a command or hook inside an instance failed.
	Failed Code = "failed"
	// Cancelled: somebody asked the job to stop.
	Cancelled Code = "cancelled"
	// Internal: a defect in lxdfleet.
	Internal Code = "internal"
)

// Error makes a Code usable with errors.Is.
func (c Code) Error() string { return string(c) }

// Error is the error type of the domain. Message says what is wrong in words an operator
// understands; Hint says what to do about it; Field names the input at fault, if one is.
type Error struct {
	Code    Code
	Field   string
	Message string
	Hint    string
	Err     error
}

// Errorf makes an Error with a formatted message. A %w operand is wrapped.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithField returns e with Field set.
func (e *Error) WithField(field string) *Error { e.Field = field; return e }

// WithHint returns e with Hint set.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string {
	msg := e.Message
	if e.Field != "" {
		msg = e.Field + ": " + msg
	}
	if e.Hint != "" {
		msg += " (" + e.Hint + ")"
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is this error's code.
func (e *Error) Is(target error) bool { c, ok := target.(Code); return ok && c == e.Code }

// CodeOf gives the code of the outermost Error in err's chain: Internal where there is
// none, and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
