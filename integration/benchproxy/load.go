package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// load is what is asked of a proxy in one turn.
type load struct {
	addr     netip.AddrPort
	hosts    []string // visited in turn
	requests int
	workers  int           // that ask at the same time
	limit    time.Duration // of the whole turn
}

// outcome is how a turn went. A request that was not answered as it should be ends the turn with
// an error, because its figures would not be comparable.
type outcome struct {
	took  time.Duration
	times []time.Duration // of each request, sorted
}

// percentile gives the time that so many of a thousand requests did not exceed.
func (o *outcome) percentile(thousandth int) time.Duration {
	if len(o.times) == 0 {
		return 0
	}
	return o.times[min(len(o.times)-1, len(o.times)*thousandth/1000)]
}

// meter is told when the measured part of a turn begins and ends.
type meter interface {
	begin() error
	end() error
}

// worker asks one request after the other.
type worker interface {
	// run makes n requests and adds the time of each to times.
	run(n int, times []time.Duration) ([]time.Duration, error)
	close()
}

// measure has workers make the load's requests, after a tenth as many to warm up. The workers'
// connections are there before the measured part begins.
func (l *load) measure(ctx context.Context, m meter, connect func(worker int) (worker, error)) (*outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	workers := make([]worker, l.workers)
	var closing sync.Once
	closeAll := func() {
		closing.Do(func() {
			for _, w := range workers {
				if w != nil {
					w.close()
				}
			}
		})
	}
	defer closeAll()
	for i := range workers {
		var err error
		if workers[i], err = connect(i); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	stop := context.AfterFunc(ctx, closeAll)
	defer stop()
	if _, err := share(ctx, workers, l.requests/10); err != nil {
		return nil, err
	}
	if err := m.begin(); err != nil {
		return nil, err
	}
	began := time.Now()
	times, err := share(ctx, workers, l.requests)
	took := time.Since(began)
	if err != nil {
		return nil, err
	}
	if err := m.end(); err != nil {
		return nil, err
	}
	slices.Sort(times)
	return &outcome{took: took, times: times}, nil
}

// share has the workers make n requests together.
func share(ctx context.Context, workers []worker, n int) ([]time.Duration, error) {
	each := max(1, n/len(workers))
	times, errs := make([][]time.Duration, len(workers)), make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { times[i], errs[i] = w.run(each, make([]time.Duration, 0, each)) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("the turn was given up: %w", context.Cause(ctx))
	}
	return slices.Concat(times...), errors.Join(errs...)
}

// nothingKept is a client's session cache that takes tickets and never has one, as that of a
// browser for a site it has not been to: proxies make tickets, and every handshake is full.
type nothingKept struct{}

func (nothingKept) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (nothingKept) Put(string, *tls.ClientSessionState)        {}

// dial opens a connection to host, which breaks off at the end of the longest turn. All proxies have to agree to the same protocol, cipher and
// key exchange; the certificate's chain is not followed, since that is the client's cost alone.
func (l *load) dial(host, protocol string) (*tls.Conn, error) {
	addr := l.addr
	raw, err := net.DialTimeout("tcp", addr.String(), 10*time.Second)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{
		ServerName: host, NextProtos: []string{protocol}, MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		CurvePreferences: []tls.CurveID{tls.X25519}, ClientSessionCache: nothingKept{},
	})
	if err = conn.SetDeadline(time.Now().Add(l.limit)); err == nil {
		err = conn.Handshake()
	}
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("shake hands with %s for %s: %w", addr, host, err)
	}
	if s := conn.ConnectionState(); s.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || s.NegotiatedProtocol != protocol || s.DidResume {
		raw.Close()
		return nil, fmt.Errorf("%s agreed to %s and %q, which the others do not", addr, tls.CipherSuiteName(s.CipherSuite), s.NegotiatedProtocol)
	}
	if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname(host); err != nil {
		raw.Close()
		return nil, fmt.Errorf("certificate of %s: %w", addr, err)
	}
	return conn, nil
}
