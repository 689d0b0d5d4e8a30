#!/bin/sh
# Installs ipcauth from its portable archive, after the checksum was verified: nothing is unpacked before that.
#
#   install.sh [--prefix /usr/local] [--from DIRECTORY-OR-URL]
#
# Without --from: the release that this script was published with, or else the directory it lies in.
set -eu
prefix=/usr/local
from=@BASE@
case $from in @*) from=$(dirname -- "$0") ;; esac
fail() { echo "install.sh: error: $1" >&2; [ -z "${2:-}" ] || echo "hint: $2" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?} ;;
    --from) from=${2:?} ;;
    *) fail "there is no flag $1" "install.sh [--prefix /usr/local] [--from DIRECTORY-OR-URL]" ;;
  esac
  shift 2
done
[ "$(uname -s)" = Linux ] || fail "ipcauth runs on Linux"
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) fail "there is no build for $(uname -m)" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() {
  case $from in
    https://*) curl -fsSL --proto '=https' -o "$work/$1" "$from/$1" || fail "cannot download $from/$1" ;;
    http://*) fail "$from is not encrypted" "use https" ;;
    *) cp -- "$from/$1" "$work/$1" || fail "there is no $from/$1" ;;
  esac
}
get SHA256SUMS
line=$(grep -E "  ipcauth-[0-9A-Za-z.+-]+-linux-$arch\.tar\.gz\$" "$work/SHA256SUMS") ||
  fail "SHA256SUMS names no archive for $arch"
archive=${line##*  }
get "$archive"
(cd "$work" && printf '%s\n' "$line" | sha256sum --check --status -) ||
  fail "the checksum of $archive is wrong: nothing was installed" "download it again, and tell us if it stays so"

name=${archive%.tar.gz}
mkdir -p -- "$prefix/lib" "$prefix/bin"
# Beside the place where it belongs, so that a program that runs meanwhile finds the old one or the new one.
new=$prefix/lib/.$name.new
rm -rf -- "$new"
mkdir -- "$new"
tar -C "$new" --strip-components=1 --no-same-owner -xzf "$work/$archive"
rm -rf -- "$prefix/lib/$name"
mv -- "$new" "$prefix/lib/$name"
ln -sfn -- "../lib/$name/bin/ipcauth" "$prefix/bin/.ipcauth.new"
mv -f -- "$prefix/bin/.ipcauth.new" "$prefix/bin/ipcauth"
"$prefix/bin/ipcauth" --version
