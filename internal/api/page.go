package api

import (
	"encoding/base64"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const defaultLimit, maxLimit = 100, 1000

// pageOf reads the paging parameters; after is the key of the last item seen.
func pageOf(asked *Limit, cursor string) (size int, after string, err error) {
	limit := defaultLimit
	if asked != nil {
		limit = *asked
	}
	if limit < 1 || limit > maxLimit {
		return 0, "", fleet.Errorf(fleet.Invalid, "%d is out of range", limit).WithField("limit").
			WithHint("ask for 1 to %d items", maxLimit)
	}
	key, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, "", fleet.Errorf(fleet.Invalid, "%q is not a cursor", cursor).WithField("cursor").
			WithHint("give next_cursor of the page before, unchanged")
	}
	return limit, string(key), nil
}

// cut takes one item more than the page has as the sign that another page follows.
func cut[T any](items []T, size int, key func(T) string) (page []T, next string) {
	if len(items) <= size {
		return items, ""
	}
	page = items[:size]
	return page, base64.RawURLEncoding.EncodeToString([]byte(key(page[size-1])))
}
