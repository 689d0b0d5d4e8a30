#!/bin/sh
# Installs ipcauth from its portable archive, after the checksum was verified: nothing is unpacked before that.
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
      echo "Verifies the portable archive for this machine by its line in SHA256SUMS, and installs it below the prefix."
      echo "Without --from: from the release that this script was published with, or else from the directory it lies in."
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
need() { command -v "$1" >/dev/null 2>&1 || fail "there is no $1, and nothing was installed" "install the package $2"; }
need sha256sum coreutils
need tar tar
need gzip gzip
case $from in https://*) need curl curl ;; esac

work='' new='' old='' link=''
clean() { rm -rf -- ${work:+"$work"} ${new:+"$new"} ${old:+"$old"} ${link:+"$link"}; }
trap clean EXIT
# The trap for EXIT is not run for a signal by every shell, and not twice by any.
for signal in HUP INT TERM; do
  # shellcheck disable=SC2064 -- the signal of now
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
line=$(grep -E "^[0-9a-f]{64}  ipcauth-[0-9A-Za-z.+-]+-linux-$arch\.tar\.gz\$" "$work/SHA256SUMS") ||
  fail "SHA256SUMS names no archive for $arch" "this release has none; build one on such a machine: deno task portable"
[ "$(printf '%s\n' "$line" | wc -l)" -eq 1 ] ||
  fail "SHA256SUMS names more than one archive for $arch" "--from a directory with one release"
archive=${line##*  }
get "$archive"
(cd "$work" && printf '%s\n' "$line" | sha256sum --check --status -) ||
  fail "the checksum of $archive is wrong: nothing was installed" "download it again, and tell us if it stays so"

name=${archive%.tar.gz}
mkdir -p -- "$prefix/lib" "$prefix/bin"
# Unpacked beside the place where it belongs: whoever starts the program meanwhile finds the old one or the new one.
new=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
chmod 755 -- "$new"
tar -C "$new" --strip-components=1 --no-same-owner -xzf "$work/$archive"
target=$prefix/lib/$name
# Leads to a directory from one moment to the next: the link is made under another name, and renamed.
point() {
  link=$(mktemp -u -- "$prefix/bin/.ipcauth.XXXXXX")
  ln -s -- "../lib/$1/bin/ipcauth" "$link"
  mv -fT -- "$link" "$prefix/bin/ipcauth"
  link=
}
# From here on it takes a moment, and half of it is worse than all of it.
trap '' HUP INT TERM
if [ -d "$target" ]; then
  # The same version again. A directory cannot be replaced, so for a moment the program is the new one in the place where
  # it was unpacked, which stays until its twin (the same files under a second name) has the place of the old one.
  twin=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
  old=$(mktemp -d -- "$prefix/lib/.$name.XXXXXX")
  cp -al -- "$new/." "$twin/"
  unpacked=$new
  new=$twin
  point "${unpacked##*/}"
  # Who was just started still looks for the rest of it where it was.
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
