package lxdapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func TestWhatIsFull(t *testing.T) {
	for text, want := range map[string]string{
		`Failed to run: unsquashfs …: write failed: No space left on device`:           "pool",
		`cannot create 'tank/containers/acme': out of space`:                           "pool",
		`Volume group "vg" has insufficient free space (0 extents)`:                    "pool",
		`Create instance from image: tar: rootfs/x: Cannot write: Disk quota exceeded`: "disk",
		`Failed to create file "/x/acme/backup.yaml": open /x: disk quota exceeded`:    "disk",
		`saving config file for the container failed`:                                  "disk",
		`Failed creating instance record: entry already exists`:                        "",
		`The device is busy`: "",
		``:                   "",
	} {
		got := ""
		switch {
		case isDiskFull(text):
			got = "disk"
		case isPoolFull(text):
			got = "pool"
		}
		if got != want {
			t.Errorf("%q: %q is full, want %q", text, got, want)
		}
	}
}

func TestParseEvent(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := func(location, metadata string) string {
		return `{"type":"lifecycle","timestamp":"2026-01-02T03:04:05Z","location":"` + location + `","project":"p","metadata":` + metadata + `}`
	}
	for _, c := range []struct {
		name, text string
		want       fleet.LXDEvent
		ok         bool
	}{
		{
			"start", event("n2", `{"action":"instance-started","source":"/1.0/instances/acme?project=p"}`),
			fleet.LXDEvent{Action: "instance-started", Name: "acme", Member: "n2", At: at},
			true,
		},
		{
			"rename", event("n1", `{"action":"instance-renamed","source":"/1.0/instances/new","context":{"old_name":"old"}}`),
			fleet.LXDEvent{Action: "instance-renamed", Name: "new", OldName: "old", Member: "n1", At: at},
			true,
		},
		{
			"rename of a snapshot", event("n1", `{"action":"instance-snapshot-renamed","source":"/1.0/instances/acme/snapshots/b","context":{"old_name":"a"}}`),
			fleet.LXDEvent{Action: "instance-snapshot-renamed", Name: "acme", Member: "n1", At: at},
			true,
		},
		{
			"image", event("", `{"action":"image-deleted","source":"/1.0/images/abc"}`),
			fleet.LXDEvent{Action: "image-deleted", Member: "none", At: at},
			true,
		},
		{"operation", `{"type":"operation","metadata":{"id":"x"}}`, fleet.LXDEvent{}, false},
		{"rubbish", `{`, fleet.LXDEvent{}, false},
	} {
		got, ok := parseEvent([]byte(c.text))
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
}

// FuzzParseEvent: whatever comes, a name has no slash in it and an event has no old name
// without being a rename.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"type":"lifecycle","metadata":{"action":"instance-renamed","source":"/1.0/instances/a%2Fb/c","context":{"old_name":"x"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, ok := parseEvent(text)
		if strings.Contains(e.Name, "/") || e.OldName != "" && e.Action != "instance-renamed" || !ok && e != (fleet.LXDEvent{}) {
			t.Errorf("%q: %+v, %v", text, e, ok)
		}
	})
}

func TestPercentOf(t *testing.T) {
	for text, want := range map[string]int{
		"Image pack: 74% (90.77MB/s)": 74, "rootfs: 100% (1MB/s)": 100, "metadata: 3%": 3,
		"12.5MB": 0, "": 0, "%": 0, "999%": 100,
	} {
		if got := percentOf(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestTouches(t *testing.T) {
	op := api.Operation{Resources: map[string][]string{"instances": {"/1.0/instances/acme?project=p"}}}
	if !touches(op, "acme") || touches(op, "acm") || touches(op, "p") {
		t.Errorf("touches is wrong")
	}
}

func TestGlobalAddresses(t *testing.T) {
	nic := func(hostName, kind string, addresses ...string) api.InstanceStateNetwork {
		n := api.InstanceStateNetwork{HostName: hostName, Type: kind}
		for _, a := range addresses {
			address, scope, _ := strings.Cut(a, " ")
			n.Addresses = append(n.Addresses, api.InstanceStateNetworkAddress{Address: address, Scope: scope})
		}
		return n
	}
	for _, c := range []struct {
		name    string
		network map[string]api.InstanceStateNetwork
		want    []string
	}{
		{"none", nil, []string{}},
		{"only local ones", map[string]api.InstanceStateNetwork{
			"lo": nic("", "loopback", "127.0.0.1 local", "10.0.0.9 global"), "eth0": nic("veth1", "broadcast", "fe80::1 link"),
		}, []string{}},
		{"IPv4 first", map[string]api.InstanceStateNetwork{
			"eth0": nic("veth1", "broadcast", "fd00::2 global", "10.0.0.2 global", "fe80::1 link"),
		}, []string{"10.0.0.2", "fd00::2"}},
		{"its own bridge last", map[string]api.InstanceStateNetwork{
			"docker0": nic("", "broadcast", "172.17.0.1 global"),
			"eth1":    nic("veth2", "broadcast", "10.1.0.2 global"),
			"eth0":    nic("veth1", "broadcast", "10.0.0.2 global", "fd00::2 global"),
		}, []string{"10.0.0.2", "10.1.0.2", "fd00::2", "172.17.0.1"}},
		{"rubbish", map[string]api.InstanceStateNetwork{"eth0": nic("veth1", "broadcast", "x global")}, []string{}},
		{"what root inside may claim", map[string]api.InstanceStateNetwork{
			"eth0": nic(
				"veth1", "broadcast", "127.0.0.2 global", "169.254.169.254 global", "0.0.0.0 global", "224.0.0.1 global", "255.255.255.255 global",
				"::1 global", "fe80::1 global", "::ffff:127.0.0.1 global", ":: global", "10.0.0.2 global",
			),
		}, []string{"10.0.0.2"}},
	} {
		if got := globalAddresses(&api.InstanceState{Network: c.network}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSocketPlaces(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"nothing said", nil, []string{"/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket"}},
		{"a folder", map[string]string{"LXD_DIR": "/d"}, []string{"/d/unix.socket"}},
		{"a socket", map[string]string{"LXD_DIR": "/d", "LXD_SOCKET": "/s"}, []string{"/s"}},
	} {
		if got := socketPlaces(func(key string) string { return c.env[key] }); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// messages is a websocket that gives these and then breaks; "" is the end of the stream.
type messages struct {
	socket
	queue []string
}

func (m *messages) NextReader() (int, io.Reader, error) {
	if len(m.queue) == 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	text := m.queue[0]
	m.queue = m.queue[1:]
	if text == "" {
		return textMessage, strings.NewReader(""), nil
	}
	return binaryMessage, strings.NewReader(text), nil
}

func TestReceive(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue []string
		want  string
		err   error
	}{
		{"whole", []string{"a", "b", ""}, "ab", nil},
		{"nothing", []string{""}, "", nil},
		{"cut off", []string{"a"}, "a", errCutOff},
	} {
		var out bytes.Buffer
		err := receive(&messages{queue: c.queue}, &out)
		if out.String() != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, error %v", c.name, out.String(), err)
		}
	}
	var out bytes.Buffer
	if err := receiveErrors(&messages{queue: []string{"a"}}, &out); err != nil || !strings.Contains(out.String(), "has lost the rest") {
		t.Errorf("stderr cut off: %q, error %v", out.String(), err)
	}
}

func TestLocks(t *testing.T) {
	var l locks
	unlock, err := l.lock(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := l.lock(t.Context(), "beta"); err != nil {
		t.Error(err)
	} else {
		other()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.lock(ctx, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	unlock()
	unlock, err = l.lock(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if len(l.held) != 0 {
		t.Errorf("still held: %v", l.held)
	}
}

// What LXD says for some seconds after its start is not for good: jobs wait and try again.
func TestMembersAwayAreUnavailable(t *testing.T) {
	const text = `Locate image "63ac" in the cluster: Image not available on any online node`
	answer := &http.Response{
		StatusCode: http.StatusInternalServerError,
		Body:       io.NopCloser(strings.NewReader(`{"type":"error","error_code":500,"error":` + strconv.Quote(text) + `}`)),
	}
	for name, err := range map[string]error{
		"answer": statusError(answer), "operation": operationError(api.Operation{StatusCode: api.Failure, Err: text}),
	} {
		if fleet.CodeOf(err) != fleet.Unavailable || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %q: %v", name, fleet.CodeOf(err), err)
		}
	}
	if err := operationError(api.Operation{StatusCode: api.Failure, Err: "Failed to run"}); fleet.CodeOf(err) != fleet.Failed {
		t.Errorf("%q: %v", fleet.CodeOf(err), err)
	}
}
