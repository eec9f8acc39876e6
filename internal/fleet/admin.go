package fleet

import "regexp"

// Admin is who administers a tenant's application first. The golden image's personalize hook is
// told, and makes the account; what becomes of it later is the application's.
type Admin struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"` // for people
}

// adminEmail takes what needs no quoting in scripts and configuration files.
var adminEmail = regexp.MustCompile(`^[A-Za-z0-9._%+-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// Check fails with Invalid and the field at fault. None is well.
func (a *Admin) Check() error {
	switch {
	case a == nil:
		return nil
	case len(a.Email) > 200 || !adminEmail.MatchString(a.Email):
		return Errorf(Invalid, "%q is no mail address that can be used here", a.Email).WithField("admin.email").
			WithHint("give one such as jo@acme.example, of letters, digits and . _ %% + -")
	case !Printable(a.Name, 200):
		return Errorf(Invalid, "%q is too long or has characters that cannot be printed", a.Name).WithField("admin.name").
			WithHint("use at most 200 printable characters")
	}
	return nil
}
