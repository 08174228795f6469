#!/bin/bash
# enter.sh GROUP COMMAND...: runs COMMAND in network, mount, PID and cgroup namespaces of its own.
# This half moves itself into a cgroup named GROUP of every mounted hierarchy (the root of the new cgroup
# namespace) and becomes unshare; inside.sh does the rest. Whoever called removes the cgroups afterwards.
set -euo pipefail
group=$1
shift
while read -r mount type; do
  mkdir -p "$mount/$group"
  if [ "$type" = cgroup2 ]; then
    # Children get only the controllers that every parent hands on. A hybrid machine has none to hand on here.
    for controller in $(cat "$mount/cgroup.controllers"); do
      echo "+$controller" >"$mount/cgroup.subtree_control" 2>/dev/null || true
    done
  fi
  if [ -e "$mount/$group/cpuset.cpus" ] && [ "$type" = cgroup ]; then
    # A new cpuset of version 1 is empty, and no process may enter it so.
    cat "$mount/cpuset.cpus" >"$mount/$group/cpuset.cpus"
    cat "$mount/cpuset.mems" >"$mount/$group/cpuset.mems"
  fi
  echo $$ >"$mount/$group/cgroup.procs"
done < <(awk '$5 ~ "^/sys/fs/cgroup" { for (i = 6; i < NF; i++) if ($i == "-" && $(i + 1) ~ /^cgroup2?$/) print $5, $(i + 1) }' /proc/self/mountinfo)

here=$(dirname -- "$(readlink -f -- "$0")")
exec unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc --cgroup \
  -- bash "$here/inside.sh" "$@"
