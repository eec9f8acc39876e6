package fleet

// Identity is what an OpenID provider says of somebody who has logged in there. Subject within
// Issuer is who it is; all else may change, and Roles and Tenants are in the provider's own words.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	Username, Name  string
	Roles, Tenants  []string
}

// Key is what a user here keeps of it: the issuer, a space, the subject.
func (i Identity) Key() string { return i.Issuer + " " + i.Subject }
