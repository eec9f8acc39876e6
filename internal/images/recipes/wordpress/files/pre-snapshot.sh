#!/bin/sh
# Holds the database still, all tables flushed, until post-snapshot.sh or for
# a minute at most. Reads go on; writes wait. The lock lives as long as the
# session that took it, so a client idles in a unit of its own, whatever
# becomes of this script's caller; when the client ends, the lock is gone.
set -eu
unit=lxdfleet-quiesce.service
systemctl stop $unit 2>/dev/null || true
# systemd-run returns once the client has told that it holds the lock.
if ! systemd-run --quiet --collect --unit $unit \
	--property Type=notify --property NotifyAccess=all \
	--property TimeoutStartSec=15 --property RuntimeMaxSec=70 \
	mariadb --execute 'SET SESSION lock_wait_timeout = 10;
FLUSH TABLES WITH READ LOCK;
\! systemd-notify --ready && sleep 60
'; then
	echo "pre-snapshot: MariaDB did not give the lock; journalctl -u $unit tells why" >&2
	exit 1
fi
sync -f /var/lib/mysql
