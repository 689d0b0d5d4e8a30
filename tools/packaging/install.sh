#!/bin/sh
# Installs the executable of ipcauth. Nothing is run before its checksum is verified.
set -eu
umask 022
usage='usage: install.sh [--prefix /usr/local] [--from DIRECTORY-OR-URL]'
prefix=/usr/local
from=@BASE@
case $from in @*) from=$(dirname -- "$0") ;; esac
fail() { echo "install.sh: error: $1" >&2; [ -z "${2:-}" ] || echo "hint: $2" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --from)
      [ -n "${2:-}" ] || fail "$1 needs a value" "$usage"
      case $1 in --prefix) prefix=$2 ;; *) from=$2 ;; esac
      shift
      ;;
    --prefix=?*) prefix=${1#*=} ;;
    --from=?*) from=${1#*=} ;;
    --prefix= | --from=) fail "${1%=} needs a value" "$usage" ;;
    -h | --help)
      echo "$usage"
      echo
      echo "Verifies the executable for this machine by its line in SHA256SUMS,"
      echo "and installs it as bin/ipcauth below the prefix."
      echo "Without --from, it installs from the release that this script was published with,"
      echo "or else from the directory that the script is in."
      exit
      ;;
    *) fail "there is no flag $1" "$usage" ;;
  esac
  shift
done
[ "$(uname -s)" = Linux ] || fail "ipcauth runs on Linux"
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) fail "there is no build for $(uname -m)" ;;
esac
need() {
  command -v "$1" >/dev/null 2>&1 ||
    fail "there is no $1, and nothing was installed" "install the package $2"
}
need sha256sum coreutils
case $from in https://*) need curl curl ;; esac

work='' new=''
clean() { rm -rf -- ${work:+"$work"} ${new:+"$new"}; }
trap clean EXIT
# Not every shell runs the EXIT trap for a signal.
for signal in HUP INT TERM; do
  # shellcheck disable=SC2064
  # The signal is expanded here, for each signal.
  trap "trap - EXIT $signal; clean; kill -s $signal \$\$" "$signal"
done
work=$(mktemp -d)
# get NAME FILE: copies or downloads a file of the release.
get() {
  case $from in
    https://*) curl -fsSL --proto '=https' -o "$2" "$from/$1" || fail "cannot download $from/$1" ;;
    http://*) fail "$from is not encrypted" "use https" ;;
    *) cp -- "$from/$1" "$2" || fail "there is no $from/$1" ;;
  esac
}
get SHA256SUMS "$work/SHA256SUMS"
name=ipcauth-linux-$arch
line=$(grep -E "^[0-9a-f]{64}  $name\$" "$work/SHA256SUMS") ||
  fail "SHA256SUMS names no executable for $arch" \
    "this release has none; build one: deno task compile"
[ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] ||
  fail "SHA256SUMS names more than one executable for $arch" "--from a directory with one release"

# Beside its final place, so that a rename replaces the old executable: at every moment,
# bin/ipcauth is the old one or the new one.
mkdir -p -- "$prefix/bin"
new=$(mktemp -- "$prefix/bin/.ipcauth.XXXXXX")
get "$name" "$new"
printf '%s  %s\n' "${line%%  *}" "$new" | sha256sum --check --status - ||
  fail "the checksum of $name is wrong: nothing was installed" \
    "download it again; if it is still wrong, report it to the publisher"
chmod 755 -- "$new"
version=$("$new" --version) ||
  fail "the executable does not run here: nothing was installed" \
    "it needs the GNU C library, 2.34 or newer: Debian 12, Ubuntu 22.04, RHEL 9, or a container"
mv -fT -- "$new" "$prefix/bin/ipcauth"
new=
printf '%s\n' "$version"
