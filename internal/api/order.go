package api

import (
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// order is how a list is asked to be sorted. A cursor is good for the order it was made in.
type order struct {
	asked string // such as "-created"
	by    string // without the minus
	down  bool
	usual bool // what is meant where nothing is asked for
}

// orderOf reads a parameter sort; usual is meant where it is empty.
func orderOf(asked, usual string, keys ...string) (order, error) {
	if asked == "" {
		asked = usual
	}
	by, down := strings.CutPrefix(asked, "-")
	if !slices.Contains(keys, by) {
		return order{}, fleet.Errorf(fleet.Invalid, "it cannot be sorted by %q", asked).WithField("sort").
			WithHint("use %s, with a minus before it for the other way round", strings.Join(keys, ", "))
	}
	return order{asked: asked, by: by, down: down, usual: asked == usual}, nil
}

// mark makes the key of a list's item one of this order.
func (o order) mark(key string) string {
	if o.usual {
		return key
	}
	return o.asked + "\n" + key
}

// read gives the key that mark has marked; empty where there is none.
func (o order) read(marked string) (string, error) {
	if marked == "" {
		return "", nil
	}
	asked, key, other := strings.Cut(marked, "\n")
	switch {
	case o.usual && !other:
		return marked, nil
	case !o.usual && other && asked == o.asked:
		return key, nil
	}
	return "", badCursor()
}

func badCursor() error {
	return fleet.Errorf(fleet.Invalid, "this is not the cursor of a list that is sorted like this").WithField("cursor").
		WithHint("give next_cursor of the page before, unchanged, with the same sort")
}

// oneOf refuses a filter whose value is none of those there are.
func oneOf[T interface {
	~string
	Valid() bool
}](field string, given ...T) error {
	for _, value := range given {
		if value != "" && !value.Valid() {
			return fleet.Errorf(fleet.Invalid, "%q is nothing that is looked for here", string(value)).WithField(field).
				WithHint("the API's document says which there are: /v1/openapi.yaml")
		}
	}
	return nil
}

// wordsOf gives values of the document's type as those of the domain's.
func wordsOf[To, From ~string](given []From) (out []To) {
	for _, value := range given {
		out = append(out, To(value))
	}
	return out
}
