package reach

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// DeviceName is the name of the proxy device that leads to an instance's application.
const DeviceName = "lxdfleet"

// tries is how many ports are tried where LXD refuses one.
const tries = 5

// device is the proxy device that leads to port. It connects by the loopback inside the instance,
// which needs no address.
func device(listen string, from, port int) map[string]string {
	return map[string]string{
		"type": "proxy", "listen": "tcp:" + joined(listen, from), "connect": "tcp:" + joined("127.0.0.1", port),
	}
}

// listenPort is the port a device of ours listens on; 0 where it is none.
func listenPort(device map[string]string) int { return devicePort(device, "listen") }

func devicePort(device map[string]string, key string) int {
	_, text, err := net.SplitHostPort(strings.TrimPrefix(device[key], "tcp:"))
	if device["type"] != "proxy" || err != nil {
		return 0
	}
	port, _ := strconv.Atoi(text)
	return port
}

// listen is the address that devices listen on at the member with the address host.
func (r *Reach) listen(host string) string { return cmp.Or(r.opt.Listen, host) }

// deviceBackend gives the backend of an instance whose device is as it must be.
func (r *Reach) deviceBackend(p plan, inst fleet.Instance) fleet.Backend {
	have, host := inst.Devices[DeviceName], p.members[inst.Location]
	from, port := listenPort(have), devicePort(have, "connect")
	if host == "" || !r.ports.within(from) || !maps.Equal(have, device(r.listen(host), from, port)) || !r.ports.claim(from, inst.Name) {
		return fleet.Backend{}
	}
	return fleet.Backend{Via: joined(host, from), Port: port}
}

// byDevice sees to it that the instance's device leads to port.
func (r *Reach) byDevice(ctx context.Context, p *plan, inst fleet.Instance, port int) (fleet.Backend, error) {
	host, err := r.host(ctx, p, inst.Location)
	if err != nil {
		return fleet.Backend{}, err
	}
	if err := r.loadPorts(ctx); err != nil {
		return fleet.Backend{}, err
	}
	if b := r.deviceBackend(*p, inst); b.Known() && b.Port == port {
		return b, nil
	}
	from := listenPort(inst.Devices[DeviceName])
	for try := 0; ; try++ {
		if !r.ports.within(from) || !r.ports.claim(from, inst.Name) {
			if from, err = r.ports.take(inst.Name); err != nil {
				return fleet.Backend{}, err
			}
		}
		err = r.lxd.EnsureDevice(ctx, inst.Name, DeviceName, device(r.listen(host), from, port))
		if err == nil {
			return fleet.Backend{Via: joined(host, from), Port: port}, nil
		}
		if fleet.CodeOf(err) != fleet.Failed || try == tries {
			return fleet.Backend{}, fmt.Errorf("lead to %s from %s: %w", inst.Name, joined(host, from), err)
		}
		r.ports.avoid(from)
		from = 0
	}
}

func (r *Reach) loadPorts(ctx context.Context) error {
	return r.ports.load(ctx, func(ctx context.Context) ([]fleet.Instance, error) { return r.lxd.Instances(ctx, false) })
}

// mend puts right the device of an instance that may have come from another member or of another
// instance, or takes it away where instances are not reached by devices.
func (r *Reach) mend(ctx context.Context, p *plan, inst fleet.Instance) error {
	have := inst.Devices[DeviceName]
	port := devicePort(have, "connect")
	if port == 0 {
		return nil
	}
	if p.way != Device {
		if err := r.lxd.EnsureDevice(ctx, inst.Name, DeviceName, nil); err != nil {
			return fmt.Errorf("take away what led to %s: %w", inst.Name, err)
		}
		return nil
	}
	_, err := r.byDevice(ctx, p, inst, port)
	return err
}

// portOf is the port of the application that a tenant's instance says it has; 0: it says nothing.
func portOf(inst fleet.Instance) int {
	var spec struct {
		Health fleet.HealthCheck `json:"health"`
	}
	if json.Unmarshal([]byte(inst.Config[fleet.KeySpec]), &spec) != nil {
		return 0
	}
	return spec.Health.Port
}
