#!/bin/bash
# packages.sh: what the test machine is built and run with, where it is missing.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.."
# shellcheck source=scripts/quickstart/packages.sh
. scripts/quickstart/packages.sh
install_packages mmdebstrap qemu-system-x86 e2fsprogs
