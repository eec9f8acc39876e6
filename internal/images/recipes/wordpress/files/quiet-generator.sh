#!/bin/sh
# Keeps a copy of a tenant from writing to its customers. Run by systemd before
# anything else starts: PHP gets no network and no way to send mail, and nothing
# runs by the clock or sends what a mail server has queued. Visitors are
# served as ever. That holds for an instance that has another name than the one
# it was personalised under, and where lxdfleet-outgoing has switched it on.
set -eu
state=/var/lib/lxdfleet
early=$2
read -r name 2>/dev/null <$state/host || exit 0
read -r here </proc/sys/kernel/hostname
if [ "$name" = "$here" ] && [ ! -e $state/quiet ]; then exit 0; fi
for unit in timers.target cron.service postfix.service postfix@-.service exim4.service; do
	ln -sfn /dev/null "$early/$unit"
done
mkdir -p "$early/php8.2-fpm.service.d"
cat >"$early/php8.2-fpm.service.d/lxdfleet-quiet.conf" <<'TXT'
[Service]
PrivateNetwork=yes
ExecStart=
ExecStart=/usr/sbin/php-fpm8.2 --nodaemonize --fpm-config /etc/php/8.2/fpm/php-fpm.conf -d sendmail_path=/bin/false
TXT
