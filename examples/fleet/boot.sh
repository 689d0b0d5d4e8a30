#!/bin/sh
# boot.sh DIRECTORY HOST: in the namespaces of the fleet, boots a host in a cgroup of its own.
set -eu
directory=$1 host=$2
while read -r parent; do
  mkdir "$parent/${directory##*/}/$host"
  echo 0 > "$parent/${directory##*/}/$host/cgroup.procs"
done < "$directory/hierarchies"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe \
  --machine="$host" --network-bridge=fleet --bind="$directory/share:/srv/fleet" \
  --directory="$directory/hosts/$host/root"
