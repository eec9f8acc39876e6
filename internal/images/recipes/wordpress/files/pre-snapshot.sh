#!/bin/sh
# Holds the database still, all tables flushed, until post-snapshot.sh or for
# a minute at most. The lock lives as long as the session that took it, so a
# session is kept in a unit of its own.
set -eu
systemctl stop lxdfleet-quiesce.service 2>/dev/null || true
rm -f /run/lxdfleet-quiesced
systemd-run --quiet --collect --unit lxdfleet-quiesce --property RuntimeMaxSec=60 \
	sh -c '{ echo "FLUSH TABLES WITH READ LOCK; SYSTEM touch /run/lxdfleet-quiesced"; sleep 60; } | mariadb --unbuffered'
for _ in $(seq 1 500); do
	if [ -e /run/lxdfleet-quiesced ]; then
		sync -f /var/lib/mysql
		exit 0
	fi
	sleep 0.02
done
systemctl stop lxdfleet-quiesce.service 2>/dev/null || true
echo "pre-snapshot: MariaDB did not give the lock in 10 seconds" >&2
exit 1
