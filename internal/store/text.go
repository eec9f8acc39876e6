package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// mostText is the length in characters of the columns that hold words of callers and have an
// index. SQLite would take more, MySQL would not; both refuse it here.
const mostText = 255

// fits refuses text that its column cannot hold on every database.
func fits(field, text string) error {
	if n := utf8.RuneCountInString(text); n > mostText {
		return fleet.Errorf(fleet.Invalid, "it has %d characters", n).WithField(field).
			WithHint("use at most %d", mostText)
	}
	return nil
}

// clean makes text storable everywhere: bytes that are not UTF-8, which a program's output
// may well hold, become U+FFFD.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// toJSON encodes what cannot fail to be encoded: structs, maps and slices of strings.
func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// fromJSON decodes a column.
func fromJSON(column, text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("column %s: %w", column, err)
	}
	return nil
}

// marks gives n question marks in brackets, "(?, ?, ?)".
func marks(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")" }

// flag is how a bool is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
