package origin

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	proxies := NewPrefixes([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")})
	type want struct {
		client, scheme, host string
		trusted              bool
	}
	for name, tc := range map[string]struct {
		remote string
		tls    bool
		header http.Header
		want   want
	}{
		"plain":    {remote: "192.0.2.1:1234", want: want{"192.0.2.1", "http", "a.example", false}},
		"TLS":      {remote: "192.0.2.1:1234", tls: true, want: want{"192.0.2.1", "https", "a.example", false}},
		"IPv6":     {remote: "[2001:db8::1%eth0]:1234", want: want{"2001:db8::1", "http", "a.example", false}},
		"IPv4 in6": {remote: "[::ffff:192.0.2.1]:1234", want: want{"192.0.2.1", "http", "a.example", false}},
		"unknown":  {remote: "@", header: http.Header{"X-Forwarded-For": {"6.6.6.6"}}, want: want{"invalid IP", "http", "a.example", false}},
		"a stranger's words": {
			remote: "192.0.2.1:1234",
			header: http.Header{
				"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"b.example"},
				"Forwarded": {"for=6.6.6.6;proto=https;host=b.example"}, "X-Real-Ip": {"6.6.6.6"},
			},
			want: want{"192.0.2.1", "http", "a.example", false},
		},
		"one proxy": {
			remote: "10.0.0.1:1234",
			header: http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"b.example"}},
			want:   want{"192.0.2.1", "https", "b.example", true},
		},
		"a proxy without words":  {remote: "10.0.0.1:1234", want: want{"10.0.0.1", "http", "a.example", true}},
		"a proxy's X-Real-Ip":    {remote: "10.0.0.1:1234", header: http.Header{"X-Real-Ip": {"6.6.6.6"}}, want: want{"10.0.0.1", "http", "a.example", true}},
		"what was there before":  {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.1, 10.0.0.2"}}, want: want{"192.0.2.1", "http", "a.example", true}},
		"several lines":          {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.1", "10.0.0.2"}}, want: want{"192.0.2.1", "http", "a.example", true}},
		"proxies only":           {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}}, want: want{"10.0.0.3", "http", "a.example", true}},
		"no address":             {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"6.6.6.6, unknown, 10.0.0.2"}}, want: want{"10.0.0.2", "http", "a.example", true}},
		"empty":                  {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {""}}, want: want{"10.0.0.1", "http", "a.example", true}},
		"with a port":            {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"192.0.2.1:99"}}, want: want{"192.0.2.1", "http", "a.example", true}},
		"IPv6 in brackets":       {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"[2001:db8::9]"}}, want: want{"2001:db8::9", "http", "a.example", true}},
		"IPv6 with a port":       {remote: "[2001:db8:1::1]:1", header: http.Header{"X-Forwarded-For": {"[2001:db8::9]:99"}}, want: want{"2001:db8::9", "http", "a.example", true}},
		"Forwarded":              {remote: "10.0.0.1:1", header: http.Header{"Forwarded": {`for=6.6.6.6, for=192.0.2.1;proto=https;host="b.example:8443"`}}, want: want{"192.0.2.1", "https", "b.example:8443", true}},
		"Forwarded with IPv6":    {remote: "10.0.0.1:1", header: http.Header{"Forwarded": {`For="[2001:db8::9]:99"`, "for=10.0.0.2;Proto=HTTPS"}}, want: want{"2001:db8::9", "https", "a.example", true}},
		"Forwarded, hidden name": {remote: "10.0.0.1:1", header: http.Header{"Forwarded": {"for=6.6.6.6, for=_hidden"}}, want: want{"10.0.0.1", "http", "a.example", true}},
		"both":                   {remote: "10.0.0.1:1", header: http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=6.6.6.6"}}, want: want{"192.0.2.1", "http", "a.example", true}},
		"another scheme":         {remote: "10.0.0.1:1", tls: true, header: http.Header{"X-Forwarded-Proto": {"ftp"}}, want: want{"10.0.0.1", "https", "a.example", true}},
		"two schemes":            {remote: "10.0.0.1:1", tls: true, header: http.Header{"X-Forwarded-Proto": {"https, http"}}, want: want{"10.0.0.1", "http", "a.example", true}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.remote, Host: "a.example", Header: tc.header}
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			o := Of(r, proxies.Contains)
			if got := (want{o.Client.String(), o.Scheme, o.Host, o.Trusted}); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// Whatever a header says, a client that is not trusted is never anybody else.
func FuzzOf(f *testing.F) {
	f.Add("192.0.2.1:1", "6.6.6.6", "for=6.6.6.6", "https")
	f.Add("10.0.0.1:1", "6.6.6.6, 10.0.0.2", `for="[::1]", for="a,b"`, "http")
	proxies := NewPrefixes([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	f.Fuzz(func(t *testing.T, remote, chain, forwarded, proto string) {
		h := http.Header{"X-Forwarded-For": {chain}, "Forwarded": {forwarded}, "X-Forwarded-Proto": {proto}}
		r := &http.Request{RemoteAddr: remote, Host: "a.example", Header: h}
		o := Of(r, proxies.Contains)
		if o.Scheme != "http" && o.Scheme != "https" {
			t.Fatalf("scheme %q", o.Scheme)
		}
		if o.Trusted != proxies.Contains(o.Peer) || !o.Trusted && (o.Client != o.Peer || o.Host != r.Host || o.Scheme != "http") {
			t.Fatalf("%+v of a stranger", o)
		}
		// What stands before an address that is not trusted changes nothing.
		if o.Trusted && !proxies.Contains(o.Client) {
			r.Header = http.Header{"X-Forwarded-For": {"6.6.6.6, " + chain}, "Forwarded": {forwarded}}
			if again := Of(r, proxies.Contains); again.Client != o.Client {
				t.Fatalf("%v became %v", o.Client, again.Client)
			}
		}
	})
}

func TestPrefixes(t *testing.T) {
	set := NewPrefixes([]netip.Prefix{
		netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"), {},
	})
	for addr, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "192.0.2.7": true, "192.0.2.8": false, "::ffff:10.0.0.1": true,
		"2001:db8:ffff::1": true, "2001:db9::1": false, "2001:db8::1%eth0": true,
	} {
		if got := set.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if set.Contains(netip.Addr{}) || (Prefixes{}).Contains(netip.MustParseAddr("10.0.0.1")) || !(Prefixes{}).Empty() || set.Empty() {
		t.Error("empty ones")
	}
}

func BenchmarkOf(b *testing.B) {
	proxies := NewPrefixes([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	r := &http.Request{RemoteAddr: "192.0.2.1:1234", Host: "a.example"}
	b.ReportAllocs()
	for b.Loop() {
		if o := Of(r, proxies.Contains); o.Trusted {
			b.Fatal(o)
		}
	}
}
