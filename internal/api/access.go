package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// public is the x-role of operations that everybody may use.
const public = "public"

// scope says what an operation means for somebody who sees certain tenants only.
type scope string

const (
	scopeOpen   scope = "open"   // nothing of a tenant is in it
	scopeList   scope = "list"   // the handler shows what is of those tenants
	scopeTenant scope = "tenant" // the tenant in the path has to be one of them
	scopeDomain scope = "domain" // likewise the owner of the domain in the path, and so on
	scopeBackup scope = "backup"
	scopeDrill  scope = "drill"
	scopeJob    scope = "job"
	scopeFleet  scope = "fleet" // it is refused
)

// access is who may use an operation, and whether its use is written down.
type access struct {
	operation string
	method    string
	route     string     // as in the document: /v1/tenants/{name}
	role      fleet.Role // the least; empty: everybody
	scope     scope
	audit     bool
	job       bool // it answers with a job
	secret    bool // its answer holds a secret, which is shown once
	versioned bool // its answer has the version of what it shows
}

// readAccess reads it from the document, by method and path as echo writes them. An operation
// that does not say who may use it is an error.
var readAccess = sync.OnceValues(func() (map[string]access, error) { return accessOf(document) })

func accessOf(document []byte) (map[string]access, error) {
	var doc struct {
		Paths      map[string]map[string]any `yaml:"paths"`
		Components struct {
			Responses map[string]map[string]any `yaml:"responses"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	all := make(map[string]access)
	for route, item := range doc.Paths {
		for method, operation := range item {
			fields, ok := operation.(map[string]any)
			if method == "parameters" || !ok {
				continue
			}
			a, err := newAccess(strings.ToUpper(method), route, fields)
			if err != nil {
				return nil, err
			}
			answers, _ := fields["responses"].(map[string]any)
			a.versioned = showsVersion(answers, doc.Components.Responses)
			all[a.method+" "+echoPath(route)] = a
		}
	}
	return all, nil
}

func newAccess(method, route string, fields map[string]any) (access, error) {
	text := func(key string) string { s, _ := fields[key].(string); return s }
	a := access{operation: text("operationId"), method: method, route: route, scope: scope(text("x-scope")), audit: method != http.MethodGet}
	if audit, ok := fields["x-audit"].(bool); ok {
		a.audit = audit
	}
	a.secret, _ = fields["x-secret"].(bool)
	answers, _ := fields["responses"].(map[string]any)
	accepted, _ := answers["202"].(map[string]any)
	a.job = accepted["$ref"] == "#/components/responses/Job"
	switch a.scope {
	case scopeOpen, scopeList, scopeTenant, scopeDomain, scopeBackup, scopeDrill, scopeJob, scopeFleet:
	default:
		return a, fmt.Errorf("the operation %s of the API's document has the x-scope %q", cmp.Or(a.operation, route), a.scope)
	}
	if slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, method) && (!a.audit || !takesVersion(fields)) {
		return a, fmt.Errorf("the operation %s of the API's document changes something, and does not take If-Match or is not in the audit log", cmp.Or(a.operation, route))
	}
	if role := text("x-role"); role != public {
		var err error
		if a.role, err = fleet.ParseRole(role); err != nil {
			return a, fmt.Errorf("the operation %s of the API's document has no good x-role: %w", cmp.Or(a.operation, route), err)
		}
	}
	return a, nil
}

// showsVersion reports whether one of the answers has the header ETag.
func showsVersion(answers map[string]any, shared map[string]map[string]any) bool {
	for _, answer := range answers {
		fields, _ := answer.(map[string]any)
		if ref, ok := fields["$ref"].(string); ok {
			fields = shared[strings.TrimPrefix(ref, "#/components/responses/")]
		}
		headers, _ := fields["headers"].(map[string]any)
		if _, ok := headers["ETag"]; ok {
			return true
		}
	}
	return false
}

// takesVersion reports whether an operation has the parameter If-Match.
func takesVersion(fields map[string]any) bool {
	parameters, _ := fields["parameters"].([]any)
	return slices.ContainsFunc(parameters, func(p any) bool {
		parameter, _ := p.(map[string]any)
		return parameter["$ref"] == "#/components/parameters/IfMatch"
	})
}

// echoPath writes a path of the document as echo does: /v1/tenants/:name.
func echoPath(route string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(route)
}
