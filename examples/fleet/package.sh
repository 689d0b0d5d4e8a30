#!/bin/sh
# package.sh DENO DIRECTORY OUTPUT: in the namespaces of the fleet, builds the Debian package. What
# the build writes to dist/ stays in memory, so that a build that is killed leaves nothing there.
set -eu
deno=$1 directory=$2 output=$3
cd "$(dirname "$0")/../.."
mkdir -p dist "$directory/dist"
mount -t tmpfs -o mode=755 tmpfs "$directory/dist"
mkdir "$directory/dist/upper" "$directory/dist/work"
mount -t overlay -o "lowerdir=dist,upperdir=$directory/dist/upper,workdir=$directory/dist/work" \
  overlay dist
exec "$deno" run --quiet --config deno.json -P=build examples/fleet/package.ts \
  "$directory/tree" "$output"
