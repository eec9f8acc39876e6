package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A field that is renamed has to be renamed in observed, too: else what is merely seen makes versions.
func TestObservedFieldsAreThere(t *testing.T) {
	for kind, document := range map[string]any{
		"domain": Domain{}, "snapshot": Snapshot{}, "backup": Backup{}, "image": Image{}, "member": Member{}, "proxy": Proxy{},
		"cluster": Cluster{}, "token": Token{}, "session": LoginSession{},
	} {
		var names []string
		for f := range reflect.TypeOf(document).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
		if len(observed(kind)) == 0 {
			t.Errorf("of a %s nothing is observed", kind)
		}
		for _, name := range observed(kind) {
			if !slices.Contains(names, name) {
				t.Errorf("a %s has no field %q", kind, name)
			}
		}
	}
}
