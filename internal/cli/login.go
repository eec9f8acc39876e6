package cli

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lxdfleet/lxdfleet/internal/api/client"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// loginFlags are what a login is told.
type loginFlags struct {
	name, user, ca, fingerprint, expires string
	token                                bool
}

func (t *tool) loginCommand() *cobra.Command {
	var f loginFlags
	c := &cobra.Command{
		Use: "login ADDRESS", Short: "Log in to a daemon elsewhere, and speak to it from now on", Args: arguments(1, 1),
		Long: "Log in to the daemon at an address such as https://fleet.example:8446, and speak to it from now on.\n" +
			"Name and password are asked for; what is kept is a token of its own that ends by itself, in a file\n" +
			"that only you can read. Where the daemon's own authority signed its certificate, the fingerprint of\n" +
			"that is shown and has to be confirmed, or given: lxdfleet ca export prints the certificate there.",
		Example: "  lxdfleet login https://fleet.example:8446 --user anna\n" +
			"  lxdfleet login https://fleet.example:8446 --token --ca fleet-ca.pem < token.txt",
		RunE: func(c *cobra.Command, args []string) error { return t.login(c.Context(), args[0], f) },
	}
	c.Flags().StringVar(&f.name, "name", "", "`name` of the context (default: the host)")
	c.Flags().StringVar(&f.user, "user", "", "`name` of the user (default: asked for)")
	c.Flags().StringVar(&f.ca, "ca", "", "PEM `file` of the authority to trust")
	c.Flags().StringVar(&f.fingerprint, "fingerprint", "", "SHA-256 `fingerprint` of the authority to trust, instead of confirming it")
	c.Flags().StringVar(&f.expires, "expires", "720h", "how long the login is good; a `time`")
	c.Flags().BoolVar(&f.token, "token", false, "read a token from standard input, instead of name and password")
	return c
}

func (t *tool) login(ctx context.Context, address string, f loginFlags) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return fleet.Errorf(fleet.Invalid, "%q is not the address of a daemon", address).WithHint("write it as https://fleet.example:8446")
	}
	made := login{Name: cmp.Or(f.name, u.Hostname()), Address: "https://" + u.Host}
	if made.Name == local {
		return fleet.Errorf(fleet.Invalid, "the context local is the daemon on this machine").WithField("name").WithHint("choose another name")
	}
	in := bufio.NewReader(t.In)
	if made.CA, err = t.authority(ctx, in, made.Address, f); err != nil {
		return err
	}
	if f.token {
		made.Token, err = line(in)
	} else {
		err = t.password(ctx, in, &made, f)
	}
	if err != nil {
		return err
	}
	d, err := made.daemon()
	if err != nil {
		return err
	}
	who, err := client.Decode[client.Session](d.GetSession(ctx))
	if err != nil {
		return err
	}
	made.User = who.User
	all, err := readContexts()
	if err != nil {
		return err
	}
	if i := all.index(made.Name); i >= 0 {
		all.Contexts[i] = made
	} else {
		all.Contexts = append(all.Contexts, made)
	}
	all.Current = made.Name
	if err := all.save(); err != nil {
		return err
	}
	return t.print(made, func() error {
		_, err := fmt.Fprintf(t.Out, "Logged in to %s as %s (%s). Commands go there now; back to this machine: lxdfleet context use local\n", made.Address, who.User, who.Role)
		return err
	})
}

// authority gives what to trust, as PEM; empty: the system trusts the daemon's certificate.
func (t *tool) authority(ctx context.Context, in *bufio.Reader, address string, f loginFlags) (string, error) {
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return "", fmt.Errorf("read the authority: %w", err)
		}
		return string(text), nil
	}
	d, err := client.NewRemote(client.Remote{Address: address})
	if err != nil {
		return "", err
	}
	_, err = client.Open(d.GetHealth(ctx))
	if _, unknown := errors.AsType[*tls.CertificateVerificationError](err); !unknown {
		return "", err
	}
	text, err := offered(ctx, address)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", fleet.Errorf(fleet.Invalid, "%s offers no authority to trust", address).WithField("ca").WithHint("give it with --ca")
	}
	sum := sha256.Sum256(block.Bytes)
	print := hex.EncodeToString(sum[:])
	if f.fingerprint != "" {
		if !strings.EqualFold(strings.ReplaceAll(f.fingerprint, ":", ""), print) {
			return "", fleet.Errorf(fleet.Forbidden, "the authority's fingerprint is %s", print).WithField("fingerprint").
				WithHint("this may be another daemon; compare with what lxdfleet ca export prints there")
		}
		return text, nil
	}
	fmt.Fprintf(t.Err, "The certificate of %s is signed by an authority with the fingerprint\n  %s\n(there: lxdfleet ca export | openssl x509 -noout -fingerprint -sha256)\nTrust it? [yes/no] ", address, print)
	if answer, err := line(in); err != nil || !strings.EqualFold(answer, "yes") {
		return "", fleet.Errorf(fleet.Forbidden, "the daemon's authority is not trusted").WithField("ca").WithHint("give it with --ca or --fingerprint")
	}
	return text, nil
}

// offered gets the authority from the daemon itself. Nothing is sent to it, and it is trusted
// for nothing before somebody has confirmed it; what it signed the daemon's certificate with has
// to be it.
func offered(ctx context.Context, address string) (string, error) {
	h := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	}}
	defer h.CloseIdleConnections()
	c, err := client.NewClient(address, client.WithHTTPClient(h))
	if err != nil {
		return "", err
	}
	answer, err := c.GetCA(ctx)
	body, err := client.Open(answer, err)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the authority: %w", err)
	}
	roots, err := rootsOf(string(text))
	if err != nil {
		return "", err
	}
	chain := answer.TLS.PeerCertificates
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: u.Hostname(), Roots: roots, Intermediates: between}); err != nil {
		return "", fleet.Errorf(fleet.Forbidden, "the daemon's certificate is not good: %w", err).WithHint("give the authority to trust with --ca")
	}
	return string(text), nil
}

// password logs in, makes a token and logs out again.
func (t *tool) password(ctx context.Context, in *bufio.Reader, made *login, f loginFlags) error {
	var err error
	wanted := client.Login{Name: f.user}
	if wanted.Name == "" {
		fmt.Fprint(t.Err, "User: ")
		if wanted.Name, err = line(in); err != nil {
			return err
		}
	}
	if wanted.Password, err = t.hidden(in, "Password: "); err != nil {
		return err
	}
	d, err := made.daemon()
	if err != nil {
		return err
	}
	answer, err := d.Login(ctx, wanted)
	session, cookies, err := opened(answer, err)
	if e, ok := errors.AsType[*fleet.Error](err); ok && e.Field == "code" {
		fmt.Fprint(t.Err, "One-time code: ")
		if wanted.Code, err = line(in); err != nil {
			return err
		}
		answer, err = d.Login(ctx, wanted)
		session, cookies, err = opened(answer, err)
	}
	if err != nil {
		return err
	}
	prove := func(_ context.Context, r *http.Request) error {
		for _, c := range cookies {
			r.AddCookie(c)
		}
		r.Header.Set("X-CSRF-Token", session.Csrf)
		return nil
	}
	host, _ := os.Hostname()
	token, err := client.Decode[client.TokenCreated](d.CreateToken(ctx, nil, client.TokenCreate{
		Name: "login on " + cmp.Or(host, "a host") + " at " + t.now().UTC().Format(time.RFC3339), ExpiresIn: f.expires,
	}, prove))
	if body, bad := client.Open(d.Logout(ctx, nil, prove)); bad == nil {
		body.Close()
	}
	made.Token, made.TokenID = token.Secret, token.Token.Id
	return err
}

func opened(answer *http.Response, err error) (client.Session, []*http.Cookie, error) {
	session, err := client.Decode[client.Session](answer, err)
	if err != nil {
		return session, nil, err
	}
	return session, answer.Cookies(), nil
}

// hidden reads a line that is not shown while it is typed.
func (t *tool) hidden(in *bufio.Reader, prompt string) (string, error) {
	fmt.Fprint(t.Err, prompt)
	if fd, ok := terminal(t.In); ok && in.Buffered() == 0 {
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(t.Err)
		return string(text), err
	}
	return line(in)
}

func line(in *bufio.Reader) (string, error) {
	text, err := in.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || text == "") {
		return "", fleet.Errorf(fleet.Invalid, "standard input has ended: %w", err).WithHint("give what is asked for, a line each")
	}
	return strings.TrimRight(text, "\r\n"), nil
}

func (t *tool) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout [CONTEXT]", Short: "End a login, and forget the context", Args: arguments(0, 1), ValidArgsFunction: t.contextNames,
		RunE: func(c *cobra.Command, args []string) error {
			all, err := readContexts()
			if err != nil {
				return err
			}
			name := cmp.Or(t.context, all.Current)
			if len(args) == 1 {
				name = args[0]
			}
			i := all.index(name)
			if i < 0 {
				return noContext(name)
			}
			gone := all.Contexts[i]
			if err := endToken(c.Context(), gone); err != nil {
				fmt.Fprintf(t.Err, "Warning: the token could not be ended there: %v\n", err)
			}
			all.Contexts = append(all.Contexts[:i], all.Contexts[i+1:]...)
			if all.Current == name {
				all.Current = local
			}
			if err := all.save(); err != nil {
				return err
			}
			return t.print(map[string]string{"removed": name}, func() error {
				_, err := fmt.Fprintf(t.Out, "Logged out of %s\n", gone.Address)
				return err
			})
		},
	}
}

// endToken ends the token that the login has made; one that was given stays.
func endToken(ctx context.Context, l login) error {
	if l.TokenID == "" {
		return nil
	}
	d, err := l.daemon()
	if err != nil {
		return err
	}
	body, err := client.Open(d.DeleteToken(ctx, l.TokenID, nil))
	if err != nil {
		return err
	}
	return body.Close()
}

func (t *tool) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show who you are to the daemon, and what you may do", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := t.daemon()
			if err != nil {
				return err
			}
			who, err := client.Decode[client.Session](d.GetSession(c.Context()))
			if err != nil {
				return err
			}
			return t.print(who, func() error {
				tenants := "all"
				if who.Tenants != nil {
					tenants = strings.Join(*who.Tenants, ", ")
				}
				return t.printFields("User", who.User, "Role", string(who.Role), "Tenants", tenants, "By", string(who.Kind), "Until", t.when(who.ExpiresAt))
			})
		},
	}
}
