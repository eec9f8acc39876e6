package api

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// answersFor is how long the answer of a request with an idempotency key is kept.
const answersFor = 24 * time.Hour

// replayed answers a POST that carries an idempotency key as the first one with the key was. Those
// that answer with a job are not kept here: their job knows the key. Only what was done is kept; a
// request that was refused may be repeated and is looked at anew.
func (s *Server) replayed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c, known := ec.Request().Context().Value(callKey{}).(*call)
		if !known || c.key == "" || !c.access.replays() {
			return next(ec)
		}
		id, ctx := answerID(c.key), ec.Request().Context()
		done, err := s.turns.take(ctx, "answer/"+id)
		if err != nil {
			return err
		}
		defer done()
		hash := hex.EncodeToString(c.hash.Sum(nil))
		was, begun, err := s.Answers.BeginAnswer(ctx, fleet.Answer{ID: id, RequestHash: hash, CreatedAt: s.Now()}, answersFor)
		switch {
		case err != nil:
			return fmt.Errorf("look for the request's answer: %w", err)
		case begun:
			return s.keepAnswer(ec, c, id, next)
		case was.RequestHash != hash:
			return reused("this key came with another request before").WithHint("use a new key for a new request")
		case was.Status == 0:
			return reused("the request was begun before, and how it ended is not known").
				WithHint("look whether it was done; if not, send it with a new key")
		}
		return s.again(ec, c, was)
	}
}

func reused(message string) *fleet.Error {
	return fleet.Errorf(fleet.Conflict, "%s", message).WithField("Idempotency-Key")
}

// replays reports whether the answers of an operation are kept.
func (a access) replays() bool {
	return a.method == http.MethodPost && a.role != "" && !a.job && !strings.HasPrefix(a.route, "/v1/session")
}

func answerID(key string) string {
	sum := sha256.Sum256([]byte("answer\x00" + key))
	return hex.EncodeToString(sum[:])
}

// keepAnswer answers, but not before the answer is kept.
func (s *Server) keepAnswer(ec echo.Context, c *call, id string, next echo.HandlerFunc) error {
	ctx, out := context.WithoutCancel(ec.Request().Context()), ec.Response()
	held := &heldAnswer{ResponseWriter: out.Writer}
	kept := false
	defer func() { // also where the handler panics
		if !kept {
			if err := s.Answers.DropAnswer(ctx, id); err != nil {
				s.log.Warn("a request that was not done could not be forgotten: it cannot be repeated with its key", "error", err)
			}
		}
	}()
	out.Writer = held
	err := next(ec)
	out.Writer = held.ResponseWriter
	if err != nil {
		return err
	}
	if kept = held.status >= 200 && held.status < 300; kept {
		if err := s.saveAnswer(ctx, c, id, held); err != nil {
			s.log.Warn("an answer could not be kept: its request cannot be repeated with its key", "error", err)
		}
	}
	held.send()
	return nil
}

func (s *Server) saveAnswer(ctx context.Context, c *call, id string, held *heldAnswer) error {
	a := fleet.Answer{ID: id, Status: held.status, Header: map[string]string{}, Body: held.body.String()}
	for _, name := range []string{"Content-Type", "ETag", "Location"} {
		if value := held.Header().Get(name); value != "" {
			a.Header[name] = value
		}
	}
	if c.access.secret {
		box, err := s.boxFor(c, id)
		if err != nil {
			return err
		}
		a.Body = base64.StdEncoding.EncodeToString(box.Seal(nil, make([]byte, box.NonceSize()), held.body.Bytes(), nil))
	}
	return s.Answers.SaveAnswer(ctx, a)
}

// again sends what was answered before.
func (s *Server) again(ec echo.Context, c *call, was fleet.Answer) error {
	body := []byte(was.Body)
	if c.access.secret {
		box, err := s.boxFor(c, was.ID)
		if err != nil {
			return err
		}
		sealed, err := base64.StdEncoding.DecodeString(was.Body)
		if err == nil {
			body, err = box.Open(nil, make([]byte, box.NonceSize()), sealed, nil)
		}
		if err != nil {
			return reused("the request was done, and its answer held a secret that only the first one who asked can be told again").
				WithHint("read what it made; where the secret is lost, make another with a new key")
		}
	}
	header := ec.Response().Header()
	for name, value := range was.Header {
		header.Set(name, value)
	}
	header.Set("Idempotency-Replayed", "true")
	ec.Response().WriteHeader(was.Status)
	_, _ = ec.Response().Write(body) // a failure means the client has left
	return nil
}

// boxFor seals an answer with a key that is nowhere stored: it is derived from what the caller has
// proven itself with, a token or a session's secret, of which the store has a hash only. Of local
// users, who have none, it is good as long as this process runs. A key seals one answer only, so
// that its nonce may be fixed.
func (s *Server) boxFor(c *call, id string) (cipher.AEAD, error) {
	proof := s.sealing
	switch c.caller.Kind {
	case fleet.CallerToken:
		proof = []byte(c.request.Header.Get("Authorization"))
	case fleet.CallerSession:
		cookie, err := c.request.Cookie(cookieName)
		if err != nil {
			return nil, fmt.Errorf("read the session's cookie: %w", err)
		}
		proof = []byte(cookie.Value)
	}
	hash := hex.EncodeToString(c.hash.Sum(nil))
	key, err := hkdf.Key(sha256.New, proof, []byte(id), "lxdfleet answer "+hash, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func newSealing() []byte {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on a supported kernel
	}
	return b[:]
}

// heldAnswer keeps an answer back until it is sent.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(p)
}

func (h *heldAnswer) send() {
	if h.status == 0 {
		return
	}
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // a failure means the client has left
}
