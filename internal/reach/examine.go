package reach

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Finding is what was found out about how instances are reached.
type Finding struct {
	Check   string
	State   string // ok, warn, fail
	Message string
	Hint    string
}

const (
	ok   = "ok"
	warn = "warn"
	fail = "fail"
	// dialTime is the longest a connection may take.
	dialTime = 2 * time.Second
)

// trial is one running tenant of a member, tried both ways.
type trial struct {
	member, instance string
	direct           bool // reached at its own address, and proven to be it
	configured       error
}

// Examine tries to reach one running tenant on each member, at its own address and as it is
// configured, and says which way suits. It changes nothing.
func (r *Reach) Examine(ctx context.Context) []Finding {
	auto, err := r.read(ctx, Auto)
	if err != nil {
		return []Finding{{"reach", fail, fmt.Sprintf("how instances are reached cannot be found out: %v", err), "mend what the other checks tell of LXD"}}
	}
	way := r.opt.Way
	if way == Auto {
		way = auto.way
	}
	if bad := missing(way, auto); bad != nil {
		return []Finding{*bad}
	}
	list, err := r.lxd.Instances(ctx, false)
	if err != nil {
		return []Finding{{"reach", fail, err.Error(), "mend what the other checks tell of LXD"}}
	}
	p := auto
	p.way = way
	return r.verdicts(p, auto, r.tryAll(ctx, p, list))
}

// missing says what the way lacks.
func missing(way Way, p plan) *Finding {
	n, _ := p.around.network()
	switch {
	case way == Forward && !p.around.forwards():
		return &Finding{"reach", fail, fmt.Sprintf("LXD %s has no network forwards", p.around.server.Version), "set network.reach: device"}
	case way == Forward && !forwardable(n):
		return &Finding{"reach", fail, orNone(n.Name) + " is no bridge of LXD's with a subnet: nothing can be forwarded into it", "set network.reach: device"}
	}
	return nil
}

func (r *Reach) tryAll(ctx context.Context, p plan, list []fleet.Instance) []trial {
	var trials []trial
	tried := map[string]bool{}
	for _, inst := range list {
		port := portOf(inst)
		if inst.Status != fleet.InstanceRunning || inst.Config[fleet.KeyReady] != "true" || port == 0 || tried[inst.Location] {
			continue
		}
		tried[inst.Location] = true
		trials = append(trials, r.try(ctx, p, inst, port))
	}
	slices.SortFunc(trials, func(a, b trial) int { return strings.Compare(a.member, b.member) })
	return trials
}

func (r *Reach) try(ctx context.Context, p plan, inst fleet.Instance, port int) trial {
	t := trial{member: inst.Location, instance: inst.Name}
	addresses, err := r.lxd.Addresses(ctx, inst.Name)
	if err != nil {
		t.configured = err
		return t
	}
	for _, a := range addresses {
		if t.direct = r.isIt(ctx, inst.Name, joined(a, port)); t.direct {
			break
		}
	}
	switch p.way {
	case Direct:
		if !t.direct {
			t.configured = fmt.Errorf("its own address does not lead to it from here")
		}
	default:
		t.configured = r.tryWay(ctx, p, inst, addresses)
	}
	return t
}

func (r *Reach) tryWay(ctx context.Context, p plan, inst fleet.Instance, addresses []string) error {
	b := r.deviceBackend(p, inst)
	if p.way == Forward {
		forwards, err := r.lxd.Forwards(ctx, p.network)
		if err != nil {
			return err
		}
		inst.Addresses = addresses
		b = r.forwardBackend(p, forwards, inst)
	}
	if b.Via == "" {
		return fmt.Errorf("nothing leads to it yet")
	}
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", b.Via)
	if err != nil {
		return err
	}
	return conn.Close()
}

// isIt reports whether a connection to the backend ends in the instance: another may have the same
// address on another member. The instance has a connection whose other end has our port.
func (r *Reach) isIt(ctx context.Context, instance, backend string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", backend)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	here, isTCP := conn.LocalAddr().(*net.TCPAddr)
	_, there, err := net.SplitHostPort(backend)
	if err != nil || !isTCP {
		return false
	}
	var out bytes.Buffer
	_, err = r.lxd.Exec(ctx, instance, fleet.ExecSpec{Command: []string{"cat", "/proc/net/tcp", "/proc/net/tcp6"}, Stdout: &out})
	port, _ := strconv.Atoi(there)
	return err == nil && connected(out.String(), port, here.Port)
}

// connected looks in the kernel's table of connections for one from a remote to a local port.
func connected(table string, local, remote int) bool {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line) // sl local_address rem_address st …
		if len(fields) > 3 && fields[3] == "01" && hexPort(fields[1]) == local && hexPort(fields[2]) == remote {
			return true
		}
	}
	return false
}

func hexPort(address string) int {
	_, text, _ := strings.Cut(address, ":")
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 2 {
		return 0
	}
	return int(b[0])<<8 | int(b[1])
}

// verdicts puts the trials into words.
func (r *Reach) verdicts(p, auto plan, trials []trial) []Finding {
	how := map[Way]string{Direct: "at their own addresses", Device: "by proxy devices", Forward: "by network forwards"}
	head := Finding{"reach", ok, fmt.Sprintf("instances are reached %s (network.reach: %s): %s", how[p.way], r.opt.Way, auto.reason), ""}
	if p.way != auto.way {
		head.Message = fmt.Sprintf("instances are reached %s (network.reach: %s)", how[p.way], r.opt.Way)
	}
	if len(trials) == 0 {
		head.Message += "; there is no running tenant to try it with"
		if p.way != auto.way {
			head.State, head.Message = warn, head.Message+", and "+auto.reason
			head.Hint = fmt.Sprintf("network.reach: %s suits that", auto.way)
		}
		return []Finding{head}
	}
	findings, direct := []Finding{head}, 0
	for _, t := range trials {
		f := Finding{"reach " + t.member, ok, t.instance + " is reached", ""}
		if t.configured != nil {
			f.State, f.Message, f.Hint = fail, fmt.Sprintf("%s is not reached: %v", t.instance, t.configured), hint(p, auto, t)
		}
		if t.direct {
			direct++
		}
		findings = append(findings, f)
	}
	if p.way != Direct && direct == len(trials) {
		findings[0].Message += "; their own addresses lead to them too, from this host: network.reach: direct would do"
	}
	return findings
}

func hint(p, auto plan, t trial) string {
	switch {
	case p.way == Direct && auto.way != Direct:
		return fmt.Sprintf("%s: set network.reach: %s, or auto", auto.reason, auto.way)
	case p.way == Direct:
		return "see that this host is connected to the network of the instances, or set network.reach: device"
	case t.direct:
		return "its own address leads to it: set network.reach: direct; or open the ports of network.ports on the member to this host"
	}
	return "open the ports of network.ports on the member to this host; what leads to a tenant is made when the daemon looks at it next"
}
