# Leaves in the instance what every clone may share, and no more. Runs in any
# system, down to a lone busybox: what is not there need not be cleaned.
set -u
build=$1
cd /
have() { command -v "$1" >/dev/null 2>&1; }

# Packages' archives and lists.
if have apt-get; then apt-get clean; fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apk/* /var/cache/dnf /var/cache/yum

# Identity: each clone makes its own.
for file in /etc/machine-id /var/lib/dbus/machine-id; do
	if [ -f "$file" ] && [ ! -L "$file" ]; then : >"$file"; fi
done
if [ -s /etc/machine-id ]; then
	echo "the machine-id cannot be emptied" >&2
	exit 1
fi
rm -f /etc/ssh/ssh_host_*key /etc/ssh/ssh_host_*key.pub
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /var/lib/dhcp/*.leases /var/lib/dhcpcd/*.lease /var/lib/NetworkManager/*lease*
rm -rf /var/lib/cloud/instance /var/lib/cloud/instances

# Secrets and traces of people.
rm -f /root/lxdfleet-credentials /root/.lxdfleet-secrets
for home in /root /home/*; do
	rm -rf "$home"/.*_history "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts" "$home/.cache" "$home/.gnupg"
	rm -f "$home"/.ssh/id_* "$home/.ssh/authorized_keys" "$home/.ssh/known_hosts"
done

# Logs. Services hold some open, so those are emptied, not removed.
rm -rf /var/log/journal/* /var/log/*.gz /var/log/*.[0-9] /var/log/*/*.gz /var/log/*/*.[0-9]
for log in /var/log/* /var/log/*/*; do
	if [ -f "$log" ] && [ ! -L "$log" ]; then : >"$log"; fi
done

# Temporary files, but not the folders of services that run.
for file in /tmp/* /tmp/.[!.]* /var/tmp/* /var/tmp/.[!.]*; do
	case $file in
	*/systemd-private-*) ;;
	*) rm -rf "$file" ;;
	esac
done
rm -rf "$build"
sync
