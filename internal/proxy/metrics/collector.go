package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// mostCertificates bounds the hosts whose certificate is shown. Those that end soonest are the
// ones that matter.
const mostCertificates = 10_000

// Expiry is when the certificate for a host ends.
type Expiry struct {
	Host string // a wildcard, where that is the name in it
	End  time.Time
}

// Sources are what a Collector shows beside its Traffic. All have to be set; none may block.
type Sources struct {
	// Now gives the tenants' traffic with their gates.
	Now          func() fleet.Traffic
	Certificates func() []Expiry
	// Upgraded is how many connections and streams were taken over and are open.
	Upgraded func() int
	// LogDropped is how many records the access log has lost.
	LogDropped func() uint64
}

// Collector shows Traffic to Prometheus.
type Collector struct {
	traffic *Traffic
	sources Sources
	d       descriptions
}

// NewCollector makes a Collector. Nothing is counted twice where there are several.
func NewCollector(t *Traffic, s Sources) *Collector {
	return &Collector{traffic: t, sources: s, d: describe()}
}

var _ prometheus.Collector = (*Collector)(nil)

// Describe gives the descriptions of all metrics.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.d.all() {
		out <- d
	}
}

// Collect gives all metrics.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	now := c.sources.Now()
	for i := range now.Tenants {
		c.tenant(out, &now.Tenants[i])
	}
	t, d := c.traffic, c.d
	for reason, n := range t.Refusals() {
		counter(out, d.refused, float64(n), reason)
	}
	counter(out, d.handshakes, float64(t.handshakes.Load()))
	counter(out, d.logDropped, float64(c.sources.LogDropped()))
	gauge(out, d.connections, float64(t.connections.Load()))
	gauge(out, d.upgraded, float64(c.sources.Upgraded()))
	gauge(out, d.generation, float64(now.Generation))
	gauge(out, d.hosts, float64(now.Hosts))
	c.certificates(out)
}

func (c *Collector) tenant(out chan<- prometheus.Metric, t *fleet.TenantTraffic) {
	d, name := c.d, string(t.Tenant)
	for _, n := range t.Codes {
		class, code := "other", "other"
		if n.Class > 0 {
			class = strconv.Itoa(n.Class) + "xx"
		}
		if n.Code > 0 {
			code = strconv.Itoa(n.Code)
		}
		counter(out, d.requests, float64(n.Requests), name, class, code)
	}
	below := make(map[float64]uint64, len(bounds))
	var count uint64
	for i, n := range t.Buckets {
		count += n
		if i < len(bounds) {
			below[bounds[i].Seconds()] = count
		}
	}
	out <- prometheus.MustNewConstHistogram(d.duration, count, t.Took.Seconds(), below, name)
	out <- prometheus.MustNewConstSummary(d.firstByte, t.Answered, t.FirstByte.Seconds(), nil, name)
	counter(out, d.in, float64(t.BytesIn), name)
	counter(out, d.out, float64(t.BytesOut), name)
	if t.Tenant == "" {
		return // nobody waits for a host that leads nowhere
	}
	counter(out, d.held, float64(t.Held), name)
	counter(out, d.heldFor, t.HeldFor.Seconds(), name)
	counter(out, d.retries, float64(t.Retries), name)
	gauge(out, d.waiting, float64(t.Waiting), name)
	gauge(out, d.inflight, float64(t.Inflight), name)
}

func (c *Collector) certificates(out chan<- prometheus.Metric) {
	all := c.sources.Certificates()
	gauge(out, c.d.certificates, float64(len(all)))
	slices.SortFunc(all, func(a, b Expiry) int { return cmp.Or(a.End.Compare(b.End), cmp.Compare(a.Host, b.Host)) })
	for _, e := range all[:min(len(all), mostCertificates)] {
		gauge(out, c.d.expiry, float64(e.End.Unix()), e.Host)
	}
}

func counter(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
