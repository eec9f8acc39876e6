package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// verify is the example of the guide, word for word.
func verify(r *http.Request, secret string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	t, sum, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Lxdfleet-Signature"), "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", t, body)
	got, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return nil, errors.New("not from lxdfleet")
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age.Abs() > 5*time.Minute {
		return nil, errors.New("too old")
	}
	return body, nil
}

// TestGuide runs the examples of the guide on what is sent, on what was changed and on what is old.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(own), block(string(guide), "```go\n")) {
		t.Error("the example in Go is not the one tested here")
	}
	_, section, _ := strings.Cut(string(guide), "## Is it from")
	script := block(section, "```sh\n")
	const secret, body = "whsec_x", `{"type":"tenant.changed"}`
	for _, test := range []struct {
		name, signature, body, want string
	}{
		{"as it was sent", Sign(secret, time.Now(), []byte(body)), body, ""},
		{"another body", Sign(secret, time.Now(), []byte(body)), body + " ", "not from lxdfleet"},
		{"another secret", Sign("whsec_y", time.Now(), []byte(body)), body, "not from lxdfleet"},
		{"old", Sign(secret, time.Now().Add(-time.Hour), []byte(body)), body, "too old"},
		{"no signature", "", body, "not from lxdfleet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(test.body))
			r.Header.Set(HeaderSignature, test.signature)
			if _, err := verify(r, secret); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("in Go: %v", err)
			}
			file := filepath.Join(t.TempDir(), "body")
			if err := os.WriteFile(file, []byte(test.body), 0o600); err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(t.Context(), "sh", "-c", script+"\nverify "+file)
			c.Env = append(os.Environ(), "SIGNATURE="+test.signature, "SECRET="+secret)
			out, err := c.CombinedOutput()
			if (err == nil) != (test.want == "") || strings.TrimSpace(string(out)) != test.want {
				t.Errorf("in shell: %v %s", err, out)
			}
		})
	}
}

// block gives the first block of a page that begins so.
func block(page, begin string) string {
	_, after, _ := strings.Cut(page, begin)
	text, _, _ := strings.Cut(after, "```")
	return text
}
