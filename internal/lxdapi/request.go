package lxdapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/canonical/lxd/shared/api"
)

// request is one call of LXD's API.
type request struct {
	method string
	path   string     // below /1.0, escaped
	query  url.Values // project is added
	body   any        // JSON, or an io.Reader sent as it is
	header http.Header
	etag   string // If-Match
	global bool   // not about the project
	target string // member that must answer
	member string // member that LXD passes the request on to, where that is known
	probe  bool   // asked to explain a failure: its own failures are not explained
}

// send makes the request and gives the answer when its status is good. The caller closes the
// body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, internal(err)
	}
	resp, err := c.server.DoHTTP(req)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if resp.StatusCode >= 400 {
		defer func() { _ = resp.Body.Close() }()
		return nil, c.explain(ctx, r, statusError(resp))
	}
	return resp, nil
}

func (c *Client) build(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch b := r.body.(type) {
	case nil:
	case io.Reader:
		body, contentType = b, "application/octet-stream"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		body, contentType = bytes.NewReader(text), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+"/1.0"+r.path+"?"+c.parameters(r).Encode(), body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.etag != "" {
		req.Header.Set("If-Match", r.etag)
	}
	for key, values := range r.header {
		req.Header[key] = values
	}
	return req, nil
}

func (c *Client) parameters(r request) url.Values {
	q := url.Values{}
	for key, values := range r.query {
		q[key] = values
	}
	if !r.global {
		q.Set("project", c.project)
	}
	if r.target != "" {
		q.Set("target", r.target)
	}
	return q
}

// call makes the request and reads the answer's metadata into out, which may be nil.
func (c *Client) call(ctx context.Context, r request, out any) (etag string, err error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer api.Response
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", transportError(ctx, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer.Metadata, out); err != nil {
			return "", internal(err)
		}
	}
	return resp.Header.Get("ETag"), nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) (etag string, err error) {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, out)
}

func (c *Client) getGlobal(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: path, query: query, global: true}, out)
	return err
}

// recursion asks for whole things instead of their paths.
func recursion(depth string) url.Values { return url.Values{"recursion": {depth}} }

func instancePath(name string) string { return "/instances/" + url.PathEscape(name) }
