#!/bin/sh
# image.sh DEB: runs in the new root, where the files of root/ are. It makes the image that the
# three hosts share: the package, the directory's first content, and what starts at boot.
set -eu
dpkg -i "$1" > /dev/null
rm -f "$1"
mkdir -p /srv/fleet
for user in alice:3001 bob:3002; do
  install -d -m 700 -o "${user#*:}" -g users "/home/${user%:*}"
done
chown root:nslcd /etc/nslcd.conf && chmod 640 /etc/nslcd.conf
chown root:openldap /etc/ldap/slapd.conf && chmod 640 /etc/ldap/slapd.conf
# One load for both servers, so that an entry is the same one on both.
rm -rf /var/lib/ldap/*
slapadd -q -w -S 1 -f /etc/ldap/slapd.conf -l /directory.ldif 2> /slapadd.log ||
  { cat /slapadd.log >&2; exit 1; }
chown -R openldap:openldap /var/lib/ldap
rm -f /directory.ldif /slapadd.log
install -d -g ipcauth -m 750 /etc/ipcauth/keys.d
systemctl --quiet disable prometheus.service apt-daily.timer apt-daily-upgrade.timer \
  e2scrub_all.timer fstrim.timer dpkg-db-backup.timer getty@tty1.service
rm -f /etc/rc?.d/S*slapd
systemctl --quiet enable systemd-networkd.service ipcauth.socket ipcauth.service \
  fleet-ready.service
