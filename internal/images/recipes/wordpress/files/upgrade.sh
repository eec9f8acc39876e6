#!/bin/sh
# Brings the database to the version of the programs in this image: MariaDB's
# own tables first, then WordPress's.
set -eu
mariadb-upgrade --silent
cd /usr/share/wordpress
exec runuser -u www-data -- env HTTP_HOST=localhost php8.2 -r '
	define("WP_INSTALLING", true);
	require "/usr/share/wordpress/wp-load.php";
	require ABSPATH . "wp-admin/includes/upgrade.php";
	wp_upgrade();
'
