#!/bin/bash
# mirror.sh: prints the first mirror in this machine's apt sources, of either kind, that carries Debian's own suites.
set -euo pipefail
found=$(
  for list in /etc/apt/sources.list.d/*.sources; do
    [ -e "$list" ] || continue
    awk -v RS= '!/\nEnabled: *no/ && /(^|\n)Types: *[^\n]*deb/' "$list" | sed -n 's/^URIs: *//p' | tr ' ' '\n'
  done
  sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
)
grep -m 1 -E '/debian(/|\.list)?$' <<<"$found" || {
  echo "no Debian mirror in the sources of apt" >&2
  exit 1
}
