# shellcheck shell=bash
# Where this machine gets Debian's packages from. Source it.

# own_mirror RELEASE prints where this machine gets a release's packages from, if it does.
own_mirror() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
		awk -v release="$1" '$2 == release && !found {sub("/$", "", $1); print $1; found = 1}'
}
