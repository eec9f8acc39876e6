# Makes the root file system of the ZFS machine, its kernel and its initial file system: ./root.img,
# ./vmlinuz, ./initrd.img, with the ZFS modules built on the way. Runs in mount and process
# namespaces of its own.
# In the environment:
#   SUITE     release, such as bookworm
#   MIRROR    where its packages come from; empty: where debootstrap takes them from
#   SOURCES   lines of sources.list, with contrib: ZFS is there
#   INCLUDE   more packages, separated by blanks
#   KEY       public key that may log in as root
#   MODULES   folder that keeps the built modules, by the versions of kernel and ZFS
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
root=$PWD/root
built=$PWD/built

# put FILE writes standard input below the root file system.
put() {
	mkdir -p "$(dirname "$root/$1")"
	cat >"$root/$1"
}

step() { echo "zfs-root: $* ($(date -u +%T))"; }

# within ROOT COMMAND... runs a command there with /proc and /dev.
within() {
	local dir=$1
	shift
	mountpoint -q "$dir/proc" || mount -t proc proc "$dir/proc"
	mountpoint -q "$dir/dev" || mount --rbind /dev "$dir/dev"
	chroot "$dir" "$@"
}

install_in() {
	local dir=$1
	shift
	within "$dir" apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" </dev/null
}

step "the system"
debootstrap --variant=minbase --components=main,contrib \
	--include=systemd,systemd-sysv,dbus,udev,kmod,netbase,ca-certificates "$SUITE" "$root" ${MIRROR:+"$MIRROR"}
if [ -n "$SOURCES" ]; then printf '%s\n' "$SOURCES" | put etc/apt/sources.list; fi
put etc/apt/apt.conf.d/90lxdfleet <<'TXT'
APT::Install-Recommends "false";
Acquire::Languages "none";
TXT
# Nobody waits for a disk's promise here: the machine is thrown away.
echo force-unsafe-io | put etc/dpkg/dpkg.cfg.d/90lxdfleet
put etc/dpkg/dpkg.cfg.d/91lxdfleet <<'TXT'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
TXT
printf '#!/bin/sh\nexit 101\n' | put usr/sbin/policy-rc.d
chmod 755 "$root/usr/sbin/policy-rc.d"
# The initial file system has to find the disk, and nothing else.
put etc/initramfs-tools/conf.d/lxdfleet <<'TXT'
MODULES=list
COMPRESS=gzip
RESUME=none
TXT
printf '%s\n' virtio_pci virtio_blk ext4 | put etc/initramfs-tools/modules
within "$root" apt-get -qq update </dev/null

step "packages"
# shellcheck disable=SC2086 # a list of packages
install_in "$root" linux-image-cloud-amd64 initramfs-tools zfsutils-linux openssh-server $INCLUDE
kernel=$(basename "$root"/lib/modules/*)
zfs=$(chroot "$root" dpkg-query -W -f '${Version}' zfsutils-linux)

# The modules are built in a copy that is thrown away: compiler and headers are three times what
# the machine needs.
modules=$MODULES/$kernel-zfs-$zfs.tar
if [ ! -s "$modules" ]; then
	step "ZFS $zfs for $kernel"
	umount -l "$root/proc" "$root/dev"
	cp -a "$root" "$built"
	# Debugging symbols would be stripped again; -g0 saves making them.
	export KCFLAGS=-g0
	install_in "$built" dkms gcc make "linux-headers-$kernel"
	install_in "$built" zfs-dkms || true
	if ! ls "$built/lib/modules/$kernel/updates/dkms/zfs.ko"* >/dev/null; then
		tail -n 40 "$built"/var/lib/dkms/zfs/*/build/make.log || true
		echo "the ZFS modules were not built" >&2
		exit 1
	fi
	mkdir -p "$MODULES"
	tar -C "$built" -cf "$modules.partial" "lib/modules/$kernel/updates"
	mv "$modules.partial" "$modules"
	umount -l "$built/proc" "$built/dev"
	rm -rf --one-file-system "$built"
fi
tar -C "$root" --keep-directory-symlink -xf "$modules"
within "$root" depmod "$kernel"

step "settings"
put etc/modules-load.d/lxdfleet.conf <<'TXT'
zfs
br_netfilter
TXT
# Memory is for the tests; and a pool that nobody reads again need not be told at once.
echo 'options zfs zfs_arc_max=536870912' | put etc/modprobe.d/lxdfleet.conf
echo zfs-machine | put etc/hostname
printf '127.0.0.1 localhost zfs-machine\n' | put etc/hosts
: | put etc/fstab
: | put etc/machine-id
# What the emulator's own network has: no waiting for DHCP.
put etc/systemd/network/10-eth0.network <<'TXT'
[Match]
Name=eth0

[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
TXT
printf '%s\n' "$KEY" | put root/.ssh/authorized_keys
chmod 700 "$root/root/.ssh"
chmod 600 "$root/root/.ssh/authorized_keys"
put etc/ssh/sshd_config.d/lxdfleet.conf <<'TXT'
UseDNS no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxSessions 50
MaxStartups 50
TXT
# Tests start LXD and pools of their own, and nothing else may take the machine's time.
for unit in lxd.service lxd.socket lxd-containers.service lxd-startup.service lxcfs.service dnsmasq.service nftables.service \
	zfs-import-cache.service zfs-import-scan.service zfs-mount.service zfs-share.service zfs-zed.service \
	zfs-volume-wait.service zfs-load-module.service mariadb.service \
	apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer man-db.timer \
	logrotate.timer systemd-tmpfiles-clean.timer e2scrub_reap.service \
	systemd-networkd-wait-online.service systemd-firstboot.service systemd-hwdb-update.service \
	systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-resolved.service \
	getty@.service getty.target serial-getty@.service serial-getty@ttyS0.service console-getty.service; do
	ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
within "$root" systemctl -q enable systemd-networkd.service ssh.service
ln -sfn /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
rm -f "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/tmp/*

step "the disk"
umount -l "$root/proc" "$root/dev"
cp "$root/boot/vmlinuz-$kernel" vmlinuz
cp "$root/boot/initrd.img-$kernel" initrd.img
cp "$root/etc/ssh/ssh_host_ed25519_key.pub" host_key.pub
truncate -s 24G root.img.partial
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1,nodiscard -m 0 -d "$root" root.img.partial
mv root.img.partial root.img
rm -rf --one-file-system "$root"
step "done"
