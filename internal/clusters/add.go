package clusters

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// trustedAs is our certificate's name in a cluster's list of those it trusts.
const trustedAs = "lxdfleet"

// AddRequest says which cluster to add.
type AddRequest struct {
	Name string
	URL  string // https://HOST:PORT; empty: the token's first address
	// Token is what `lxc config trust add` printed there.
	Token string
	// Password is the trust password of a server older than LXD 6, and Fingerprint that of its
	// certificate: without a token.
	Password, Fingerprint string
	Project               string // empty: lxdfleet
	Pool, Network         string // empty: what suits best
}

// Add makes a certificate of ours, has the cluster trust it, and prepares project and profiles
// there. What fails leaves nothing behind.
func (s *Service[C]) Add(ctx context.Context, req AddRequest) (View, error) {
	c, secret, err := s.draft(ctx, req)
	if err != nil {
		return View{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.Store.Cluster(ctx, c.Name); err == nil {
		return View{}, fleet.Errorf(fleet.Taken, "there is a cluster %s already", c.Name).WithField("name").WithHint("choose another name")
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return View{}, fmt.Errorf("add the cluster %s: %w", c.Name, err)
	}
	pair, err := newPair(c.Name, s.Now())
	if err != nil {
		return View{}, err
	}
	lxd, err := s.Dial(ctx, c, pair)
	if err != nil {
		return View{}, fmt.Errorf("connect to %s: %w", c.URL, err)
	}
	defer lxd.Close()
	if err := s.introduce(ctx, lxd, secret); err != nil {
		return View{}, err
	}
	told, err := s.settle(ctx, lxd, c, pair)
	if err != nil {
		// It is trusted already, so that it can be taken back.
		if undone := lxd.EnsureDistrusted(context.WithoutCancel(ctx), pair.Cert); undone != nil {
			s.Logger.Warn("a certificate stays trusted by a cluster that was not added", "cluster", c.Name,
				"fingerprint", s.Fingerprint(pair.Cert), "error", undone)
		}
		return View{}, err
	}
	s.Changed(ctx)
	v := s.ask(ctx, c)
	v.Prepared = told
	return v, nil
}

// introduce has the cluster trust the certificate of the connection.
func (s *Service[C]) introduce(ctx context.Context, lxd LXD, secret string) error {
	err := lxd.AskTrust(ctx, trustedAs, secret)
	if code := fleet.CodeOf(err); code == fleet.Forbidden || code == fleet.Invalid || code == fleet.NotFound {
		return fleet.Errorf(fleet.Forbidden, "the cluster does not accept the token: %w", err).WithField("token").
			WithHint("a token is good once, and for a limited time; make another there: lxc config trust add --name lxdfleet")
	}
	if err != nil {
		return err
	}
	trusted, err := lxd.Trusted(ctx)
	if err == nil && !trusted {
		err = fleet.Errorf(fleet.Forbidden, "the cluster took the token, but does not trust us").
			WithHint("look there at: lxc config trust list")
	}
	return err
}

// settle prepares the cluster and writes it down.
func (s *Service[C]) settle(ctx context.Context, lxd C, c fleet.Cluster, pair Pair) (told string, err error) {
	if told, err = s.Prepare(ctx, lxd, c); err != nil {
		return "", fmt.Errorf("prepare the cluster %s: %w", c.Name, err)
	}
	if err := s.keys.save(c.Name, false, pair); err != nil {
		return "", err
	}
	if err := s.Store.InsertCluster(ctx, c); err != nil {
		_ = s.keys.drop(c.Name)
		return "", fmt.Errorf("write down the cluster %s: %w", c.Name, err)
	}
	return told, nil
}

// draft checks the request and finds out with which certificate the cluster answers, and that it is
// the right one.
func (s *Service[C]) draft(ctx context.Context, req AddRequest) (c fleet.Cluster, secret string, err error) {
	if c.Name, err = fleet.ParseName(req.Name); err != nil {
		return c, "", err
	}
	fingerprint := strings.ToLower(strings.ReplaceAll(req.Fingerprint, ":", ""))
	secret, c.URL = req.Password, strings.TrimSuffix(req.URL, "/")
	switch {
	case req.Token != "":
		token, err := parseToken(req.Token, s.Now())
		if err != nil {
			return c, "", err
		}
		if fingerprint, secret = token.Fingerprint, strings.TrimSpace(req.Token); c.URL == "" && len(token.Addresses) > 0 {
			c.URL = "https://" + token.Addresses[0]
		}
	case req.Password == "":
		return c, "", fleet.Errorf(fleet.Invalid, "without a token the cluster would not trust us").WithField("token").
			WithHint("on a member of that cluster run: lxc config trust add --name lxdfleet")
	case fingerprint == "":
		return c, "", fleet.Errorf(fleet.Invalid, "a password is not sent to a server whose certificate is not known").WithField("fingerprint").
			WithHint("on a member of that cluster run: lxc info | grep certificate_fingerprint")
	}
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" || u.Port() == "" || u.Path != "" {
		return c, "", fleet.Errorf(fleet.Invalid, "%q is not the address of an LXD server", c.URL).WithField("url").
			WithHint("write it as https://10.0.0.1:8443")
	}
	if c.ServerCert, err = s.Greet(ctx, c.URL); err != nil {
		return c, "", fmt.Errorf("reach the cluster: %w", err)
	}
	if got := s.Fingerprint(c.ServerCert); got != fingerprint {
		return c, "", fleet.Errorf(fleet.Forbidden, "the server at %s has the certificate %.12s, and not the expected %.12s", c.URL, got, fingerprint).
			WithField("url").WithHint("see that the address is the cluster's own, and that nobody is between")
	}
	if own, err := s.Own(ctx); err == nil && s.Fingerprint(own) == fingerprint {
		return c, "", fleet.Errorf(fleet.Conflict, "this is the cluster that lxdfleet runs on").WithField("url").
			WithHint("its members are there already: lxdfleet member list")
	}
	c.Project, c.Pool, c.Network = cmp.Or(req.Project, "lxdfleet"), req.Pool, req.Network
	c.AddedAt, c.KeyAt = s.Now(), s.Now()
	return c, secret, nil
}

// Remove has the cluster trust us no more and forgets it. It is refused, fleet.Conflict, while
// something of lxdfleet's is there, and, fleet.Unavailable, where the cluster is away: force is for a
// cluster that does not come back.
func (s *Service[C]) Remove(ctx context.Context, name fleet.Name, force bool) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.cluster(ctx, name); err != nil {
		return err
	}
	what, away, err := s.InUse(ctx, name)
	switch {
	case err != nil:
		return fmt.Errorf("see what is in the cluster %s: %w", name, err)
	case what != "" && (!away || !force):
		return fleet.Errorf(fleet.Conflict, "the cluster %s has %s", name, what).
			WithHint("move tenants away first, or delete them: lxdfleet move TENANT --to MEMBER; of a cluster that is lost for good, --force forgets them")
	}
	err = s.farewell(ctx, name)
	if err != nil && !force {
		return fleet.Errorf(fleet.Unavailable, "the cluster %s cannot be told to trust us no more: %w", name, err).
			WithHint("forget it all the same: lxdfleet cluster remove --force %s; then remove the certificate %q there: lxc config trust remove", name, trustedAs)
	}
	s.forget(name)
	if err := s.Store.DeleteCluster(ctx, name); err != nil {
		return fmt.Errorf("forget the cluster %s: %w", name, err)
	}
	s.Changed(ctx)
	return s.keys.drop(name)
}

func (s *Service[C]) farewell(ctx context.Context, name fleet.Name) error {
	lxd, err := s.Client(ctx, name)
	if err != nil {
		return err
	}
	for _, next := range []bool{true, false} { // ours last: by it the others go
		pair, err := s.keys.load(name, next)
		if fleet.CodeOf(err) == fleet.NotFound && next {
			continue
		}
		if err == nil {
			err = lxd.EnsureDistrusted(ctx, pair.Cert)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
