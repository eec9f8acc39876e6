package store

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func testRecipe(t *testing.T, db database) {
	s, ctx := open(t, db), t.Context()
	random := make([]byte, mostRecipe)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	for hash, bundle := range map[string][]byte{
		"empty": {}, "small": []byte("a: 'b'\x00\\"), "one part": random[:recipePart], "more": random[:recipePart+1],
		"largest": random, "quotes": bytes.Repeat([]byte(`'`), 3*recipePart),
	} {
		for range 2 {
			ok(t, s.SaveRecipe(ctx, hash, bundle))
		}
		if got := must(s.Recipe(ctx, hash))(t); !bytes.Equal(got, bundle) {
			t.Errorf("%s: %d bytes came back changed from %d", hash, len(got), len(bundle))
		}
	}
	_, err := s.Recipe(ctx, "none")
	fails(t, err, fleet.NotFound, "", "none")
	fails(t, s.SaveRecipe(ctx, "huge", append(random, 1)), fleet.Invalid, "recipe", "16MiB")
	if n := race(t, 8, "", func(int) error { return s.SaveRecipe(ctx, "raced", random[:100]) }); n != 8 {
		t.Errorf("%d of 8 concurrent saves succeeded", n)
	}
}
