#!/bin/sh
# Brings the database to the version of the programs in this image.
set -eu
mariadb-upgrade --silent
cd /srv/mautic
runuser -u www-data -- php bin/console cache:clear --no-interaction
runuser -u www-data -- php bin/console doctrine:migrations:migrate --no-interaction
systemctl start mautic-jobs.timer
