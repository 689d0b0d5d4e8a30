#!/bin/sh
{ # The shell reads up to the last brace before it runs a line: a script that was cut is an error.
# Installs the executable of ipcauth. Nothing is run before its checksum is verified.
set -eu
umask 022

usage='usage: install.sh [--prefix /usr/local] [--from DIRECTORY-OR-URL] [--uninstall]'

fail() {
  echo "install.sh: error: $1" >&2
  [ -z "${2:-}" ] || echo "hint: $2" >&2
  exit 1
}

print_help() {
  echo "$usage"
  echo
  echo "Verifies the executable for this machine by its line in SHA256SUMS,"
  echo "and installs it as bin/ipcauth below the prefix."
  echo "Without --from, it installs from the release that this script was published with,"
  echo "or else from the directory that the script is in."
  echo "With --uninstall, it removes bin/ipcauth below the prefix, and nothing else."
}

# value FLAG VALUE: fails where a flag has no value, or another flag in its place.
value() {
  case $2 in
    '') fail "$1 needs a value" "$usage" ;;
    -*) fail "$1 needs a value, and $2 begins with a dash" "a path such as ./$2; $usage" ;;
  esac
}

# need COMMAND PACKAGE
need() {
  command -v "$1" >/dev/null 2>&1 ||
    fail "there is no $1, and nothing was installed" "install the package $2"
}

# get NAME FILE: copies or downloads a file of the release.
get() {
  case $from in
    https://*)
      curl -fsSL --proto '=https' -o "$2" "$from/$1" ||
        fail "cannot download $from/$1: nothing was installed" \
          "--from DIRECTORY installs from files that are here"
      ;;
    http://*) fail "$from is not encrypted" "use https" ;;
    *)
      [ -f "$from/$1" ] || fail "there is no $from/$1" "--from the directory or URL of a release"
      cp "$from/$1" "$2" || fail "cannot copy $from/$1 to $2: nothing was installed"
      ;;
  esac
}

# The checksum of an executable in SHA256SUMS. A line may begin the name with an asterisk and end
# with a carriage return, as on other systems.
checksum() {
  found=
  while read -r sum listed rest || [ -n "$sum" ]; do
    if [ "${listed#\*}" = "$1" ] && [ -z "$rest" ]; then
      [ -z "$found" ] ||
        fail "SHA256SUMS names more than one executable for $arch" \
          "--from a directory with one release"
      found=$sum
    fi
  done <"$work/sums"
  [ -n "$found" ] ||
    fail "SHA256SUMS names no executable for $arch" \
      "this release has none; build one: deno task compile"
  case $found in
    *[!0-9a-f]*) false ;;
    *) [ ${#found} -eq 64 ] ;;
  esac || fail "the line of $1 in SHA256SUMS has no checksum: $found" "download SHA256SUMS again"
}

# Makes the directory, and remembers the first one that was made.
make_directory() {
  [ ! -d "$1" ] || return 0
  case $1 in */*) parent=${1%/*} ;; *) parent=. ;; esac
  # Of "/name", nothing is left.
  [ -z "$parent" ] || make_directory "$parent"
  mkdir "$1" 2>/dev/null && made="$1
$made" || [ -d "$1" ] ||
    fail "cannot make the directory $1: nothing was installed" \
      "run this as root, or install for yourself: --prefix \"\$HOME/.local\""
}

# Removes what an unfinished installation has made: a directory only while it is empty.
clean() {
  [ -z "$work" ] || rm -rf "$work"
  [ -z "$new" ] || rm -f "$new"
  [ -n "$made" ] || return 0
  printf '%s' "$made" | while read -r directory; do
    [ -z "$directory" ] || rmdir "$directory" 2>/dev/null || :
  done
}

# name_others: says what else of ipcauth this machine has.
name_others() {
  for directory in "$prefix"/lib/ipcauth-*-linux-*; do
    [ ! -d "$directory" ] || echo "note: $directory is an earlier version: it may be removed" >&2
  done
  other=$(command -v ipcauth) || return 0
  [ "$other" = "$target" ] || cmp -s "$other" "$target" ||
    echo "note: PATH finds another one: $other" >&2
}

uninstall() {
  [ -f "$target" ] || [ -h "$target" ] || fail "there is no $target" "$usage"
  rm -f "$target" 2>/dev/null || fail "cannot remove $target" "run this as root"
  echo "removed $target"
  name_others
  [ ! -d /etc/ipcauth ] || echo "note: the configuration and the keys stay in /etc/ipcauth" >&2
}

install_executable() {
  need sha256sum coreutils
  case $from in https://*) need curl curl ;; esac
  # Before anything is downloaded: may the executable be written there?
  [ ! -d "$target" ] || fail "$target is a directory, or a link to one" "move it out of the way"
  trap clean EXIT
  # Not every shell runs the EXIT trap for a signal. Each trap contains its own signal.
  for signal in HUP INT TERM; do
    # shellcheck disable=SC2064
    trap "trap - EXIT $signal; clean; kill -s $signal \$\$" "$signal"
  done
  make_directory "$prefix/bin"
  # Beside its final place, so that a rename replaces the old executable: at every moment,
  # bin/ipcauth is the old one or the new one.
  new=$(mktemp "$prefix/bin/.ipcauth.XXXXXX" 2>/dev/null) ||
    fail "cannot write to $prefix/bin: nothing was installed" \
      "run this as root, or install for yourself: --prefix \"\$HOME/.local\""
  work=$(mktemp -d "${TMPDIR:-/tmp}/ipcauth.XXXXXX" 2>/dev/null) ||
    fail "cannot write to ${TMPDIR:-/tmp}: nothing was installed" "set TMPDIR to another directory"

  get SHA256SUMS "$work/SHA256SUMS"
  tr -d '\r' <"$work/SHA256SUMS" >"$work/sums"
  name=ipcauth-linux-$arch
  checksum "$name"
  expected=$found
  get "$name" "$new"
  actual=$(sha256sum <"$new") || fail "cannot read $new: nothing was installed"
  [ "${actual%% *}" = "$expected" ] ||
    fail "the checksum of $name is wrong: nothing was installed" \
      "download it again; if it is still wrong, report it to the publisher"
  chmod 755 "$new"
  if ! version=$("$new" --version 2>"$work/error"); then
    cat "$work/error" >&2
    case $(cat "$work/error") in
      *libgcc_s*) hint='it needs libgcc_s.so.1: install the package libgcc-s1, or libgcc' ;;
      *)
        hint='it needs the GNU C library, 2.34 or newer: Debian 12, Ubuntu 22.04, RHEL 9,'
        hint="$hint or a container"
        ;;
    esac
    fail "the executable does not run here: nothing was installed" "$hint"
  fi
  # A directory that has appeared meanwhile would take the file in.
  [ ! -d "$target" ] || fail "$target is a directory, or a link to one" "move it out of the way"
  mv -f "$new" "$target" || fail "cannot replace $target: the old one is still there"
  new='' made=''
  printf '%s\n' "$version"
  name_others
  call=ipcauth
  [ "$(command -v ipcauth)" = "$target" ] || call=$target
  printf '%s\n' "next: $call serve, and in another terminal $call connect; see $call help"
}

main() {
  prefix=/usr/local
  action=install
  work='' new='' made=''
  from=@BASE@
  case $from in @*)
    from=.
    case $0 in */*) from=${0%/*}/ ;; esac
    ;;
  esac
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --from)
        value "$1" "${2:-}"
        case $1 in --prefix) prefix=$2 ;; *) from=$2 ;; esac
        shift
        ;;
      --prefix=*)
        prefix=${1#*=}
        value --prefix "$prefix"
        ;;
      --from=*)
        from=${1#*=}
        value --from "$from"
        ;;
      --uninstall) action=uninstall ;;
      -h | --help)
        print_help
        exit
        ;;
      *) fail "there is no flag $1" "$usage" ;;
    esac
    shift
  done
  case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
  prefix=${prefix%/}
  target=$prefix/bin/ipcauth
  [ "$(uname -s)" = Linux ] || fail "ipcauth runs on Linux"
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "there is no build for $(uname -m)" ;;
  esac
  case $action in
    uninstall) uninstall ;;
    *) install_executable ;;
  esac
}

main "$@"
}
