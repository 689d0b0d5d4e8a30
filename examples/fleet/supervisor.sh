#!/bin/sh
# supervisor.sh DIRECTORY: holds the namespaces of a fleet, and prints the pid that is in them. When
# its standard input ends, also where the example was killed, it ends all their processes and
# removes the cgroups and the directory.
set -eu
trap '' HUP INT TERM
directory=$1
name=${directory##*/}
# Another run of the example removes what is left of this one when the lock is free.
exec 9> "$directory/lock"
flock --nonblock 9

# The cgroup of this process in each hierarchy that systemd uses.
hierarchies() {
  findmnt --raw --noheadings --output TARGET,FSTYPE,OPTIONS --types cgroup,cgroup2 |
    while read -r target type options; do
      case $type:$options in
        cgroup2:*) path=$(sed -n 's/^0:://p' /proc/self/cgroup) ;;
        *name=systemd*) path=$(sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup) ;;
        *) continue ;;
      esac
      [ -d "$target$path" ] || path=
      echo "$target${path%/}"
    done
}
hierarchies > "$directory/hierarchies"
while read -r parent; do mkdir "$parent/$name"; done < "$directory/hierarchies"

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --net --pid --fork --kill-child --propagation private -- sh -c '
  cut -d " " -f 4 /proc/self/stat > "$0/init"
  mount -t proc proc /proc
  # The file system below may be one for data: the hosts have devices and programs.
  mount --bind "$0" "$0"
  mount -o remount,bind,dev,exec,suid "$0"
  echo ready
  exec sleep infinity' "$directory" < /dev/null &
unshare=$!
cat > /dev/null
kill -KILL "$(cat "$directory/init")" 2> /dev/null || kill -KILL "$unshare" || :
wait "$unshare" || :
while read -r parent; do
  find "$parent/$name" -depth -type d -exec rmdir {} +
done < "$directory/hierarchies"
rm -rf --one-file-system "$directory"
