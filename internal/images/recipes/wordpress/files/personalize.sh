#!/bin/sh
# Makes this clone its own: database password, salts, admin password, host
# keys, and the address it is served at. Run again, it keeps the secrets and
# takes the new address. Prints nothing secret. (The machine-id needs nothing:
# it is empty in the image, and systemd makes one at the first boot.)
#
# A copy of a tenant (LXDFLEET_COPY=1) gets secrets of its own too, and stays
# quiet, as quiet-generator.sh has made it, but with LXDFLEET_MAIL=1.
set -eu
umask 077
# One PHP process with no configuration and only the extensions it needs:
# a fifth of the time of WordPress's own start.
php8.2 -n -d extension=mysqlnd -d extension=mysqli /usr/share/lxdfleet/personalize.php
if [ -x /usr/sbin/sshd ] && [ ! -s /etc/ssh/ssh_host_ed25519_key ]; then
	ssh-keygen -q -t ed25519 -N '' -C "${LXDFLEET_TENANT:-}" -f /etc/ssh/ssh_host_ed25519_key
fi
# Quiet since it was started, and no longer to be.
if [ -d /run/systemd/generator.early/php8.2-fpm.service.d ] && [ ! -e /var/lib/lxdfleet/quiet ]; then
	/usr/sbin/lxdfleet-outgoing on
fi
