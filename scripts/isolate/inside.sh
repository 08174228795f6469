#!/bin/bash
# inside.sh COMMAND...: the first process of the namespaces that enter.sh made. Sets them up so that nothing of
# what COMMAND does stays on the machine, runs it, and ends with its status; the kernel then kills what is left.
set -euo pipefail

# The cgroup mounts show the machine's whole tree: mount them again, rooted in this namespace.
mapfile -t hierarchies < <(awk '$5 ~ "^/sys/fs/cgroup" { for (i = 6; i < NF; i++) if ($i == "-" && $(i + 1) ~ /^cgroup2?$/) print $5, $(i + 1), $(i + 3) }' /proc/self/mountinfo)
umount -R /sys/fs/cgroup
# Links under /sys/class/net are those of the network namespace that mounted sysfs.
mount -t sysfs sysfs /sys
case "${hierarchies[*]}" in
  '/sys/fs/cgroup cgroup2 '*) ;;
  *) mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup ;;
esac
for hierarchy in "${hierarchies[@]}"; do
  read -r mount type options <<<"$hierarchy"
  mkdir -p "$mount"
  if [ "$type" = cgroup2 ]; then
    mount -t cgroup2 cgroup2 "$mount"
    # With version 2 only leaves may hold processes: this shell and all that follows move into one.
    if [ -s "$mount/cgroup.controllers" ] && [ "$mount" = /sys/fs/cgroup ]; then
      mkdir "$mount/init"
      echo 0 >"$mount/init/cgroup.procs"
      for controller in $(cat "$mount/cgroup.controllers"); do
        echo "+$controller" >"$mount/cgroup.subtree_control" || true
      done
    fi
  else
    mount -t cgroup -o "$(tr ',' '\n' <<<"$options" | grep -vE '^(rw|ro|xattr|clone_children|release_agent=.*)$' | sed 's/^name=/none,name=/' | paste -sd,)" cgroup "$mount"
  fi
done

resolv=$(printf 'nameserver 192.0.2.53\nsearch bed.test\noptions ndots:5')
hosts=$(cat /etc/hosts)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns /run/bed/tmp

# Writes below these folders land in memory. A checkout that lies below one stays as it is: there only the
# folders that matter are covered.
checkout=$(readlink -f -- "$(dirname -- "$0")/../..")
for folder in /etc /var/lib /var/log; do
  [ -d "$folder" ] || continue
  layer=/run/bed/cover${folder//\//-}
  mkdir -p "$layer/upper" "$layer/work"
  case "$checkout/" in "$folder"/*) continue ;; esac
  mount -t overlay -o "lowerdir=$folder,upperdir=$layer/upper,workdir=$layer/work" overlay "$folder" || continue
done
for folder in /etc/cni/net.d /var/lib/cni /var/lib/kubelet /var/lib/containerd /var/lib/nodelet /var/lib/docker-registry /var/log/pods /var/log/containers; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
if mountpoint -q /etc; then
  rm -f /etc/resolv.conf /etc/hosts
  echo "$resolv" >/etc/resolv.conf
  echo "$hosts" >/etc/hosts
fi

# A link that is up, the node's address, and a default route that leads nowhere.
ip link set lo up
ip link add node0 type veth peer name uplink
ip address add "${BED_ADDRESS:-192.0.2.10}/24" dev node0
ip link set uplink up
ip link set node0 up
ip route add default via 192.0.2.1 dev node0
echo 1 >/proc/sys/net/ipv4/ip_forward

# Settings of the whole kernel that an agent in the kubelet role changes: no namespace holds them, so they are put back.
settings=(vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes)
declare -A found
for setting in "${settings[@]}"; do
  found[$setting]=$(cat "/proc/sys/$setting" 2>/dev/null || true)
done

# Without job control a shell starts background programs with SIGINT ignored, and they hand that on: undo it.
env --default-signal=INT,QUIT -- "$@" <&0 &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' TERM
trap : INT
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done
for setting in "${settings[@]}"; do
  [ -z "${found[$setting]}" ] || echo "${found[$setting]}" 2>/dev/null >"/proc/sys/$setting" || true
done
exit "$status"
