#!/bin/bash
# npm run quickstart [-- --check | --isolated]: installs what is missing, builds, and runs nodelet standalone on
# deploy/examples/standalone with a live view of its pods. Ctrl-C ends it and cleans up.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."

[ "$(id -u)" = 0 ] || {
  echo "quickstart: run me as root: a node agent starts containers" >&2
  exit 1
}

# shellcheck source=scripts/quickstart/packages.sh
. scripts/quickstart/packages.sh
install_packages containerd runc containernetworking-plugins iptables conntrack busybox-static iproute2 util-linux procps
install_modules
npm run --silent build
exec node_modules/.bin/node scripts/quickstart/main.ts "$@"
