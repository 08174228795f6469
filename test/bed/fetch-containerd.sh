#!/bin/bash
# fetch-containerd.sh VERSION SUITE: unpacks the containerd of another Debian suite into the cache folder. Uses the
# mirror that this machine's apt already uses, with lists and caches of its own: the machine's are not touched.
# Where it can't be had, leaves a file that says why; the test run prints it as a skip.
set -euo pipefail
version=$1
suite=$2
cache=${NODELET_TEST_CACHE:-/var/cache/nodelet-test}
target=$cache/containerd-$version
reason=$target.missing
mkdir -p "$cache"
[ ! -x "$target/usr/bin/containerd" ] || exit 0

give_up() {
  echo "$1" >"$reason"
  echo "test/setup.sh: containerd $version is not available, its tests will be skipped: $1" >&2
  exit 1
}

here=$(dirname -- "$(readlink -f -- "$0")")
mirror=$(bash "$here/../mirror.sh" 2>/dev/null) || give_up 'no Debian mirror in the sources of apt'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/tree"
cat >"$work/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
options=(-q
  -o "Dir::Etc::SourceList=$work/debian.sources" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
timeout 180 apt-get "${options[@]}" update >"$work/log" 2>&1 ||
  give_up "the suite $suite can't be read from this machine's mirror: $(tail -n 1 "$work/log")"
cd "$work"
timeout 300 apt-get "${options[@]}" download containerd >"$work/log" 2>&1 ||
  give_up "the suite's package can't be fetched: $(tail -n 1 "$work/log")"
dpkg-deb -x containerd_*.deb "$work/tree"
for program in containerd containerd-shim-runc-v2 ctr; do
  if ldd "$work/tree/usr/bin/$program" 2>&1 | grep -q 'not found'; then
    give_up "$program of suite $suite needs newer libraries than this machine has"
  fi
done
found=$("$work/tree/usr/bin/containerd" --version) || give_up 'it does not run on this machine'
case $found in
  *[\ v]"$version".[0-9]*) ;;
  *) give_up "suite $suite has another version by now: $found" ;;
esac
rm -rf "$target"
mv "$work/tree" "$target"
rm -f "$reason"
echo "unpacked $found into $target"
