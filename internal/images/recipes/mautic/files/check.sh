#!/bin/sh
# Checks the database from end to end, and what Mautic cannot be without.
exec php8.2 -n -d extension=mysqlnd -d extension=mysqli /usr/share/lxdfleet/check.php mautic users roles migrations
