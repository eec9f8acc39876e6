package placement

// Standing is what the view's tenants add up to on a member.
type Standing struct {
	Member   Member
	Tenants  int
	Reserved Needs // what their plans promise
	Level    Level
}

// Standings gives that of every member, by name.
func Standings(view View) []Standing {
	l := openFor(view, ready(Wish{}))
	all := make([]Standing, len(l.places))
	for i, p := range l.places {
		all[i] = Standing{Member: p.Member, Tenants: p.tenants, Reserved: p.reserved, Level: l.level(p)}
	}
	return all
}
