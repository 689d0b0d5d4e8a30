/**
 * The maintainer scripts, which `dpkg` runs before and after it changes files (`deb-postinst(5)`,
 * `deb-prerm(5)`, `deb-postrm(5)`). As in debhelper's snippets, units are managed by
 * `deb-systemd-helper` and `deb-systemd-invoke`: what the administrator has enabled, masked or
 * forbidden (`policy-rc.d`) stays so, and a machine without systemd works.
 */

const UNITS = "ipcauth.socket ipcauth.service";

/**
 * Refuses, before a file is unpacked, where `ipcauth` is no system user with its own group: the
 * service would run with the rights of a person, or of another group. The greatest id of system
 * users is 999 (Debian Policy 9.2.2).
 */
const PREINST = `#!/bin/sh
set -e
refuse() {
  echo "ipcauth: error: $1" >&2
  echo "hint: $2" >&2
  exit 1
}
case $1 in install | upgrade) ;; *) exit 0 ;; esac
uid=$(getent passwd ipcauth | cut -d: -f3)
primary=$(getent passwd ipcauth | cut -d: -f4)
gid=$(getent group ipcauth | cut -d: -f3)
[ -z "$uid" ] || [ "$uid" -le 999 ] ||
  refuse "there is a user ipcauth (uid $uid) who is no system user" \
    "usermod --login OTHER-NAME ipcauth"
[ -z "$gid" ] || [ "$gid" -le 999 ] ||
  refuse "there is a group ipcauth (gid $gid) that is no system group" \
    "groupmod --new-name OTHER-NAME ipcauth"
[ -z "$uid" ] || [ -n "$gid" ] ||
  refuse "there is a user ipcauth, but no group ipcauth" \
    "addgroup --system ipcauth && usermod --gid ipcauth ipcauth"
[ -z "$uid" ] || [ "$primary" = "$gid" ] ||
  refuse "the group of the user ipcauth is not ipcauth, but gid $primary" \
    "usermod --gid ipcauth ipcauth"
`;

/**
 * Makes the system user, and copies the default configuration once, at the first installation: the
 * program itself edits the copy, so it is no conffile. Units are neither enabled nor started.
 */
const POSTINST = `#!/bin/sh
set -e
case $1 in
  configure | abort-upgrade | abort-deconfigure | abort-remove) ;;
  *) exit 0 ;;
esac
if [ "$1" = configure ]; then
  if ! getent passwd ipcauth >/dev/null; then
    getent group ipcauth >/dev/null || addgroup --system --quiet ipcauth
    adduser --system --ingroup ipcauth --quiet --no-create-home --home /nonexistent ipcauth
  fi
  if [ -z "$2" ] && [ ! -e /etc/ipcauth/config.yaml ]; then
    mkdir -p /etc/ipcauth
    install -m 644 /usr/share/ipcauth/config.yaml /etc/ipcauth/config.yaml
  fi
fi
for unit in ${UNITS}; do
  if deb-systemd-helper debian-installed "$unit"; then
    deb-systemd-helper unmask "$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$unit"; then
      deb-systemd-helper enable "$unit" >/dev/null || true
    fi
  fi
  deb-systemd-helper update-state "$unit" >/dev/null || true
done
if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
  if [ -n "$2" ]; then deb-systemd-invoke try-restart ipcauth.service >/dev/null || true; fi
fi
if [ "$1" = configure ] && [ -z "$2" ]; then
  echo "ipcauth is installed, and not started. As root:"
  echo "  systemctl enable --now ipcauth.socket ipcauth.service"
  echo "  ipcauth users add NAME --local-ipc-access    # a user who may connect"
  echo "  ipcauth connect --server-user ipcauth        # the console"
  echo "See ipcauth(1), ipcauth.yaml(5) and /usr/share/doc/ipcauth/README.md."
fi
`;

/** Stops the socket first: it would start the service again. */
const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${UNITS} >/dev/null || true
fi
`;

/**
 * After a purge, removes the configuration. What else is there, such as keys, a person has made: it
 * stays, and is named. The system user stays: its log may be there, and the next system user would
 * get the uid that may read it.
 */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge ${UNITS} >/dev/null || true
  fi
  rm -f /etc/ipcauth/config.yaml /etc/ipcauth/config.yaml.lock
  if [ -d /etc/ipcauth ] && ! rmdir /etc/ipcauth 2>/dev/null; then
    echo "ipcauth: note: /etc/ipcauth stays, with what this package has not made:"
    find /etc/ipcauth -mindepth 1 -maxdepth 1 -printf '  %p\\n' | sort
    echo "hint: rm -r /etc/ipcauth"
  fi
fi
`;

/** The scripts by their names in `DEBIAN/`. */
export const MAINTAINER_SCRIPTS = {
  preinst: PREINST,
  postinst: POSTINST,
  prerm: PRERM,
  postrm: POSTRM,
} as const;
