#!/bin/sh
# remove.sh DIRECTORY: removes what is left of a run, unless its supervisor holds it.
set -eu
directory=$1
exec 9> "$directory/lock"
flock --nonblock 9 || exit 0
if [ -e "$directory/hierarchies" ]; then
  while read -r parent; do
    find "$parent/${directory##*/}" -depth -type d -exec rmdir {} + || :
  done < "$directory/hierarchies"
fi
rm -rf --one-file-system "$directory"
