package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// longestWait is how long an answer waits for its job at most, whatever is preferred.
const longestWait = 2 * time.Minute

// patienceOf reads how long a request would wait for its answer: Prefer: wait=N (RFC 7240), in
// seconds. What cannot be read is ignored, as preferences are; the first wait counts.
func patienceOf(r *http.Request) time.Duration {
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(one, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		value, _, _ = strings.Cut(value, ";")
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, longestWait)
	}
	return 0
}

// waited gives the job once it has ended, where the request prefers to wait for that, or as it is
// when the time is over. The change itself is done and written down already, and others may have
// their turn meanwhile.
func (s *Server) waited(ctx context.Context, job fleet.Job) fleet.Job {
	c := callOf(ctx)
	patience := patienceOf(c.request)
	if patience == 0 {
		return job
	}
	c.response.Header().Set("Preference-Applied", "wait="+strconv.Itoa(int(patience/time.Second)))
	if job.State.Finished() {
		return job
	}
	c.note(http.StatusAccepted, "/v1/jobs/"+job.ID)
	c.release()
	ctx, done := s.untilShutdown(ctx)
	defer done()
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if ended, err := s.Jobs.Wait(bounded, job.ID); err == nil {
		return ended
	}
	// The time is over, or the store is away: what is known of it is no error of this request.
	if now, err := s.Jobs.Job(ctx, job.ID); err == nil {
		return now
	}
	return job
}
