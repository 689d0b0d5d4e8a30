/**
 * The maintainer scripts, which `dpkg` runs before and after it changes files (`deb-postinst(5)`,
 * `deb-prerm(5)`, `deb-postrm(5)`). As in debhelper's snippets, units are managed by
 * `deb-systemd-helper` and `deb-systemd-invoke`: what the administrator has enabled, masked or
 * forbidden (`policy-rc.d`) stays so, and a machine without systemd works.
 */

const UNITS = "ipcauth.socket ipcauth.service";

/**
 * Makes the system user. The user stays until the package is purged, because files may belong to
 * it. Units are neither enabled nor started by a first installation: there is no configuration yet.
 */
const POSTINST = `#!/bin/sh
set -e
case $1 in
  configure | abort-upgrade | abort-deconfigure | abort-remove) ;;
  *) exit 0 ;;
esac
if [ "$1" = configure ]; then
  getent passwd ipcauth >/dev/null ||
    adduser --system --group --quiet --no-create-home --home /nonexistent ipcauth
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
`;

/** Stops the socket first: it would start the service again. */
const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${UNITS} >/dev/null || true
fi
`;

/** After a purge, removes the configuration and the system user. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge ${UNITS} >/dev/null || true
  fi
  rm -rf /etc/ipcauth
  if command -v deluser >/dev/null && getent passwd ipcauth >/dev/null; then
    deluser --system --quiet ipcauth || true
  fi
fi
`;

/** The scripts by their names in `DEBIAN/`. */
export const MAINTAINER_SCRIPTS = { postinst: POSTINST, prerm: PRERM, postrm: POSTRM } as const;
