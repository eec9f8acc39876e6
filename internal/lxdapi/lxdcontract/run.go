package lxdcontract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/pace"
)

// Subject is what the suite runs on.
type Subject struct {
	// LXD is a client whose LXD project does not exist yet. The suite makes it, and removes it
	// and everything in it at the end.
	LXD     LXD
	Project string
	// Devices go into the default profile: what an instance needs to start and be reached.
	Devices map[string]map[string]string
	// Image gives the bytes of a unified image with a shell, cat, head, sleep and stty.
	Image func(t *testing.T) io.ReadCloser
	// Operator does what somebody does by hand with lxc.
	Operator Operator
}

// Operator does things to instances as the lxc command would.
type Operator interface {
	Create(name, fingerprint string) error // lxc init
	Start(name string) error
	Stop(name string) error
	Restart(name string) error
	Rename(from, to string) error
	Delete(name string) error
	SetConfig(name, key, value string) error
}

// suite is the subject with what the tests share.
type suite struct {
	Subject
	lxd         LXD
	fingerprint string
	members     []string
}

// Run runs the whole contract but for faults, which RunFaults has.
func Run(t *testing.T, subject func(t *testing.T) Subject) {
	run(t, subject, func(string) bool { return true })
}

// onTheWire are the parts that depend on how LXD is reached: they upload and download, open
// websockets or wait for long answers. What the others ask for is asked in the same way.
var onTheWire = []string{
	"Server", "Images", "Clone", "CloneCancelled", "Exec", "ExecMuchOutput", "ExecInput", "ExecTerminal", "ExecCancelled",
	"Files", "Folder", "CopyAway", "Refresh", "Published", "Events", "EventsOfOperator", "ContextEnded",
}

// RunOnTheWire runs what may differ between two ways to reach the same LXD.
func RunOnTheWire(t *testing.T, subject func(t *testing.T) Subject) {
	run(t, subject, func(name string) bool { return slices.Contains(onTheWire, name) })
}

func run(t *testing.T, subject func(t *testing.T) Subject, wanted func(name string) bool) {
	s := prepare(t, subject(t))
	for _, c := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"Server", (*suite).testServer},
		{"Members", (*suite).testMembers},
		{"PoolConfig", (*suite).testPoolConfig},
		{"Project", (*suite).testProject},
		{"Profiles", (*suite).testProfiles},
		{"Images", (*suite).testImages},
		{"Aliases", (*suite).testAliases},
		{"Unpacked", (*suite).testUnpacked},
		{"Clone", (*suite).testClone},
		{"CloneErrors", (*suite).testCloneErrors},
		{"CloneConcurrently", (*suite).testCloneConcurrently},
		{"CloneCancelled", (*suite).testCloneCancelled},
		{"Config", (*suite).testConfig},
		{"ConfigConcurrently", (*suite).testConfigConcurrently},
		{"State", (*suite).testState},
		{"StateConcurrently", (*suite).testStateConcurrently},
		{"Rename", (*suite).testRename},
		{"Delete", (*suite).testDelete},
		{"Addresses", (*suite).testAddresses},
		{"Device", (*suite).testDevice},
		{"Forward", (*suite).testForward},
		{"Exec", (*suite).testExec},
		{"ExecMuchOutput", (*suite).testExecMuchOutput},
		{"ExecInput", (*suite).testExecInput},
		{"ExecTerminal", (*suite).testExecTerminal},
		{"ExecCancelled", (*suite).testExecCancelled},
		{"Files", (*suite).testFiles},
		{"Folder", (*suite).testFolder},
		{"Snapshots", (*suite).testSnapshots},
		{"SnapshotsConcurrently", (*suite).testSnapshotsConcurrently},
		{"Restore", (*suite).testRestore},
		{"Copy", (*suite).testCopy},
		{"CopyErrors", (*suite).testCopyErrors},
		{"CopyConcurrently", (*suite).testCopyConcurrently},
		{"CopyAway", (*suite).testCopyAway},
		{"Refresh", (*suite).testRefresh},
		{"Published", (*suite).testPublished},
		{"Events", (*suite).testEvents},
		{"EventsOfOperator", (*suite).testEventsOfOperator},
		{"Operator", (*suite).testOperator},
		{"ContextEnded", (*suite).testContextEnded},
	} {
		if wanted(c.name) {
			t.Run(c.name, func(t *testing.T) { c.run(s, t) })
		}
	}
}

// prepare makes the project with an image in it, unpacked on every member.
func prepare(t *testing.T, subject Subject) *suite {
	t.Helper()
	s := &suite{Subject: subject, lxd: subject.LXD}
	ctx := t.Context()
	t.Cleanup(func() { s.clean(t) })
	change, err := s.lxd.EnsureProject(ctx, s.projectSpec())
	ok(t, err)
	if change != "created" {
		t.Fatalf("EnsureProject says %q, not created: the project %s is left from another run", change, s.Project)
	}
	_, err = s.lxd.EnsureProfile(ctx, fleet.ProfileSpec{Name: "default", Devices: s.Devices})
	ok(t, err)
	image := s.Image(t)
	s.fingerprint, err = s.lxd.EnsureImported(ctx, image, map[string]string{"os": "contract"}, nil)
	_ = image.Close()
	ok(t, err)
	members, err := s.lxd.Members(ctx)
	ok(t, err)
	for _, m := range members {
		s.members = append(s.members, m.Name)
		ok(t, s.lxd.EnsureUnpacked(ctx, s.fingerprint, m.Name))
	}
	return s
}

func (s *suite) projectSpec() fleet.ProjectSpec {
	return fleet.ProjectSpec{
		Name: s.Project, Description: "contract",
		Config: map[string]string{"features.images": "true", "features.profiles": "true"},
	}
}

// clean removes the project and everything in it.
func (s *suite) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), pace.Of(2*time.Minute))
	defer cancel()
	defer s.lxd.Close()
	instances, err := s.lxd.Instances(ctx, false)
	if err != nil && !errors.Is(err, fleet.NotFound) {
		t.Errorf("list what is left: %v", err)
	}
	for _, i := range instances {
		if err := s.lxd.EnsureDeleted(ctx, i.Name); err != nil {
			t.Errorf("delete what is left: %v", err)
		}
	}
	if err := s.lxd.DeleteProject(ctx); err != nil {
		t.Errorf("delete the project: %v", err)
	}
	if err := s.lxd.DeleteProject(ctx); err != nil {
		t.Errorf("delete the project again: %v", err)
	}
}

// spec is a clone of the suite's image for the job of the test, on the n-th member.
func (s *suite) spec(t *testing.T, name string, n int) fleet.CloneSpec {
	return fleet.CloneSpec{
		Name: name, Fingerprint: s.fingerprint, Member: s.members[n%len(s.members)], Profiles: []string{"default"},
		Config: map[string]string{fleet.KeyJob: "job-" + t.Name()},
	}
}

// clone makes an instance and deletes it after the test.
func (s *suite) clone(t *testing.T, name string, n int) fleet.CloneSpec {
	t.Helper()
	spec := s.spec(t, name, n)
	s.deleteAfter(t, name)
	ok(t, s.lxd.EnsureClone(t.Context(), spec, nil))
	return spec
}

func (s *suite) deleteAfter(t *testing.T, names ...string) {
	t.Cleanup(func() {
		for _, name := range names {
			if err := s.lxd.EnsureDeleted(context.Background(), name); err != nil {
				t.Errorf("delete %s: %v", name, err)
			}
		}
	})
}

// started makes an instance and starts it.
func (s *suite) started(t *testing.T, name string, n int) {
	t.Helper()
	s.clone(t, name, n)
	ok(t, s.lxd.EnsureStarted(t.Context(), name))
}

func (s *suite) instance(t *testing.T, name string) fleet.Instance {
	t.Helper()
	i, err := s.lxd.Instance(t.Context(), name)
	ok(t, err)
	return i
}

func (s *suite) status(t *testing.T, name string, want fleet.InstanceStatus) {
	t.Helper()
	if got := s.instance(t, name).Status; got != want {
		t.Errorf("status of %s is %s, want %s", name, got, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code fails the test unless err is a fleet error of the code.
func code(t *testing.T, err error, want fleet.Code) {
	t.Helper()
	if got := fleet.CodeOf(err); got != want {
		t.Errorf("error is %q: %v, want %q", got, err, want)
	}
}

// eventually tries until try gives nil, for a minute.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(pace.Of(time.Minute))
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// soon fails the test when do takes longer than two seconds after the context ended.
func soon(t *testing.T, ended time.Time) {
	t.Helper()
	if late := time.Since(ended); late > pace.Of(2*time.Second) {
		t.Errorf("returned %s after the context ended", late)
	}
}

func names(instances []fleet.Instance) []string {
	list := make([]string, len(instances))
	for i := range instances {
		list[i] = instances[i].Name
	}
	return list
}

func find(instances []fleet.Instance, name string) (fleet.Instance, error) {
	i := slices.IndexFunc(instances, func(i fleet.Instance) bool { return i.Name == name })
	if i < 0 {
		return fleet.Instance{}, fmt.Errorf("%s is not among %v", name, names(instances))
	}
	return instances[i], nil
}
