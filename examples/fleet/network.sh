#!/bin/sh
# network.sh DIRECTORY HOST...: in the namespaces of the fleet, the network between its hosts, and
# for each host a root of its own over the image.
set -eu
directory=$1
shift
# Files that systemd-nspawn keeps about containers.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir "$directory/hosts"
mount -t tmpfs -o mode=755 tmpfs "$directory/hosts"
ip link set lo up
ip link add fleet type bridge
ip link set fleet up
number=0
for host; do
  number=$((number + 1))
  own=$directory/hosts/$host
  mkdir -p "$own/upper" "$own/work" "$own/root"
  mount -t overlay -o "lowerdir=$directory/image,upperdir=$own/upper,workdir=$own/work" \
    overlay "$own/root"
  echo "$host" > "$own/root/etc/hostname"
  printf '[Match]\nName=host0\n[Network]\nAddress=10.57.9.%s/24\nLinkLocalAddressing=no\n' \
    "$number" > "$own/root/etc/systemd/network/10-host0.network"
done
