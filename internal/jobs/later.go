package jobs

import (
	"fmt"
	"time"
)

// laterError is what Later gives.
type laterError struct{ at time.Time }

func (e *laterError) Error() string {
	return fmt.Sprintf("it waits until %s", e.at.Format(time.RFC3339))
}

// Later is the error of a step that cannot begin yet. It is no failure: the job gives its place in the engine
// to others, and the step is done again from the given time on. The step must have changed nothing.
func Later(at time.Time) error { return &laterError{at} }
