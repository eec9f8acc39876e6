package pebble

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lxdfleet/lxdfleet/integration/daemon"
)

// What an update has to be signed with.
const (
	KeyName      = "fleet.key."
	KeyAlgorithm = dns.HmacSHA256
	Key          = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXM="
)

// DNS answers for all names.
type DNS struct {
	addr string

	mu      sync.Mutex
	zones   []string // with a final dot
	txt     map[string][]string
	updates int
	silent  bool
}

// StartDNS starts a server that has authority over the zones.
func StartDNS(tb testing.TB, zones ...string) *DNS {
	tb.Helper()
	d := &DNS{addr: daemon.FreeAddr(tb), txt: make(map[string][]string)}
	for _, z := range zones {
		d.zones = append(d.zones, dns.Fqdn(z))
	}
	packets, err := net.ListenPacket("udp", d.addr)
	if err != nil {
		tb.Fatalf("start a DNS server: %v", err)
	}
	streams, err := net.Listen("tcp", d.addr)
	if err != nil {
		tb.Fatalf("start a DNS server: %v", err)
	}
	for _, s := range []*dns.Server{{PacketConn: packets}, {Listener: streams}} {
		s.Handler = dns.HandlerFunc(d.answer)
		s.TsigSecret = map[string]string{KeyName: Key}
		s.MsgAcceptFunc = func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept } // updates too
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() { _ = s.ActivateAndServe() }()
		<-up
		tb.Cleanup(func() { _ = s.Shutdown() })
	}
	return d
}

// Addr is where it answers, by UDP and TCP.
func (d *DNS) Addr() string { return d.addr }

// Updates is how many updates it took.
func (d *DNS) Updates() int { d.mu.Lock(); defer d.mu.Unlock(); return d.updates }

// Records is how many TXT records it has now.
func (d *DNS) Records() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, values := range d.txt {
		n += len(values)
	}
	return n
}

// Silence makes it answer nothing, or answer again.
func (d *DNS) Silence(silent bool) { d.mu.Lock(); defer d.mu.Unlock(); d.silent = silent }

func (d *DNS) answer(w dns.ResponseWriter, r *dns.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.silent {
		return
	}
	m := new(dns.Msg)
	m.SetReply(r)
	m.Authoritative = true
	switch {
	case r.Opcode == dns.OpcodeUpdate:
		d.update(w, r, m)
	case len(r.Question) == 1:
		d.lookUp(r.Question[0], m)
	}
	if t := r.IsTsig(); t != nil {
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, time.Now().Unix())
	}
	_ = w.WriteMsg(m)
}

func (d *DNS) update(w dns.ResponseWriter, r, m *dns.Msg) {
	if r.IsTsig() == nil || w.TsigStatus() != nil || !slices.Contains(d.zones, r.Question[0].Name) {
		m.Rcode = dns.RcodeRefused
		return
	}
	d.updates++
	for _, rr := range r.Ns {
		txt, ok := rr.(*dns.TXT)
		if !ok {
			continue
		}
		name, value := strings.ToLower(txt.Hdr.Name), strings.Join(txt.Txt, "")
		d.txt[name] = slices.DeleteFunc(d.txt[name], func(v string) bool { return v == value })
		if txt.Hdr.Class == dns.ClassINET {
			d.txt[name] = append(d.txt[name], value)
		}
	}
}

func (d *DNS) lookUp(q dns.Question, m *dns.Msg) {
	header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 1}
	name := strings.ToLower(q.Name)
	switch q.Qtype {
	case dns.TypeA:
		m.Answer = []dns.RR{&dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)}}
	case dns.TypeTXT:
		for _, v := range d.txt[name] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: header, Txt: []string{v}})
		}
	case dns.TypeSOA:
		if slices.Contains(d.zones, name) {
			m.Answer = []dns.RR{&dns.SOA{Hdr: header, Ns: "ns." + name, Mbox: "ops." + name, Serial: 1, Refresh: 60, Retry: 60, Expire: 60, Minttl: 1}}
		}
	}
}
