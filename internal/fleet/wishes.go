package fleet

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wishes say which member a tenant wants to live on. They are not changed once set, but
// replaced. Lists are sorted, and without duplicates.
type Wishes struct {
	// Require and Prefer are KEY=VALUE labels of members: all of Require must be there, those of
	// Prefer are better. Besides the labels operators set there are group, failure-domain and
	// role, from LXD, and name.
	Require []string `json:"require,omitempty"`
	Prefer  []string `json:"prefer,omitempty"`
	// Apart and Together are other tenants, by name or by a KEY=VALUE label of theirs. A tenant
	// shares its member with none of the first, and with at least one of each of the second
	// where there are any.
	Apart    []string `json:"apart,omitempty"`
	Together []string `json:"together,omitempty"`
	// Pinned: it stays on its member whatever happens to the member.
	Pinned bool `json:"pinned,omitempty"`
}

// Empty reports whether nothing is wished.
func (w Wishes) Empty() bool {
	return !w.Pinned && len(w.Require)+len(w.Prefer)+len(w.Apart)+len(w.Together) == 0
}

// Equal reports whether the same is wished.
func (w Wishes) Equal(o Wishes) bool {
	return w.Pinned == o.Pinned && slices.Equal(w.Require, o.Require) && slices.Equal(w.Prefer, o.Prefer) &&
		slices.Equal(w.Apart, o.Apart) && slices.Equal(w.Together, o.Together)
}

// mostWishes bounds each list, because all of them are looked at with every placement.
const mostWishes = 16

// Tidy gives w with its lists checked, sorted and without duplicates. The error is of code
// Invalid; its field is the list at fault.
func (w Wishes) Tidy() (Wishes, error) {
	for _, list := range []struct {
		field string
		names bool // tenants' names are good too
		items *[]string
	}{
		{"require", false, &w.Require},
		{"prefer", false, &w.Prefer},
		{"apart", true, &w.Apart},
		{"together", true, &w.Together},
	} {
		var tidy []string
		for _, item := range *list.items {
			item = strings.TrimSpace(item)
			if err := checkWish(item, list.names); err != nil {
				return Wishes{}, err.WithField(list.field)
			}
			tidy = append(tidy, item)
		}
		slices.Sort(tidy)
		tidy = slices.Compact(tidy)
		if len(tidy) > mostWishes {
			return Wishes{}, Errorf(Invalid, "%d wishes", len(tidy)).WithField(list.field).WithHint("give at most %d", mostWishes)
		}
		*list.items = tidy
	}
	for _, other := range w.Apart {
		if slices.Contains(w.Together, other) {
			return Wishes{}, Errorf(Invalid, "%s is wanted both apart and together", other).WithField("together").WithHint("leave out one of the two")
		}
	}
	return w, nil
}

func checkWish(item string, names bool) *Error {
	key, value, isLabel := strings.Cut(item, "=")
	switch {
	case isLabel && value == "":
		return Errorf(Invalid, "%q has no value", item).WithHint("write KEY=VALUE, such as disk=nvme")
	case isLabel:
		return CheckLabel(key, value)
	case !names:
		return Errorf(Invalid, "%q is not a label", item).WithHint("write KEY=VALUE, such as disk=nvme")
	case !nameRule.MatchString(item):
		return Errorf(Invalid, "%q is neither a tenant's name nor a label", item).WithHint("write a name such as acme, or KEY=VALUE")
	}
	return nil
}

var labelRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$`)

// CheckLabel checks a label of a tenant or a member. The error is of code Invalid and field
// "labels"; it is nil where the label is good.
func CheckLabel(key, value string) *Error {
	if labelRule.MatchString(key) && Printable(value, 200) {
		return nil
	}
	return Errorf(Invalid, "%q=%q is not a label", key, value).WithField("labels").
		WithHint("write the key with 1 to 63 lower-case letters, digits, dots, slashes, underscores and hyphens, the value with at most 200 printable characters")
}

// Printable reports whether text is valid, has at most longest characters, and none that cannot
// be printed.
func Printable(text string, longest int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= longest &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
