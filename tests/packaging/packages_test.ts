/** The Debian package: installation, upgrade, removal. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { debianPackage } from "../../tools/packaging/deb.ts";
import { manualPages } from "../../tools/packaging/man.ts";
import { debFileName } from "../../tools/build/compile.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { isRoot, Program } from "../support/program.ts";
import { isInstalled } from "../support/installed.ts";
import { nextVersion } from "../support/next_version.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

/**
 * Makes an overlay of the machine in a mount namespace, and runs the steps in it; it ends with
 * them.
 */
const LAYER = `
mount -t tmpfs layer /mnt && mkdir /mnt/up /mnt/work /mnt/root &&
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/root &&
mount --rbind /dev /mnt/root/dev && mount --rbind /proc /mnt/root/proc &&
mount --bind "$1" /mnt/root/mnt && exec chroot /mnt/root /bin/sh -e /mnt/steps.sh
`;

/**
 * Installs, upgrades, removes and purges the packages in the overlay. `systemctl` is a stub that
 * records its arguments in `/mnt/told`; the tools that run it are Debian's. What the machine has of
 * ipcauth is not in the way.
 */
const STEPS = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
unset IPCAUTH_CONFIG
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/ipcauth-test
say() { echo "== $*"; }
run() { "$@" >/mnt/log 2>&1 || { cat /mnt/log; exit 1; }; }
told() { grep -c -- "$1" /mnt/told || true; }
cd /
mkdir -p /run/systemd/system; rm -f /usr/sbin/policy-rc.d
printf '%s\\n' '#!/bin/sh' 'echo "$*" >> /mnt/told' > /mnt/systemctl
chmod 755 /mnt/systemctl; rm -f /usr/bin/systemctl; cp /mnt/systemctl /usr/bin/systemctl
dpkg --purge ipcauth >/mnt/log 2>&1 || true
rm -rf /etc/ipcauth /run/ipcauth
for file in passwd group shadow gshadow; do sed -i '/^ipcauth:/d' /etc/$file; done
: > /mnt/told
say install; run dpkg --force-depends -i /mnt/one.deb; grep -A 4 'is installed' /mnt/log
ipcauth --version
getent passwd ipcauth | cut -d: -f1,6,7
stat -c '%a %U %G %n' /etc/ipcauth/config.yaml /usr/bin/ipcauth
cmp /etc/ipcauth/config.yaml /usr/share/ipcauth/config.yaml
grep ^ExecStart= /usr/lib/systemd/system/ipcauth.service
stat -c '%a %U %G %n' /usr/lib/systemd/system/ipcauth.service
ls /usr/share/man/man?/ipcauth*.gz | wc -l
ls -d /usr/share/doc/ipcauth/docs/tour.md /usr/share/doc/ipcauth/examples/*
find /usr/share/doc/ipcauth -name '*.md' | while read -r page; do
  grep -oE '\\]\\([^)#: ]+[)#]' "$page" | tr -d '](#)' | while read -r link; do
    test -e "$(dirname "$page")/$link" || echo "$page: there is no $link"
  done
done
zcat /usr/share/man/man1/ipcauth-serve.1.gz | grep -c 'drop..to'
test -s /usr/share/bash-completion/completions/ipcauth
head -n 1 /etc/ipcauth/config.yaml
ipcauth config schema | cmp - /usr/share/ipcauth/config.schema.json
(cd / && md5sum --quiet --check /var/lib/dpkg/info/ipcauth.md5sums)
setpriv --reuid=ipcauth --regid=ipcauth --clear-groups ipcauth users list 2>&1
told daemon-reload; told 'start\\|enable'
say upgrade
# The link that systemctl enable makes; an upgrade must keep it.
wants=/etc/systemd/system/sockets.target.wants
mkdir -p $wants; ln -s /usr/lib/systemd/system/ipcauth.socket $wants/ipcauth.socket
# What the program itself has changed stays, and no question is asked (there is no terminal).
ipcauth users add bob --uid 579 --gid 579
run dpkg --force-depends -i /mnt/two.deb; grep -c 'is installed' /mnt/log || true
dpkg-query -W -f '\${Version} \${Status}\\n' ipcauth
grep -c 'a new default' /etc/ipcauth/config.yaml /usr/share/ipcauth/config.yaml || true
grep -c 'uid: 579' /etc/ipcauth/config.yaml
told 'try-restart.* ipcauth.service'
ls $wants | grep ipcauth
say 'upgrade without a configuration'; rm /etc/ipcauth/config.yaml
run dpkg --force-depends -i /mnt/one.deb; ls /etc/ipcauth; echo '# mine' > /etc/ipcauth/config.yaml
say remove; : > /mnt/told; run dpkg --remove ipcauth
ls /usr/bin/ipcauth /usr/lib/ipcauth 2>&1 | grep -c 'No such file'
tail -n 1 /etc/ipcauth/config.yaml
told 'stop.* ipcauth.socket'; told 'stop.* ipcauth.service'
say purge; echo key > /etc/ipcauth/bob.key
run dpkg --purge ipcauth; tail -n 3 /mnt/log
ls /etc/ipcauth; rm /etc/ipcauth/bob.key; rmdir /etc/ipcauth
getent passwd ipcauth | cut -d: -f1,6,7
find /etc/systemd /var/lib/systemd -name '*ipcauth*' | wc -l
dpkg-query -l ipcauth 2>&1 | grep -c 'no packages found' || true
# refused LINE-OF-PASSWD LINE-OF-GROUP: the package is not even unpacked.
refused() {
  for file in passwd group shadow gshadow; do sed -i '/^ipcauth:/d' /etc/$file; done
  [ -z "$1" ] || echo "$1" >> /etc/passwd
  [ -z "$2" ] || echo "$2" >> /etc/group
  dpkg --force-depends -i /mnt/one.deb >/mnt/log 2>&1 && echo installed
  grep -E '^(ipcauth: error|hint):' /mnt/log
  ls /usr/bin/ipcauth 2>/dev/null || true; grep -c '^ipcauth:' /etc/passwd || true
}
say 'a person'; refused ipcauth:x:1234:1234:I:/home/i:/bin/sh ipcauth:x:1234:
say 'a user without the group'; refused ipcauth:x:834:1:I:/:/bin/sh ''
say 'a user of another group'; refused ipcauth:x:834:1:I:/:/bin/sh ipcauth:x:834:
say 'a group of persons'; refused '' ipcauth:x:1234:
say 'purge of what the package has made'
for file in passwd group; do sed -i '/^ipcauth:/d' /etc/$file; done
run dpkg --force-depends -i /mnt/one.deb; run dpkg --purge ipcauth
grep -c note: /mnt/log || true; ls -d /etc/ipcauth 2>&1 | grep -c 'No such file'
say 'a system group alone'
for file in passwd group; do sed -i '/^ipcauth:/d' /etc/$file; done
echo ipcauth:x:834: >> /etc/group
run dpkg --force-depends -i /mnt/one.deb; id -gn ipcauth; id -g ipcauth
`;

Deno.test({
  name:
    "the Debian package installs, upgrades, is removed, is purged (needs root, dpkg-deb and gcc)",
  ignore: !isRoot || !isInstalled("dpkg-deb") || !isInstalled("gcc"),
  async fn() {
    await using program = await Program.install();
    const work = program.path("work");
    await Deno.mkdir(work);
    const share = program.path("share");
    await Deno.mkdir(share);
    await debianPackage(work, join(share, "one.deb"), COMMIT);
    await nextVersion(program, join(share, "one.deb"), join(share, "two.deb"));
    await Deno.writeTextFile(join(share, "steps.sh"), STEPS);
    const info = await program.execute(["dpkg-deb", "--info", join(share, "one.deb")]);
    assertStringIncludes(info.stdout, `Version: ${manifest.version}`);
    assertMatch(debFileName(HOST_MACHINE), /^ipcauth_[0-9.]+_(amd64|arm64)\.deb$/);
    const { code, stdout, stderr } = await program.execute(
      ["unshare", "--mount", "--propagation", "private", "sh", "-c", LAYER, "sh", share],
    );
    assertEquals([code, stderr], [0, ""], stdout);
    assertEquals(
      stdout,
      `== install
ipcauth is installed, and not started. As root:
  systemctl enable --now ipcauth.socket ipcauth.service
  ipcauth users add NAME --local-ipc-access    # a user who may connect
  ipcauth connect --server-user ipcauth        # the console
See ipcauth(1), ipcauth.yaml(5) and /usr/share/doc/ipcauth/README.md.
ipcauth ${manifest.version} (${COMMIT.hash})
ipcauth:/nonexistent:/usr/sbin/nologin
644 root root /etc/ipcauth/config.yaml
755 root root /usr/bin/ipcauth
ExecStart=/usr/bin/ipcauth serve --config /etc/ipcauth/config.yaml
644 root root /usr/lib/systemd/system/ipcauth.service
${manualPages(COMMIT).length}
/usr/share/doc/ipcauth/docs/tour.md
/usr/share/doc/ipcauth/examples/authenticated-ipc
/usr/share/doc/ipcauth/examples/clients
/usr/share/doc/ipcauth/examples/fleet
/usr/share/doc/ipcauth/examples/postgresql
/usr/share/doc/ipcauth/examples/run-one-command
/usr/share/doc/ipcauth/examples/systemd
2
# yaml-language-server: $schema=/usr/share/ipcauth/config.schema.json
ipcauth: note: no user is listed: root and the server's own user get in, and no other user
hint: ipcauth users add NAME --local-ipc-access
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
1
0
== upgrade
added bob (uid 579) to /etc/ipcauth/config.yaml; bob has no access yet: ipcauth users allow bob
0
99.0 install ok installed
/etc/ipcauth/config.yaml:0
/usr/share/ipcauth/config.yaml:1
1
1
ipcauth.socket
== upgrade without a configuration
== remove
2
# mine
1
1
== purge
ipcauth: note: /etc/ipcauth stays, with what this package has not made:
  /etc/ipcauth/bob.key
hint: rm -r /etc/ipcauth
bob.key
ipcauth:/nonexistent:/usr/sbin/nologin
0
1
== a person
ipcauth: error: there is a user ipcauth (uid 1234) who is no system user
hint: usermod --login OTHER-NAME ipcauth
1
== a user without the group
ipcauth: error: there is a user ipcauth, but no group ipcauth
hint: addgroup --system ipcauth && usermod --gid ipcauth ipcauth
1
== a user of another group
ipcauth: error: the group of the user ipcauth is not ipcauth, but gid 1
hint: usermod --gid ipcauth ipcauth
1
== a group of persons
ipcauth: error: there is a group ipcauth (gid 1234) that is no system group
hint: groupmod --new-name OTHER-NAME ipcauth
0
== purge of what the package has made
0
1
== a system group alone
ipcauth
834
`,
    );
  },
});

Deno.test({
  name: "lintian has no error or warning about the Debian package (needs lintian and gcc)",
  ignore: !isInstalled("lintian") || !isInstalled("gcc"),
  async fn() {
    await using program = await Program.install();
    const work = program.path("work");
    await Deno.mkdir(work);
    await debianPackage(work, program.path(debFileName(HOST_MACHINE)), COMMIT);
    const { code, stdout } = await program.execute(
      [
        "lintian",
        "--fail-on",
        "error,warning",
        "--allow-root",
        program.path(debFileName(HOST_MACHINE)),
      ],
    );
    assertEquals([code, stdout], [0, ""]);
  },
});
