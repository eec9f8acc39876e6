package apifake

import (
	"context"
	"net/url"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// OpenID is a provider that believes everybody: who comes back with the code NAME has the
// subject NAME there.
type OpenID struct{ fleet *Fleet }

// Issuer is the provider's address.
const Issuer = "https://id.example.org"

// Name is what people call it.
func (OpenID) Name() string { return "Agency ID" }

// Begin leads to the provider.
func (o OpenID) Begin(context.Context) (address, kept string, err error) {
	return Issuer + "/auth?state=s", "kept", o.fleet.fault("OpenID")
}

// Finish tells who came back.
func (o OpenID) Finish(_ context.Context, kept string, answer url.Values) (fleet.Identity, error) {
	if kept != "kept" || answer.Get("state") != "s" {
		return fleet.Identity{}, fleet.Errorf(fleet.Unauthenticated, "this browser has begun no login").WithHint("begin again")
	}
	return fleet.Identity{Issuer: Issuer, Subject: answer.Get("code")}, o.fleet.fault("OpenID")
}
