package lxdapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Link copies instances from one server or cluster to another, or within one. The target fetches
// the files from the source's member; where it does not reach that, they go through this
// process.
type Link struct {
	Source, Target *Client
}

// isWithin reports whether both ends are the same server and project.
func (l Link) isWithin() bool { return l.Source == l.Target }

// transfer is one sending of an instance's files.
type transfer struct {
	spec     fleet.CopySpec
	source   *api.Instance // what is sent
	post     api.InstancesPost
	progress func(fleet.Progress) // nil: nobody wants to know
}

func (t *transfer) tell(p fleet.Progress) {
	if t.progress != nil {
		t.progress(p)
	}
}

// errNotReached: the target has not come to fetch the files.
var errNotReached = errors.New("the target does not reach the source's member")

// transfer sends an instance's files, by the shorter way where that works and is allowed.
func (l Link) transfer(ctx context.Context, t transfer) error {
	if err := l.Target.settleReceiving(ctx, t.spec.Name); err != nil {
		return err
	}
	t.post.Source.Type = api.SourceTypeMigration
	if t.spec.BytesPerSecond > 0 {
		return l.relay(ctx, t)
	}
	err := l.pull(ctx, t)
	if errors.Is(err, errNotReached) && ctx.Err() == nil {
		return l.relay(ctx, t)
	}
	return err
}

// settleReceiving waits until LXD has cleaned up after a transfer to the instance that was given up.
func (c *Client) settleReceiving(ctx context.Context, name string) error {
	_, err := c.settleSome(ctx, name, func(op api.Operation) bool {
		_, migrates := op.Metadata["fs"]
		return migrates || op.Class == api.OperationClassTask
	})
	return err
}

// offer has the source wait for somebody who fetches the files. Whoever fails to see to it must
// abandon the operation.
func (l Link) offer(ctx context.Context, t transfer) (api.Operation, error) {
	path := instancePath(t.spec.Source)
	if t.spec.Snapshot != "" {
		path = snapshotPath(t.spec.Source, t.spec.Snapshot)
	}
	only := t.post.Source.InstanceOnly
	body := api.InstancePost{
		Name: t.spec.Name, Migration: true, InstanceOnly: only, ContainerOnly: only, //nolint:staticcheck // for LXD 5.0
		AllowInconsistent: true, // rsync of a running instance's files; the last refresh is of a stopped one's
	}
	return l.Source.start(ctx, request{method: http.MethodPost, path: path, body: body})
}

// pull has the target fetch the files from the source's member.
func (l Link) pull(ctx context.Context, t transfer) error {
	address, certificate, err := l.Source.addressOf(ctx, t.source.Location)
	if err != nil {
		return err
	}
	op, err := l.offer(ctx, t)
	if err != nil {
		return err
	}
	t.post.Source.Mode = "pull"
	t.post.Source.Operation = address + "/1.0/operations/" + op.ID
	t.post.Source.Certificate = certificate
	t.post.Source.Websockets = secretsOf(op)
	watched, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Source.watchSending(watched, op, t.tell)
	}()
	_, err = l.Target.run(ctx, l.receive(t), nil)
	stop()
	<-done
	if err == nil {
		return nil
	}
	fetched := l.Source.hasEnded(ctx, op)
	l.Source.abandon(op)
	if ctx.Err() == nil && !fetched && isCode(err, fleet.Failed) {
		return errors.Join(errNotReached, err)
	}
	return err
}

func (l Link) receive(t transfer) request {
	return request{method: http.MethodPost, path: "/instances", body: t.post, target: targetOf(t.spec.Member)}
}

// secretsOf are what the websockets of a migration are opened with: control and fs.
func secretsOf(op api.Operation) map[string]string {
	secrets := map[string]string{}
	for key, value := range op.Metadata {
		if secret, ok := value.(string); ok {
			secrets[key] = secret
		}
	}
	return secrets
}

// addressOf tells where other servers reach a member, and with which certificate it answers.
func (c *Client) addressOf(ctx context.Context, member string) (address, certificate string, err error) {
	server, err := c.serverInfo(ctx)
	if err != nil {
		return "", "", err
	}
	certificate = server.Environment.Certificate
	if member == standAlone || !server.Environment.ServerClustered {
		if len(server.Environment.Addresses) == 0 {
			return "", "", errNotReached
		}
		return "https://" + server.Environment.Addresses[0], certificate, nil
	}
	var m api.ClusterMember
	if err := c.getGlobal(ctx, "/cluster/members/"+url.PathEscape(member), nil, &m); err != nil {
		return "", "", err
	}
	return m.URL, certificate, nil
}

// hasEnded reports whether an operation has ended, or is forgotten. One whose end cannot be told
// counts as ended.
func (c *Client) hasEnded(ctx context.Context, op api.Operation) bool {
	var now api.Operation
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/operations/" + op.ID, member: op.Location, probe: true}, &now)
	return err != nil || now.StatusCode.IsFinal()
}

// watchSending tells what the source has sent, each second, until ctx ends.
func (c *Client) watchSending(ctx context.Context, op api.Operation, tell func(fleet.Progress)) {
	var sent sending
	for pause(ctx, time.Second) == nil {
		var now api.Operation
		_, err := c.call(ctx, request{method: http.MethodGet, path: "/operations/" + op.ID, member: op.Location, probe: true}, &now)
		if err != nil || now.StatusCode.IsFinal() {
			return
		}
		if text, ok := now.Metadata["fs_progress"].(string); ok {
			tell(sent.add(text))
		}
	}
}

// EnsureRefreshed brings a copy that EnsureCopy made with the same KeyJob up to what its source is
// now, snapshots included where spec has them. It must be stopped (fleet.Conflict); the source may
// run. Its configuration, profiles and devices stay. A repeat does it again.
//
// Only what has changed is sent where spec.Snapshots is set, the source has a snapshot newer than
// the copy's newest, and the copy has none that the source has not; otherwise LXD reads all files
// of both, or sends all. What a stopped source has written after its newest snapshot is sent too.
func (c *Client) EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	return Link{Source: c, Target: c}.EnsureRefreshed(ctx, spec, progress)
}

// EnsureRefreshed is that of Client, from one server to another.
func (l Link) EnsureRefreshed(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	if spec.Config[fleet.KeyJob] == "" || spec.Snapshot != "" {
		return fleet.Errorf(fleet.Internal, "the copy %s has no %s, or is of a snapshot", spec.Name, fleet.KeyJob)
	}
	var err error
	for try := range attempts {
		err = l.refresh(ctx, spec, progress)
		// A member that is very busy can miss the few seconds that LXD gives both ends to meet.
		again := errors.Is(err, errVanished) || try == 0 && isCode(err, fleet.Failed)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return within(err, "refresh %s from %s", spec.Name, spec.Source)
}

func (l Link) refresh(ctx context.Context, spec fleet.CopySpec, progress func(fleet.Progress)) error {
	now, _, err := l.Target.instance(ctx, spec.Name)
	switch {
	case err != nil:
		return err
	case now.Config[fleet.KeyJob] != spec.Config[fleet.KeyJob]:
		return taken(spec.Name)
	case now.StatusCode != api.Stopped:
		return fleet.Errorf(fleet.Conflict, "the instance %s is running", spec.Name).WithHint("stop it first")
	}
	source, err := l.Source.copySource(ctx, spec)
	if err != nil {
		return err
	}
	spec.Member = now.Location
	post := api.InstancesPost{
		Name: spec.Name, Type: api.InstanceTypeContainer, InstancePut: now.Writable(),
		Source: api.InstanceSource{Refresh: true, InstanceOnly: !spec.Snapshots},
	}
	err = l.transfer(ctx, transfer{spec: spec, source: &source, post: post, progress: progress})
	if isCode(err, fleet.Failed, fleet.NotFound) {
		err = l.whyNoCopy(ctx, spec, err)
	}
	return err
}
