#!/usr/bin/env bash
# An unmodified PostgreSQL behind ipcauth: a cluster in a new directory, with users that exist only
# in a mount namespace. Prints each command and its output, checks each, and removes everything.
# Needs root, ipcauth on PATH, and PostgreSQL. PORT is that of the key's listener: 4569 without it.
set -euo pipefail
missing=()
[ "$EUID" = 0 ] || missing+=("root (sudo $0)")
for command in ipcauth psql setpriv unshare; do
  command -v "$command" >/dev/null || missing+=("$command on PATH")
done
servers=(/usr/lib/postgresql/*/bin/initdb)
server=${servers[-1]}
[ -x "$server" ] || server=$(command -v initdb) || missing+=("PostgreSQL's initdb")
if [ "${#missing[@]}" -gt 0 ]; then
  printf 'failed: this needs %s\n' "${missing[@]}" >&2
  exit 1
fi
[ -n "${INSIDE:-}" ] || INSIDE=1 exec unshare --mount --propagation private -- "$0" "$@"

here=$(cd "$(dirname "$0")" && pwd)
bin=$(dirname "$(readlink -f "$server")")
work=$(mktemp -d)
pids=()
finish() {
  code=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
  [ -d "$work/data" ] && as_postgres "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1
  umount /etc/passwd /etc/group 2>/dev/null
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; }
fail() { echo "failed: $*" >&2; exit 1; }

# try EXPECTED-CODE EXPECTED-TEXT COMMAND...
try() {
  local code=0 wanted=$1 text=$2; shift 2
  echo "\$ $*"
  "$@" > "$work/out" 2>&1 < /dev/null || code=$?
  cat "$work/out"
  [ "$code" = "$wanted" ] || fail "the exit code was $code, not $wanted"
  grep -qF -- "$text" "$work/out" || fail "the output lacks \"$text\""
}
# wait_for FILE TEXT: waits until the text is in the file
wait_for() {
  timeout 30 grep -qm1 -- "$2" < <(tail -n +1 -F --pid=$$ "$1" 2>/dev/null) || fail "$(cat "$1")"
}

chmod 755 "$work"
for name in passwd group; do cp "/etc/$name" "$work/$name"; done
sed -i -E '/^(alice|bob|carol):/d' "$work/passwd" "$work/group"
for user in alice:578 bob:579 carol:580; do
  echo "${user%:*}:x:${user#*:}:${user#*:}::/:/bin/sh" >> "$work/passwd"
  echo "${user%:*}:x:${user#*:}:" >> "$work/group"
done
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group

echo "# PostgreSQL, with peer authentication, and roles for alice and bob:"
mkdir -m 755 "$work/pg" "$work/ipcauth"
mkdir -m 700 "$work/data" "$work/tunnel"
chown postgres "$work/pg" "$work/data"
chown bob:bob "$work/tunnel"
cd /
as_postgres "$bin/initdb" -D "$work/data" -U postgres --auth-local=peer --auth-host=reject \
  > "$work/initdb.log"
grep '^local' "$work/data/pg_hba.conf" | head -n 1
as_postgres "$bin/pg_ctl" -D "$work/data" -w -l "$work/data/log" \
  -o "-k $work/pg -c listen_addresses= -c fsync=off" start > /dev/null
for role in alice bob; do
  as_postgres psql -qh "$work/pg" -U postgres -c "create role $role login" postgres
done

port=${PORT:-4569}
ipcauth gen-key "$work/bob.key" > /dev/null
sed -e "s|/run/ipcauth/postgresql|$work/ipcauth|; s|/run/postgresql|$work/pg|" \
  -e "s|/etc/ipcauth|$work|; s|127.0.0.1:4569|127.0.0.1:$port|" \
  "$here/config.yaml" > "$work/config.yaml"
ipcauth serve --config "$work/config.yaml" 2> "$work/log" & pids+=($!)
wait_for "$work/log" 'tcp:127.0.0.1'

who='select current_user, session_user'
echo "# bob is bob to PostgreSQL:"
try 0 "bob|bob" ipcauth run-as bob -- psql -Ath "$work/ipcauth" -d postgres -c "$who"
echo "# carol may connect, but PostgreSQL does not take her for bob:"
try 2 'Peer authentication failed for user "bob"' \
  ipcauth run-as carol -- psql -Ath "$work/ipcauth" -U bob -d postgres -c "$who"
echo "# alice has a role, but may not connect:"
try 2 'server closed the connection unexpectedly' \
  ipcauth run-as alice -- psql -Ath "$work/ipcauth" -d postgres -c "$who"

echo "# bob over TCP, with his key and a tunnel:"
install -o bob -g bob -m 600 "$work/bob.key" "$work/tunnel/bob.key"
ipcauth run-as bob -- ipcauth connect --tcp="127.0.0.1:$port" --key="$work/tunnel/bob.key" \
  --listen "unix:$work/tunnel/.s.PGSQL.5432" 2> "$work/tunnel.log" & pids+=($!)
wait_for "$work/tunnel.log" 'listening on'
try 0 "bob|bob" ipcauth run-as bob -- psql -Ath "$work/tunnel" -d postgres -c "$who"
try 2 'Peer authentication failed for user "alice"' \
  ipcauth run-as bob -- psql -Ath "$work/tunnel" -U alice -d postgres -c "$who"
echo "# Every step came out as it must."
