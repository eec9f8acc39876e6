#!/bin/sh
# Keeps a copy of a tenant from writing to its customers. Run by systemd before
# anything else starts: PHP gets no network and no way to send mail, and nothing
# runs by the clock or sends what a mail server has queued. Visitors are
# served as ever. That holds for an instance that has neither the name nor the
# network card that it was personalised with (a renamed tenant has kept the
# one, a recovered tenant the other), and where lxdfleet-outgoing says so.
set -eu
state=/var/lib/lxdfleet
early=$2
[ -r $state/host ] || exit 0
{ read -r name && read -r card; } <$state/host || card=none
read -r name_now </proc/sys/kernel/hostname
read -r card_now 2>/dev/null </sys/class/net/eth0/address || card_now=
if [ ! -e $state/quiet ] && { [ "$name" = "$name_now" ] || [ "$card" = "$card_now" ]; }; then exit 0; fi
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
