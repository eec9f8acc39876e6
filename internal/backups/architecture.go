package backups

import "runtime"

// architecture is LXD's word for the processor this daemon runs on, which is that of the cluster.
func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}
