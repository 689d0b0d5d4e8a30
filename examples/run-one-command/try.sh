#!/usr/bin/env bash
# The example with a socket and a configuration in a new directory. Prints each command and its
# output, checks each, and removes everything. Needs root, ipcauth on PATH, and socat.
set -euo pipefail
missing=()
[ "$EUID" = 0 ] || missing+=("root (sudo $0)")
for command in ipcauth socat; do
  command -v "$command" >/dev/null || missing+=("$command on PATH")
done
if [ "${#missing[@]}" -gt 0 ]; then
  printf 'failed: this needs %s\n' "${missing[@]}" >&2
  exit 1
fi

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
finish() {
  code=$?
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
fail() { echo "failed: $*" >&2; exit 1; }

# try EXPECTED-OUTPUT COMMAND... A peer that is denied reads end-of-file and no byte before it.
try() {
  local wanted=$1; shift
  echo "\$ $*"
  local said code=0; said=$("$@" < /dev/null 2>&1) || code=$?
  [ -z "$said" ] || echo "$said"
  [ "$said" = "$wanted" ] || fail "expected (exit code $code): $wanted"
}

chmod 755 "$work"
mkdir -m 755 "$work/run"
install -m 755 "$here/restart-web" "$work/restart-web"
sed -e "s|/run/ipcauth|$work/run|; s|/usr/local/sbin|$work|" \
  "$here/config.yaml" > "$work/config.yaml"
socket=$work/run/restart-web.sock
ipcauth serve --config "$work/config.yaml" 2> "$work/log" & server=$!
timeout 30 grep -qm1 '"listen"' < <(tail -n +1 -F --pid=$$ "$work/log" 2>/dev/null) ||
  fail "$(cat "$work/log")"

allowed() { printf 'restarting the web server for %s\ndone, as root' "$1"; }
echo "# alice and bob may:"
try "$(allowed alice)" ipcauth run-as 578 -- socat -t5 - "UNIX:$socket"
try "$(allowed bob)" ipcauth run-as 579 -- socat -t5 - "UNIX:$socket"
echo "# carol has access to other services of this machine, but not to this one:"
try "" ipcauth run-as 580 -- socat -t5 - "UNIX:$socket"
echo "# bob may no longer:"
try "bob: local_ipc_access is now false in $work/config.yaml" \
  ipcauth users deny bob --config "$work/config.yaml"
try "" ipcauth run-as 579 -- socat -t5 - "UNIX:$socket"
# A server that has ended has written all of its log.
kill "$server" && wait "$server" && server=
echo "# The log has each request and its user:"
grep -o '"event":"stderr".*' "$work/log" | grep -o '"message".*' | sed 's/pid [0-9]*/pid …/'
[ "$(grep -c '"event":"stderr"' "$work/log")" = 2 ] || fail "two connections were allowed"
[ "$(grep -c '"event":"deny"' "$work/log")" = 2 ] || fail "two connections were denied"
echo "# Every step came out as it must."
