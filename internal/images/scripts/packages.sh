# Installs the packages named by the arguments, with all updates there are.
set -eu
if ! command -v apt-get >/dev/null 2>&1; then
	echo "This base has no apt-get: packages can be installed in Debian and its kin only." >&2
	exit 1
fi
# A run that was cut short may have left packages half-made.
dpkg --configure -a
apt() {
	apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
# The name service may be a moment later than the address.
tries=0
until apt update; do
	tries=$((tries + 1))
	if [ "$tries" -ge 5 ]; then exit 100; fi
	sleep 1
done
apt --no-install-recommends upgrade
apt --no-install-recommends install "$@"
