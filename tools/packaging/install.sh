#!/bin/sh
# Installs ipcauth from its portable archive. Nothing is unpacked before the checksum is verified.
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
      echo "Verifies the portable archive for this machine by its line in SHA256SUMS,"
      echo "and installs it below the prefix."
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
need tar tar
need gzip gzip
case $from in https://*) need curl curl ;; esac

work='' new='' old='' link=''
clean() { rm -rf -- ${work:+"$work"} ${new:+"$new"} ${old:+"$old"} ${link:+"$link"}; }
trap clean EXIT
# Not every shell runs the EXIT trap for a signal.
for signal in HUP INT TERM; do
  # shellcheck disable=SC2064 -- expanded here, for each signal
  trap "trap - EXIT $signal; clean; kill -s $signal \$\$" "$signal"
done
work=$(mktemp -d)
get() {
  case $from in
    https://*) curl -fsSL --proto '=https' -o "$work/$1" "$from/$1" || fail "cannot download $from/$1" ;;
    http://*) fail "$from is not encrypted" "use https" ;;
    *) cp -- "$from/$1" "$work/$1" || fail "there is no $from/$1" ;;
  esac
}
get SHA256SUMS
entry="^[0-9a-f]{64}  ipcauth-[0-9A-Za-z.+-]+-linux-$arch\.tar\.gz\$"
line=$(grep -E "$entry" "$work/SHA256SUMS") ||
  fail "SHA256SUMS names no archive for $arch" \
    "this release has none; build one on such a machine: deno task portable"
[ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] ||
  fail "SHA256SUMS names more than one archive for $arch" "--from a directory with one release"
archive=${line##*  }
get "$archive"
(cd "$work" && printf '%s\n' "$line" | sha256sum --check --status -) ||
  fail "the checksum of $archive is wrong: nothing was installed" \
    "download it again; if it is still wrong, report it to the publisher"

name=${archive%.tar.gz}
mkdir -p -- "$prefix/lib" "$prefix/bin"
# Unpacked beside its final directory: at every moment, bin/ipcauth is the old program or the new
# one.
new=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
chmod 755 -- "$new"
tar -C "$new" --strip-components=1 --no-same-owner -xzf "$work/$archive"
target=$prefix/lib/$name
# point DIRECTORY: replaces the link bin/ipcauth atomically, by renaming a new one.
point() {
  link=$(mktemp -u -- "$prefix/bin/.ipcauth.XXXXXX")
  ln -s -- "../lib/$1/bin/ipcauth" "$link"
  mv -fT -- "$link" "$prefix/bin/ipcauth"
  link=
}
# The rest takes at most 2 seconds and must not be interrupted halfway.
trap '' HUP INT TERM
if [ -d "$target" ]; then
  # The same version again. A directory cannot be replaced atomically. So the link points to the
  # unpacked directory until its twin (the same files, hard-linked) has replaced the old directory.
  twin=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
  old=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
  cp -al -- "$new/." "$twin/"
  unpacked=$new
  new=$twin
  point "${unpacked##*/}"
  # A program that was started just before still loads its files from the old directory.
  sleep 1
  mv -T -- "$target" "$old"
  mv -T -- "$twin" "$target"
  new=
  point "$name"
  sleep 1
  rm -rf -- "$unpacked"
else
  mv -T -- "$new" "$target"
  new=
  point "$name"
fi
"$prefix/bin/ipcauth" --version
