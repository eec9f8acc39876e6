package link

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Token is what a proxy joins with, once. It is a secret.
type Token struct {
	Address     string `json:"a"` // of the controller, as https://host:port
	Fingerprint string `json:"f"` // SHA-256 of the authority's certificate
	Secret      string `json:"s"`
	Name        string `json:"n,omitempty"` // the only name to join as
}

const tokenPrefix = "lxdfleet-"

// String is the form people copy.
func (t Token) String() string {
	data, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings are always JSON
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(data)
}

// ParseToken reads what String wrote. The error is of code Invalid and field "token", and has
// nothing of the token in it.
func ParseToken(s string) (Token, error) {
	bad := func() (Token, error) {
		return Token{}, fleet.Errorf(fleet.Invalid, "this is not a token for a proxy, or not the whole of it").WithField("token").
			WithHint("copy all of what `lxdfleet proxy token` printed on the controller")
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok {
		return bad()
	}
	var t Token
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(data, &t) != nil || t.Secret == "" || len(t.Fingerprint) != sha256.Size*2 {
		return bad()
	}
	if _, err := ParseAddress(t.Address); err != nil {
		return bad()
	}
	return t, nil
}

// ParseAddress checks the address of a controller, https://host:port. The error is of code
// Invalid and field "controller".
func ParseAddress(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fleet.Errorf(fleet.Invalid, "%q is not the address of a controller", s).WithField("controller").
			WithHint("write it as https://controller.example:8444")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Bounds of a token's life.
const (
	shortestToken = time.Minute
	longestToken  = 30 * 24 * time.Hour
)

// NewToken makes a token that is good once within ttl, for the name only where that is not
// empty.
func (h *Hub) NewToken(ctx context.Context, name string, ttl time.Duration) (Token, time.Time, error) {
	if err := h.open(); err != nil {
		return Token{}, time.Time{}, err
	}
	if name != "" {
		if _, err := fleet.ParseProxyName(name); err != nil {
			return Token{}, time.Time{}, err
		}
		h.mu.Lock()
		taken := h.members[name] != nil
		h.mu.Unlock()
		if taken {
			return Token{}, time.Time{}, errNameTaken(name)
		}
	}
	if ttl < shortestToken || ttl > longestToken {
		return Token{}, time.Time{}, fleet.Errorf(fleet.Invalid, "a token cannot be good for %s", ttl).WithField("ttl").
			WithHint("give between %s and %s, such as 1h", shortestToken, longestToken)
	}
	now := h.cfg.Now()
	t := Token{Address: h.cfg.Address, Fingerprint: fingerprint(h.authority.cert), Secret: rand.Text() + rand.Text(), Name: name}
	until := now.Add(ttl)
	err := h.cfg.Records.AddProxyToken(ctx, fleet.ProxyToken{Hash: hashSecret(t.Secret), Name: name, CreatedAt: now, ExpiresAt: until})
	return t, until, err
}

func errNameTaken(name string) error {
	return fleet.Errorf(fleet.Taken, "there is a proxy %s already", name).WithField("name").
		WithHint("remove it first with `lxdfleet proxy remove %s`, or choose another name", name)
}

// joinRequest and joinAnswer are exchanged once, when a proxy joins.
type joinRequest struct {
	Secret  string `json:"secret"`
	Name    string `json:"name"`
	Request string `json:"request"` // PEM
}

type joinAnswer struct {
	Certificate string `json:"certificate"` // PEM
}

func (h *Hub) join(w http.ResponseWriter, r *http.Request) {
	var req joinRequest
	err := body(w, r, &req)
	if err == nil {
		_, err = fleet.ParseProxyName(req.Name)
	}
	now := h.cfg.Now()
	p := fleet.Proxy{Name: req.Name, ID: fleet.NewID(now), JoinedAt: now}
	var cert []byte
	if err == nil {
		// Signed before the token is used up: a broken request does not cost it.
		cert, err = h.authority.forProxy(p, []byte(req.Request), now)
	}
	if err == nil {
		err = h.admit(r.Context(), hashSecret(req.Secret), p)
	}
	if err != nil {
		h.log.Warn("a proxy could not join", "name", req.Name, "address", r.RemoteAddr, "error", err)
		answerError(w, err)
		return
	}
	h.log.Info("a proxy has joined", "proxy", p.Name, "address", r.RemoteAddr)
	answer(w, http.StatusOK, joinAnswer{Certificate: string(cert)})
}

func (h *Hub) admit(ctx context.Context, hash string, p fleet.Proxy) error {
	h.roster.Lock()
	defer h.roster.Unlock()
	if err := h.cfg.Records.JoinProxy(ctx, hash, p); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expel(p.Name) // one whose removal at another daemon was not read yet
	h.members[p.Name] = &member{Proxy: p, contact: time.Now()}
	h.stir()
	return nil
}

func (h *Hub) renew(w http.ResponseWriter, r *http.Request, p fleet.Proxy) {
	var req joinRequest
	err := body(w, r, &req)
	var cert []byte
	if err == nil {
		cert, err = h.authority.forProxy(p, []byte(req.Request), h.cfg.Now())
	}
	if err != nil {
		answerError(w, err)
		return
	}
	answer(w, http.StatusOK, joinAnswer{Certificate: string(cert)})
}

// Remove takes a proxy out of the fleet: it is cut off at once, and its certificate is worth
// nothing any more. The error is of code NotFound where there is no such proxy.
func (h *Hub) Remove(ctx context.Context, name string) error {
	if err := h.open(); err != nil {
		return err
	}
	h.roster.Lock()
	defer h.roster.Unlock()
	if err := h.cfg.Records.RemoveProxy(ctx, name); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expel(name)
	h.stir()
	return nil
}
