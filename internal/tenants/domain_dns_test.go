package tenants

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// serveDNS answers questions about www.acme.com on a port of its own.
func serveDNS(t *testing.T) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	do(t, err)
	t.Cleanup(func() { do(t, conn.Close()) })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answerDNS(buf[:n]); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func answerDNS(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	answer := func(name string, body dnsmessage.ResourceBody, kind dnsmessage.Type) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}, Body: body,
		})
	}
	front := dnsmessage.MustNewName("front.agency.net.")
	switch q.Name.String() {
	case "_lxdfleet.www.acme.com.":
		if q.Type == dnsmessage.TypeTXT {
			answer(q.Name.String(), &dnsmessage.TXTResource{TXT: []string{"lxdfleet=", "token"}}, dnsmessage.TypeTXT)
		}
	case "www.acme.com.":
		answer(q.Name.String(), &dnsmessage.CNAMEResource{CNAME: front}, dnsmessage.TypeCNAME)
		if q.Type == dnsmessage.TypeA {
			answer(front.String(), &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}, dnsmessage.TypeA)
		}
	default:
		m.RCode = dnsmessage.RCodeNameError
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}

// The resolver asks the server it was given, about the names as they are.
func TestResolverAsksItsServer(t *testing.T) {
	s := &Service{ServiceDeps: ServiceDeps{DNS: NewResolver(serveDNS(t))}}
	seen := s.lookUp(t.Context(), "www.acme.com")
	want := DNSSeen{Addresses: []string{"192.0.2.1"}, CNAME: "front.agency.net", Proof: []string{"lxdfleet=token"}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	for domain, want := range map[fleet.Domain]DNSSeen{
		"gone.acme.com": {Error: "DNS has no address for it"}, "*.acme.com": {Error: "DNS has no address for it"},
	} {
		if diff := cmp.Diff(want, s.lookUp(t.Context(), domain)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", domain, diff)
		}
	}
	if missing := s.proven(t.Context(), "id", "gone.acme.com"); missing != "there is no TXT record _lxdfleet.gone.acme.com" {
		t.Error(missing)
	}
}

func TestPreviewOfADomain(t *testing.T) {
	s := &Service{ServiceDeps: ServiceDeps{DNS: NewResolver(serveDNS(t))}, opt: ServiceOptions{Target: "front.agency.net"}}
	for name, c := range map[string]struct {
		domain string
		set    []DNSRecord
	}{
		"it leads here":       {domain: "WWW.acme.com"},
		"nobody has set it":   {domain: "shop.acme.com", set: []DNSRecord{{"CNAME", "shop.acme.com", "front.agency.net"}}},
		"it is none of DNS's": {domain: "acme.localhost"},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := s.PreviewDomain(t.Context(), c.domain)
			do(t, err)
			if diff := cmp.Diff(c.set, view.ToSet); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := s.PreviewDomain(t.Context(), "no domain"); fleet.CodeOf(err) != fleet.Invalid {
		t.Error(err)
	}
}
