package fleet

import "time"

// Answer is what a request with an idempotency key was answered, so that a repeat is answered the
// same.
type Answer struct {
	ID          string // hash of who asked and the key
	RequestHash string
	Status      int // of HTTP; 0: it is not known yet
	Header      map[string]string
	Body        string // sealed where it holds a secret
	CreatedAt   time.Time
}
