# Makes a small Debian system (systemd, DHCP on eth0, nothing else) as a unified
# LXD image, ./base.tar. Runs in mount and process namespaces of its own.
# In the environment:
#   SUITE       release, such as bookworm
#   MIRROR      where its packages come from; empty: where debootstrap takes them from
#   KEYRING     keys of the mirror, a file; empty: debootstrap's own
#   COMPONENTS  separated by commas
#   INCLUDE     more packages, separated by commas; may be empty
#   SOURCES     lines of sources.list in the image; empty: the mirror, with updates
#               and security as Debian's mirrors have them
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=$PWD/image/rootfs
mkdir -p "$root"

# put FILE writes standard input below the root file system.
put() {
	mkdir -p "$(dirname "$root/$1")"
	cat >"$root/$1"
}

# resolved puts DHCP's name server into resolv.conf; the others are what an
# operator expects to find in any instance.
packages=systemd,systemd-sysv,dbus,iproute2,iputils-ping,netbase,ca-certificates,curl,less,procps
if [ "$SUITE" != bullseye ] && [ "$SUITE" != buster ]; then packages=$packages,systemd-resolved; fi
debootstrap --variant=minbase --components="$COMPONENTS" ${KEYRING:+--keyring="$KEYRING"} \
	--include="$packages${INCLUDE:+,$INCLUDE}" "$SUITE" "$root" ${MIRROR:+"$MIRROR"} || {
	if [ -s "$root/debootstrap/debootstrap.log" ]; then tail -n 5 "$root/debootstrap/debootstrap.log"; fi
	exit 1
}

# Where /sys is writable networkd waits for udev to announce eth0, and there is no
# udev. A read-only /sys is what systemd asks of a container manager.
put etc/systemd/system/sys-read-only.service <<'TXT'
[Unit]
Description=Make /sys read-only, as a container's should be
DefaultDependencies=no
ConditionVirtualization=container
Before=sysinit.target systemd-networkd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount -o remount,bind,ro /sys

[Install]
WantedBy=sysinit.target
TXT
# The MAC address as client id: a moved instance keeps its MAC address, and so
# its lease, while its machine-id may be made anew.
put etc/systemd/network/10-eth0.network <<'TXT'
[Match]
Name=eth0

[Network]
DHCP=ipv4
LinkLocalAddressing=ipv6
IPv6AcceptRA=yes
IPv6DuplicateAddressDetection=0

[DHCPv4]
ClientIdentifier=mac
UseHostname=no
UseMTU=yes
TXT
put etc/systemd/resolved.conf.d/lxdfleet.conf <<'TXT'
[Resolve]
LLMNR=no
MulticastDNS=no
DNSStubListener=no
TXT
ln -sfn /run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
chroot "$root" systemctl -q enable sys-read-only.service systemd-networkd.service systemd-resolved.service

if [ -n "$SOURCES" ]; then
	printf '%s\n' "$SOURCES" | put etc/apt/sources.list
elif [ "$SUITE" != sid ] && [ "$SUITE" != unstable ]; then
	# debootstrap has written the release itself.
	read -r _ uri _ parts <"$root/etc/apt/sources.list"
	uri=${uri%/}
	{
		echo "deb $uri $SUITE $parts"
		echo "deb $uri $SUITE-updates $parts"
		echo "deb $uri-security $SUITE-security $parts"
	} | put etc/apt/sources.list
fi
put etc/apt/apt.conf.d/90lxdfleet <<'TXT'
APT::Install-Recommends "false";
Acquire::Languages "none";
TXT
put etc/dpkg/dpkg.cfg.d/90lxdfleet <<'TXT'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
TXT

# Nothing may wait for hardware, for the network or for a terminal: an instance
# is up when its services are. Kernel modules are the host's affair, kernel
# arguments (network-generator) too, users are made by packages when they are
# installed, and utmp records logins at terminals, of which there are none.
for unit in systemd-networkd-wait-online.service systemd-udevd.service \
	systemd-journald-audit.socket systemd-firstboot.service \
	systemd-remount-fs.service systemd-modules-load.service \
	sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
	sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount \
	systemd-hwdb-update.service systemd-pstore.service \
	modprobe@.service systemd-sysusers.service systemd-network-generator.service \
	systemd-update-utmp.service systemd-update-utmp-runlevel.service \
	apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \
	dpkg-db-backup.timer getty@.service console-getty.service \
	container-getty@.service getty.target; do
	ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done

# What every instance may share, and no more. The machine-id is empty, not
# "uninitialized": systemd then makes one at each first boot without taking it
# for a first boot with presets to apply.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
: >"$root/etc/machine-id"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/tmp/* \
	"$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/*
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete

mkdir -p image/templates
cat >image/metadata.yaml <<TXT
architecture: $(uname -m)
creation_date: $(date +%s)
properties:
  os: Debian
  release: $SUITE
  variant: lxdfleet
  description: Debian $SUITE, minimal with systemd
templates:
  /etc/hostname:
    when: [create, copy, rename]
    template: hostname.tpl
  /etc/hosts:
    when: [create, copy, rename]
    template: hosts.tpl
TXT
echo '{{ container.name }}' >image/templates/hostname.tpl
cat >image/templates/hosts.tpl <<'TXT'
127.0.0.1	localhost
127.0.1.1	{{ container.name }}
::1		localhost ip6-localhost ip6-loopback
TXT
# Not compressed: members unpack it faster than they would have to unzip it.
tar -C image --numeric-owner --xattrs --acls -cf base.tar metadata.yaml templates rootfs
rm -rf --one-file-system image
