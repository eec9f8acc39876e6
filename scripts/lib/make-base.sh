#!/usr/bin/env bash
# Makes a small Debian system image for LXD (systemd, DHCP on eth0, little else) with
# debootstrap: a unified LXD image, metadata.yaml and rootfs/. Set in the environment:
#
#   SUITE       release, such as bookworm
#   MIRROR      where the packages come from; empty: where this machine's own come from
#   COMPONENTS  separated by commas; empty: main
#   INCLUDE     more packages, separated by commas
#   WORK        an empty folder to work in, on a disk that allows device files
#   OUT         the file to write, .tar.gz or .tar.xz
set -euo pipefail

: "${SUITE:?}" "${WORK:?}" "${OUT:?}"
MIRROR=${MIRROR:-} COMPONENTS=${COMPONENTS:-main} INCLUDE=${INCLUDE:-}
arch=$(dpkg --print-architecture)
work=$WORK
root=$work/image/rootfs

# resolved puts DHCP's name server into resolv.conf; the others are what an
# operator expects to find in any instance.
PACKAGES=systemd,systemd-sysv,systemd-resolved,dbus,iproute2,iputils-ping,netbase,ca-certificates,curl,less,procps

# Nothing here may wait for hardware, for the network or for a terminal: an
# instance is up when its services are.
MASKED=(systemd-networkd-wait-online.service systemd-udevd.service
	systemd-journald-audit.socket systemd-firstboot.service
	systemd-remount-fs.service systemd-modules-load.service
	sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
	sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount
	systemd-hwdb-update.service systemd-pstore.service
	apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
	dpkg-db-backup.timer getty@.service console-getty.service
	container-getty@.service getty.target)

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# put FILE writes standard input below the root file system.
put() {
	mkdir -p "$(dirname "$root/$1")"
	cat >"$root/$1"
}

# own_mirror CODENAME prints where this machine gets a release's packages from, if it does.
own_mirror() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
		awk -v release="$1" '$2 == release {sub("/$", "", $1); print $1; exit}'
}

bootstrap() {
	[ -n "$MIRROR" ] || MIRROR=$(own_mirror "$SUITE")
	# Without a mirror debootstrap takes the release's own.
	debootstrap --variant=minbase --arch="$arch" --components="$COMPONENTS" \
		--include="$PACKAGES${INCLUDE:+,$INCLUDE}" "$SUITE" "$root" ${MIRROR:+"$MIRROR"} ||
		die "debootstrap failed; its log is above. Are the mirror and the suite $SUITE right?"
}

# read_only_sys: where /sys is writable networkd waits for udev to announce
# eth0, and there is no udev. A read-only /sys is what systemd asks of a
# container manager.
read_only_sys() {
	put etc/systemd/system/sys-read-only.service <<-'TXT'
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
	chroot "$root" systemctl -q enable sys-read-only.service
}

configure_network() {
	read_only_sys
	# The MAC address as client id: a moved instance keeps its MAC address, and
	# so its lease, while its machine-id may be made anew.
	put etc/systemd/network/10-eth0.network <<-'TXT'
		[Match]
		Name=eth0

		[Network]
		DHCP=ipv4
		LinkLocalAddressing=ipv6
		IPv6AcceptRA=yes
		IPv6DuplicateAddressDetection=0

		[DHCPv4]
		ClientIdentifier=mac
		UseMTU=yes
	TXT
	put etc/systemd/resolved.conf.d/lxdfleet.conf <<-'TXT'
		[Resolve]
		LLMNR=no
		MulticastDNS=no
		DNSStubListener=no
	TXT
	ln -sfn /run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
	chroot "$root" systemctl -q enable systemd-networkd.service systemd-resolved.service
}

configure_apt() {
	local release mirror
	# debootstrap has written the release itself; its updates come from where this machine's do.
	for release in "$SUITE-updates" "$SUITE-security"; do
		mirror=$(own_mirror "$release")
		[ -z "$mirror" ] || echo "deb $mirror $release ${COMPONENTS//,/ }" >>"$root/etc/apt/sources.list"
	done
	put etc/apt/apt.conf.d/90lxdfleet <<-'TXT'
		APT::Install-Recommends "false";
		Acquire::Languages "none";
	TXT
	put etc/dpkg/dpkg.cfg.d/90lxdfleet <<-'TXT'
		path-exclude=/usr/share/doc/*
		path-include=/usr/share/doc/*/copyright
		path-exclude=/usr/share/man/*
		path-exclude=/usr/share/info/*
		path-exclude=/usr/share/locale/*
	TXT
}

# clean leaves in the image what every instance may share, and no more.
clean() {
	local unit
	for unit in "${MASKED[@]}"; do
		ln -sfn /dev/null "$root/etc/systemd/system/$unit"
	done
	rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
	# Empty, not "uninitialized": systemd then makes an id at each first boot
	# without taking it for a first boot with presets to apply.
	: >"$root/etc/machine-id"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
		"$root"/usr/share/{man,info,locale}/* "$root"/tmp/*
	find "$root/usr/share/doc" -type f ! -name copyright -delete
	find "$root/usr/share/doc" -depth -type d -empty -delete
	mkdir -p "$root/var/log/journal" && rmdir "$root/var/log/journal"
}

metadata() {
	mkdir -p "$work/image/templates"
	cat >"$work/image/metadata.yaml" <<-TXT
		architecture: $(uname -m)
		creation_date: $(date +%s)
		properties:
		  os: Debian
		  release: $SUITE
		  variant: lxdfleet
		  description: Debian $SUITE ($arch), minimal with systemd
		templates:
		  /etc/hostname:
		    when: [create, copy, rename]
		    template: hostname.tpl
		  /etc/hosts:
		    when: [create, copy, rename]
		    template: hosts.tpl
	TXT
	echo '{{ container.name }}' >"$work/image/templates/hostname.tpl"
	cat >"$work/image/templates/hosts.tpl" <<-'TXT'
		127.0.0.1	localhost
		127.0.1.1	{{ container.name }}
		::1		localhost ip6-localhost ip6-loopback
	TXT
}

pack() {
	local compress
	case $OUT in
	*.tar.gz) compress='gzip -6' ;;
	*.tar.xz) compress='xz -T0 -3' ;;
	*) die "OUT must end in .tar.gz or .tar.xz, not \"$OUT\"" ;;
	esac
	# Under another name until it is whole: a killed run leaves no half image.
	tar -C "$work/image" --numeric-owner --xattrs --acls -I "$compress" \
		-cf "$OUT.partial" metadata.yaml templates rootfs
	mv "$OUT.partial" "$OUT"
}

mkdir -p "$root"
bootstrap
configure_network
configure_apt
clean
metadata
pack
