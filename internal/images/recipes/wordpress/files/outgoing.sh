#!/bin/sh
# usage: lxdfleet-outgoing on|off|status
#
# Says whether this tenant sends mail, calls other servers and runs its
# scheduled jobs. A copy of a tenant does not until it is switched on here.
set -eu
state=/var/lib/lxdfleet
applied=/run/systemd/generator.early/php8.2-fpm.service.d/lxdfleet-quiet.conf

# apply makes what runs follow what is set.
apply() {
	systemctl daemon-reload
	if [ -e "$applied" ]; then
		systemctl stop timers.target cron.service postfix.service exim4.service 2>/dev/null || true
	else
		for unit in timers.target cron.service postfix.service exim4.service; do
			if systemctl is-enabled --quiet "$unit" 2>/dev/null || [ "$unit" = timers.target ]; then
				systemctl start "$unit"
			fi
		done
	fi
	systemctl restart php8.2-fpm.service
}

case ${1:-} in
on)
	rm -f $state/quiet
	cat /proc/sys/kernel/hostname /sys/class/net/eth0/address >$state/host || true # it may have no card
	apply
	;;
off)
	: >$state/quiet
	apply
	;;
status) ;;
*)
	sed -n '2s/^# //p' "$0" >&2
	exit 2
	;;
esac
if [ -e "$applied" ]; then
	echo "off: no mail, no calls to other servers, no scheduled jobs; lxdfleet-outgoing on switches them on"
else
	echo "on"
fi
