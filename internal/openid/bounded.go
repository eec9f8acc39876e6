package openid

import (
	"io"
	"net/http"
)

// mostAnswer is the largest answer that is read of a provider; more is cut off.
const mostAnswer = 1 << 20

// bounded cuts answers off that would fill the memory.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, mostAnswer), answer.Body}
	}
	return answer, err
}
