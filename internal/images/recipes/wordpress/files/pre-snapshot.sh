#!/bin/sh
# Holds the database still until standard input ends: see hold.php. One process
# with only the extensions it needs: writes wait for nothing else.
exec php8.2 -n -d extension=mysqlnd -d extension=mysqli /usr/share/lxdfleet/hold.php
