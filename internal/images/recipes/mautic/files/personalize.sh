#!/bin/sh
# Installs Mautic with this clone's own secrets; run again, it keeps them and
# takes the new address. Prints nothing secret.
#
# A copy of a tenant (LXDFLEET_COPY=1) gets secrets of its own too, and stays
# quiet, as quiet-generator.sh has made it, but with LXDFLEET_MAIL=1.
set -eu
umask 077
done=/var/lib/lxdfleet/personalized
secrets=/root/.lxdfleet-secrets
host=/var/lib/lxdfleet/host
quiet=/var/lib/lxdfleet/quiet
secret() { head -c 24 /dev/urandom | base64 | tr -d '+/='; }

# It was personalised with another name or another network card.
is_new() {
	[ -r $host ] || return 0
	{ read -r name && read -r card; } <$host || card=none
	[ "$name" != "$(cat /proc/sys/kernel/hostname)" ] || [ "$card" != "$(cat /sys/class/net/eth0/address)" ]
}

copy=
if [ -e "$done" ] && [ "${LXDFLEET_COPY:-}" = 1 ] && is_new; then
	copy=1
	rm -f "$secrets" /root/lxdfleet-credentials
	tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
	chmod 444 /etc/machine-id
fi

if [ ! -s "$secrets" ]; then
	printf 'db_password=%s\nadmin_password=%s\n' "$(secret)" "$(secret)" >"$secrets.new"
	mv "$secrets.new" "$secrets"
fi
. "$secrets"

for _ in $(seq 1 300); do
	if mariadb-admin ping >/dev/null 2>&1; then break; fi
	sleep 0.1
done
mariadb <<SQL
ALTER USER mautic@localhost IDENTIFIED BY '$db_password' ACCOUNT UNLOCK;
SQL

cd /srv/mautic
if [ ! -e "$done" ]; then
	if [ ! -s /root/lxdfleet-credentials ]; then
		printf 'url: %s/s/login\nuser: admin\npassword: %s\n' "$LXDFLEET_URL" "$admin_password" >/root/lxdfleet-credentials
	fi
	# The installer reads its answers from a file: arguments show in ps.
	cat >config/local.php <<PHP
<?php
\$parameters = [
	'db_driver' => 'pdo_mysql', 'db_host' => 'localhost', 'db_port' => 3306,
	'db_name' => 'mautic', 'db_user' => 'mautic', 'db_password' => '$db_password',
	'db_table_prefix' => null, 'db_backup_tables' => false,
	'admin_firstname' => 'Admin', 'admin_lastname' => '$LXDFLEET_TENANT',
	'admin_username' => 'admin', 'admin_password' => '$admin_password',
	'admin_email' => '${LXDFLEET_ADMIN_EMAIL:-admin@$LXDFLEET_DOMAIN}',
	'secret_key' => '$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')',
];
PHP
	chown www-data:www-data config/local.php
	runuser -u www-data -- php bin/console mautic:install "$LXDFLEET_URL" --no-interaction --force >/dev/null
	: >"$done"
else
	if [ -n "$copy" ]; then
		printf 'url: %s/s/login\nuser: admin\npassword: %s\n' "$LXDFLEET_URL" "$admin_password" >/root/lxdfleet-credentials
		hash=$(ADMIN_PASSWORD="$admin_password" php -r 'echo password_hash(getenv("ADMIN_PASSWORD"), PASSWORD_BCRYPT);')
		mariadb mautic <<SQL
UPDATE users SET password = '$hash' WHERE username = 'admin';
SQL
	fi
	# The secret key stays: what the database holds of other services is encrypted with it.
	SITE_URL="$LXDFLEET_URL" DB_PASSWORD="$db_password" php -r '
		require "config/local.php";
		$parameters["site_url"] = getenv("SITE_URL");
		$parameters["db_password"] = getenv("DB_PASSWORD");
		file_put_contents("config/local.php.new", "<?php\n\$parameters = " . var_export($parameters, true) . ";\n");
		chown("config/local.php.new", "www-data");
		rename("config/local.php.new", "config/local.php");
	'
	runuser -u www-data -- php bin/console cache:clear --no-interaction >/dev/null
fi
if [ -n "$copy" ] && [ "${LXDFLEET_MAIL:-}" != 1 ]; then : >$quiet; fi
cat /proc/sys/kernel/hostname /sys/class/net/eth0/address >$host || true # it may have no card
# Quiet since it was started, and no longer to be.
if [ -d /run/systemd/generator.early/php8.2-fpm.service.d ] && [ ! -e $quiet ]; then
	/usr/sbin/lxdfleet-outgoing on
fi
echo "personalized for $LXDFLEET_URL"
