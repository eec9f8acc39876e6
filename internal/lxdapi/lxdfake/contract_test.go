package lxdfake_test

import (
	"io"
	"strings"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdcontract"
	"github.com/lxdfleet/lxdfleet/internal/lxdapi/lxdfake"
)

const project = "contract"

func TestContract(t *testing.T) {
	for name, members := range map[string][]string{"stand-alone": nil, "cluster": {"n1", "n2", "n3"}} {
		t.Run(name, func(t *testing.T) {
			lxdcontract.Run(t, func(*testing.T) lxdcontract.Subject { return subject(fake(members)) })
		})
	}
}

func TestContractFaults(t *testing.T) {
	l := fake([]string{"n1", "n2", "n3"})
	lxdcontract.RunFaults(t, func(*testing.T) lxdcontract.Subject { return subject(l) }, faults{l})
}

func TestContractLink(t *testing.T) {
	from, to := fake([]string{"n1", "n2", "n3"}), fake(nil)
	lxdcontract.RunLink(t, subject(from), subject(to), lxdfake.Link{Source: from, Target: to})
}

func TestServerHasWhatWeNeed(t *testing.T) {
	server, err := fake(nil).Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if missing := lxdapi.Missing(server); len(missing) > 0 {
		t.Errorf("the fake lacks %v", missing)
	}
}

func fake(members []string) *lxdfake.LXD {
	return lxdfake.New(lxdfake.Options{Project: project, Members: members, Bare: true, Exec: runHere})
}

func subject(l *lxdfake.LXD) lxdcontract.Subject {
	return lxdcontract.Subject{
		LXD: l, Project: project,
		Devices: map[string]map[string]string{"root": {"type": "disk", "path": "/", "pool": "default"}},
		Image: func(*testing.T) io.ReadCloser {
			return struct {
				io.ReadSeeker
				io.Closer
			}{strings.NewReader("an image"), io.NopCloser(nil)}
		},
		Operator: operator{l},
	}
}

type operator struct{ *lxdfake.LXD }

func (o operator) Create(name, fingerprint string) error {
	return o.LxcCreate(fleet.CloneSpec{Name: name, Fingerprint: fingerprint})
}
func (o operator) Start(name string) error      { return o.LxcStart(name) }
func (o operator) Stop(name string) error       { return o.LxcStop(name) }
func (o operator) Restart(name string) error    { return o.LxcRestart(name) }
func (o operator) Rename(from, to string) error { return o.LxcRename(from, to) }
func (o operator) Delete(name string) error     { return o.LxcDelete(name) }
func (o operator) SetConfig(name, key, value string) error {
	return o.LxcConfig(name, key, value)
}

type faults struct{ *lxdfake.LXD }

func (f faults) Kill(_ *testing.T, member string)   { f.SetOnline(member, false) }
func (f faults) Revive(_ *testing.T, member string) { f.SetOnline(member, true) }
func (f faults) Fill(t *testing.T, member string) {
	f.SetPoolFull(member, true)
	t.Cleanup(func() { f.SetPoolFull(member, false) })
}

func (f faults) Restart(_ *testing.T, down func()) {
	f.SetDown(true)
	down()
	f.SetDown(false)
}
