package lxdapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// probeTimeout bounds the questions that find the reason of a failure.
const probeTimeout = 2 * time.Second

// explain looks for the reason of a failure that LXD has no code for (it answers 500, after
// ten seconds, when the member it must ask is gone): the member that the request is for does
// not answer, or the cluster's database does not. It asks nothing of LXD for other failures.
func (c *Client) explain(ctx context.Context, r request, failure error) error {
	if !isCode(failure, fleet.Failed) || r.probe {
		return failure
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	member := cmp.Or(r.target, r.member)
	if member == "" {
		member = c.locate(ctx, r.path)
	}
	trouble := c.databaseTrouble(ctx)
	if trouble == nil && member != "" && member != standAlone {
		trouble = c.memberTrouble(ctx, member)
	}
	if trouble == nil || ctx.Err() != nil && !isCode(trouble, fleet.Unavailable) {
		return failure
	}
	return trouble
}

// locate tells the member of the instance that a path is about; empty where there is none or
// it cannot be told.
func (c *Client) locate(ctx context.Context, path string) string {
	rest, ok := strings.CutPrefix(path, "/instances/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(name)
	if err != nil {
		return ""
	}
	q := recursion("1")
	q.Set("filter", "name eq "+name)
	var found []api.Instance
	_, err = c.call(ctx, request{method: http.MethodGet, path: "/instances", query: q, probe: true}, &found)
	if err != nil || len(found) != 1 {
		return ""
	}
	return found[0].Location
}

// databaseTrouble tells a cluster that has lost the majority of its database members.
func (c *Client) databaseTrouble(ctx context.Context) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/projects", global: true, probe: true}, nil)
	if err == nil || !isCode(err, fleet.Failed, fleet.Unavailable) && ctx.Err() == nil {
		return nil
	}
	return fleet.Errorf(fleet.Unavailable, "the database of the LXD cluster does not answer: %w", err).
		WithHint("see on the members: lxc cluster list; a majority of the database members must run")
}

// memberTrouble says why a member cannot do anything: it does not exist, is offline, or does
// not answer though LXD has not noticed yet. It is nil where the member is well.
func (c *Client) memberTrouble(ctx context.Context, name string) error {
	var m api.ClusterMember
	_, err := c.call(ctx, request{
		method: http.MethodGet, path: "/cluster/members/" + url.PathEscape(name), global: true, probe: true,
	}, &m)
	switch {
	case isCode(err, fleet.NotFound):
		return fleet.Errorf(fleet.NotFound, "the member %s does not exist", name).WithField("member")
	case err != nil:
		return nil
	case m.Status != string(fleet.MemberOnline):
		return offline(name)
	}
	_, err = c.call(ctx, request{method: http.MethodGet, global: true, target: name, probe: true}, nil)
	if err != nil {
		return fleet.Errorf(fleet.Unavailable, "the member %s does not answer: %w", name, err).
			WithHint("see whether LXD runs on it")
	}
	return nil
}

// anyOffline names a member that is offline, as the reason of a failure of something that
// needs them all.
func (c *Client) anyOffline(ctx context.Context, failure error) error {
	if !isCode(failure, fleet.Failed) {
		return failure
	}
	var members []api.ClusterMember
	_, err := c.call(ctx, request{
		method: http.MethodGet, path: "/cluster/members", query: recursion("1"), global: true, probe: true,
	}, &members)
	if err != nil {
		return failure
	}
	for _, m := range members {
		if m.Status != string(fleet.MemberOnline) {
			return offline(m.ServerName)
		}
	}
	return failure
}
