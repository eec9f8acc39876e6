package s3

import "time"

// Brief gives c with locks that end sooner.
func Brief(c *CertStorage, lease time.Duration) *CertStorage {
	c.lease = lease
	return c
}

// Abandon leaves a lock as a process does that was killed.
func Abandon(c *CertStorage, name string) {
	c.held[name].stop()
	delete(c.held, name)
}
