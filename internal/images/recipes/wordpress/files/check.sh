#!/bin/sh
# Checks the database from end to end, and what a site cannot be without.
exec php8.2 -n -d extension=mysqlnd -d extension=mysqli /usr/share/lxdfleet/check.php \
	wordpress wp_options wp_posts wp_users wp_usermeta
