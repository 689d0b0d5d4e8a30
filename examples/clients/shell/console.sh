#!/bin/sh
# Prints the users that a server knows, as JSON: console.sh SOCKET
set -eu
socket=${1:-/run/ipcauth/ipc.sock}
if [ ! -S "$socket" ]; then
  echo "there is no socket $socket" >&2
  exit 69
fi
# -t: after the end of its input, socat waits for the answer.
lines=$(echo '{"jsonrpc":"2.0","id":1,"method":"users.list"}' |
  socat -t 10 - "UNIX-CONNECT:$socket" 2>/dev/null) || :
# A refused client reads end-of-file, and not one byte.
if [ -z "$lines" ]; then
  echo "$socket refuses uid $(id -u), or no server is listening" >&2
  exit 77
fi
# The first line is the welcome.
answer=$(printf '%s\n' "$lines" | sed -n 2p)
case $answer in
  *'"result":'*) printf '%s\n' "$answer" ;;
  *) printf '%s\n' "$answer" >&2; exit 65 ;;
esac
