package metrics

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// statusLeft is a client that left before an answer.
const statusLeft = 499

// codeCount is how often a code was answered. Codes below 10 stand for what HTTP does not have
// of that class.
type codeCount struct {
	code uint16
	n    uint64
}

// codes count answers by code. A tenant sees few different ones, so a list is shorter than a
// table and quicker than a map.
type codes []codeCount

func (c *codes) add(status int) { c.merge(codeCount{uint16(keyOf(status)), 1}) }

func (c *codes) merge(m codeCount) {
	for i := range *c {
		if (*c)[i].code == m.code {
			(*c)[i].n += m.n
			return
		}
	}
	*c = append(*c, m)
}

// keyOf gives the code itself where HTTP has it, or else its class.
func keyOf(status int) int {
	switch {
	case status == http.StatusOK, status == statusLeft, http.StatusText(status) != "":
		return status
	case status >= 100 && status < 600:
		return status / 100
	}
	return 0
}

// list gives the counts sorted by class and code.
func (c codes) list() []fleet.CodeCount {
	all := make([]fleet.CodeCount, len(c))
	for i, n := range c {
		all[i] = fleet.CodeCount{Class: int(n.code) / 100, Code: int(n.code), Requests: n.n}
		if n.code < 10 {
			all[i].Class, all[i].Code = int(n.code), 0
		}
	}
	slices.SortFunc(all, func(a, b fleet.CodeCount) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Code, b.Code))
	})
	return all
}
