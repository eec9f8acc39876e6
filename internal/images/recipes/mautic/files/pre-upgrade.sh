#!/bin/sh
# Lets running jobs end, and starts no more, before this tenant leaves.
set -eu
systemctl stop mautic-jobs.timer
for _ in $(seq 1 300); do
	if ! systemctl is-active --quiet mautic-jobs.service; then exit 0; fi
	sleep 1
done
echo "pre-upgrade: Mautic's jobs did not end in 5 minutes" >&2
exit 1
