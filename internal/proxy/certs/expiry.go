package certs

import "time"

// Expiries gives when the certificates of the table's hosts end, by the name in them: a host or
// a wildcard. Those that are not known to be there, because they were not looked at yet, are
// not among them. It asks no storage.
func (k *Keeper) Expiries() map[string]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make(map[string]time.Time, len(k.entries))
	for subject, e := range k.entries {
		if !e.notAfter.IsZero() && k.followed(subject) {
			all[subject] = e.notAfter
		}
	}
	return all
}
