#!/bin/sh
# Sends standard input to a service with a key, and prints its answer: service.sh HOST:PORT KEY
set -eu
exec ipcauth connect --tcp="${1:-127.0.0.1:4569}" --key="${2:-/etc/ipcauth/bob.key}" --pipe
