#!/bin/bash
# Gets everything that the tests need, on a fresh Debian as root; the second time there is little to do.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."

[ "$(id -u)" = 0 ] || {
  echo "test/setup.sh: run me as root: the tests make namespaces, mounts and containers" >&2
  exit 1
}

# shellcheck source=scripts/quickstart/packages.sh
. scripts/quickstart/packages.sh
install_packages containerd runc containernetworking-plugins iptables conntrack busybox-static bash-static \
  docker-registry skopeo iproute2 util-linux procps faketime
install_modules
npm run --silent build

# Newer containerds are unpacked beside the distribution's, never installed over it.
bash test/bed/fetch-containerd.sh 2 forky || true
