#!/bin/sh
# Writes this clone's page, and a password made once. Prints nothing secret.
set -eu
umask 022
if [ ! -s /root/lxdfleet-credentials ]; then
	(
		umask 077
		printf 'password: %s\n' "$(head -c 15 /dev/urandom | base64)" >/root/lxdfleet-credentials.new
		mv /root/lxdfleet-credentials.new /root/lxdfleet-credentials
	)
fi
cat >/srv/www/index.html.new <<HTML
<!doctype html>
<html lang="en">
<title>$LXDFLEET_TENANT</title>
<h1>$LXDFLEET_TENANT</h1>
<p>This site belongs to $LXDFLEET_TENANT and is served at $LXDFLEET_URL.</p>
<p>Machine $(cat /etc/machine-id)</p>
HTML
mv /srv/www/index.html.new /srv/www/index.html
echo "personalized for $LXDFLEET_URL"
