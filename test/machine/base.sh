#!/bin/bash
# base.sh: builds the root of the test machine, once for each recipe, and prints the folder that holds disk.ext4,
# vmlinuz and initrd. Uses the mirror that this machine's apt already uses, and changes nothing of apt's.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
suite=trixie
packages=systemd-sysv,udev,dbus,linux-image-amd64,containerd,runc,containernetworking-plugins,iptables
packages+=,conntrack,busybox-static,iproute2,procps,kmod

# The recipe is this file and what it copies.
key=$(cat "$here/base.sh" "$here/machine-test.service" | sha256sum | cut -c1-16)
cache=${NODELET_TEST_CACHE:-/var/cache/nodelet-test}/machine
target=$cache/$suite-$key
if [ -e "$target/disk.ext4" ]; then
  echo "$target"
  exit 0
fi

mirror=$(bash "$here/../mirror.sh")
mkdir -p "$cache"
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "building the root of the test machine ($suite); this takes a few minutes" >&2

# Runs in mmdebstrap with the new root as its argument. No network: names come from nowhere, so nothing waits for
# them. The distribution's containerd must not start by itself: nodelet runs one of its own.
cat >"$work/customize" <<'HOOK'
#!/bin/sh
set -eu
root=$1
echo machine >"$root/etc/hostname"
printf '127.0.0.1 localhost machine\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
printf '/dev/vda / ext4 defaults 0 1\n/dev/vdb /opt/nodelet ext4 ro 0 0\n' >"$root/etc/fstab"
mkdir -p "$root/opt/nodelet" "$root/var/log/journal"
# A process that ignores TERM, as a container's first does by default, shall not hold up a shutdown for 90 s.
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStopSec=20s\n' >"$root/etc/systemd/system.conf.d/test.conf"
chroot "$root" systemctl --quiet disable containerd.service
chroot "$root" systemctl --quiet enable machine-test.service
chroot "$root" systemctl --quiet mask getty@tty1.service serial-getty@ttyS0.service apt-daily.timer \
  apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer
HOOK
chmod 755 "$work/customize"

timeout 900 nice -n 10 mmdebstrap --quiet --variant=minbase --include="$packages" \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "2"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook="copy-in $here/machine-test.service /etc/systemd/system" \
  --customize-hook="$work/customize" \
  "$suite" "$work/root" "$mirror" >&2

cp "$work"/root/boot/vmlinuz-* "$work/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/initrd"
truncate -s 3G "$work/disk.ext4"
mkfs.ext4 -q -F -L root -d "$work/root" "$work/disk.ext4"
rm -rf "$work/root" "$work/customize"
rm -rf "$cache/$suite-"*
mv "$work" "$target"
trap - EXIT
echo "$target"
