//go:build integration

package lxdapi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
)

// sender is an instance with so much in it that its sending can be disturbed.
type sender struct {
	lxd     *lxdapi.Client
	members []string
}

// sentSize takes some seconds to be sent: LXD tells once a second how far it is.
const sentSize = fleet.GiB

// testTransferFaults disturbs copies to another member in the middle; a repeat ends well.
func testTransferFaults(t *testing.T) {
	s := newSender(t)
	for _, limit := range []fleet.Size{0, 256 * fleet.MiB} {
		t.Run(fmt.Sprintf("given up, limit %s", limit), func(t *testing.T) { s.testGivenUp(t, limit) })
	}
	for _, at := range []string{"source", "target"} {
		t.Run("killed "+at, func(t *testing.T) { s.testKilled(t, at) })
	}
	t.Run("full target", s.testFullTarget) // last: the pool is not empty again at once
}

const senderProject = "lxdfleet-test-transfers"

func newSender(t *testing.T) *sender {
	t.Helper()
	subject := cluster(t, senderProject)
	s := &sender{lxd: connect(t, lxdapi.Options{Project: senderProject})}
	ctx := t.Context()
	t.Cleanup(func() {
		err := s.lxd.EnsureDeleted(context.Background(), "acme")
		if err = errors.Join(err, s.lxd.DeleteProject(context.Background())); err != nil {
			t.Error(err)
		}
	})
	_, err := s.lxd.EnsureProject(ctx, fleet.ProjectSpec{
		Name: senderProject, Config: map[string]string{"features.images": "true", "features.profiles": "true"},
	})
	must(t, err)
	_, err = s.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "default", Devices: subject.Devices})
	must(t, err)
	image := subject.Image(t)
	fingerprint, err := s.lxd.EnsureImported(ctx, image, map[string]string{"os": "contract"}, nil)
	_ = image.Close()
	must(t, err)
	members, err := s.lxd.Members(ctx)
	must(t, err)
	for _, m := range members {
		s.members = append(s.members, m.Name)
	}
	must(t, s.lxd.EnsureClone(ctx, fleet.CloneSpec{
		Name: "acme", Fingerprint: fingerprint, Member: s.members[1], Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: "clone"},
	}, nil))
	must(t, s.lxd.EnsureStarted(ctx, "acme"))
	_, err = s.lxd.Exec(ctx, "acme", fleet.ExecSpec{Command: []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/urandom >/root/big; sync", sentSize)}})
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *sender) spec(t *testing.T) fleet.CopySpec {
	t.Helper()
	t.Cleanup(func() {
		if err := s.lxd.EnsureDeleted(context.Background(), "copy"); err != nil {
			t.Error(err)
		}
	})
	return fleet.CopySpec{
		Source: "acme", Name: "copy", Member: s.members[2], Snapshots: true, Config: map[string]string{fleet.KeyJob: t.Name()},
	}
}

// whole fails the test unless the copy has all.
func (s *sender) whole(t *testing.T, spec fleet.CopySpec) {
	t.Helper()
	list, err := s.lxd.Files(t.Context(), spec.Name, "/root/big")
	must(t, err)
	if list[0].Size != sentSize {
		t.Errorf("the file has %s", list[0].Size)
	}
	must(t, s.lxd.EnsureStarted(t.Context(), spec.Name))
}

func (s *sender) testGivenUp(t *testing.T, limit fleet.Size) {
	spec := s.spec(t)
	spec.BytesPerSecond = limit
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended time.Time
	var sent int64
	err := s.lxd.EnsureCopy(ctx, spec, func(p fleet.Progress) {
		if p.Bytes > 0 && ended.IsZero() {
			sent, ended = p.Bytes, time.Now()
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || time.Since(ended) > 3*time.Second {
		t.Fatalf("given up after %d bytes it took %s, error %v", sent, time.Since(ended), err)
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err := s.lxd.Instance(t.Context(), spec.Name)
		if fleet.CodeOf(err) == fleet.NotFound {
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("the copy that was given up stays: %v", err)
		}
	}
	start := time.Now()
	must(t, s.lxd.EnsureCopy(t.Context(), spec, nil))
	took := time.Since(start)
	t.Logf("%s in %s", sentSize, took)
	if limit > 0 && took < time.Duration(sentSize/limit)*time.Second-time.Second/2 {
		t.Errorf("%s took %s with the limit %s/s", sentSize, took, limit)
	}
	s.whole(t, spec)
}

func (s *sender) testFullTarget(t *testing.T) {
	spec := s.spec(t)
	t.Run("full", func(t *testing.T) {
		devcluster{senderProject}.Fill(t, spec.Member)
		err := s.lxd.EnsureCopy(t.Context(), spec, nil)
		if fleet.CodeOf(err) != fleet.Exhausted {
			t.Errorf("error is %v", err)
		}
		if _, err := s.lxd.Instance(t.Context(), spec.Name); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("something of the copy stays: %v", err)
		}
	})
	s.eventually(t, spec)
	s.whole(t, spec)
}

// eventually repeats the copy until it is there: a full pool is not empty again at once, and a
// member needs a moment after its start.
func (s *sender) eventually(t *testing.T, spec fleet.CopySpec) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Second) {
		err := s.lxd.EnsureCopy(t.Context(), spec, nil)
		if err == nil {
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatal(err)
		}
	}
}

// testKilled ends LXD on one of the members in the middle of a copy.
func (s *sender) testKilled(t *testing.T, at string) {
	spec := s.spec(t)
	member := map[string]string{"source": s.members[1], "target": s.members[2]}[at]
	faults := devcluster{senderProject}
	killed := make(chan struct{})
	var begun bool
	err := s.lxd.EnsureCopy(t.Context(), spec, func(p fleet.Progress) {
		if p.Bytes > 0 && !begun {
			begun = true
			go func() {
				defer close(killed)
				faults.Kill(t, member)
			}()
		}
	})
	if !begun {
		t.Fatalf("it was not disturbed: %v", err)
	}
	<-killed
	t.Cleanup(func() { faults.Revive(t, member) })
	if fleet.CodeOf(err) != fleet.Unavailable && fleet.CodeOf(err) != fleet.Failed {
		t.Errorf("error is %v", err)
	}
	t.Log(err)
	faults.Revive(t, member)
	s.eventually(t, spec)
	s.whole(t, spec)
}
