/**
 * In a minimal Debian under a running systemd: the commands of `examples/systemd/README.md`, and
 * then the Debian package, installed, used, reloaded, restarted, upgraded, purged. One container is
 * made of the packages that this machine's own sources name, and booted once; it has no network.
 */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { runProgram } from "../../tools/build/run_program.ts";
import { debianPackage } from "../../tools/packaging/deb.ts";
import { debianSources } from "../../tools/packaging/debian_sources.ts";
import { isInstalled } from "../support/installed.ts";
import { hasLandlock } from "../support/landlock.ts";
import { nextVersion } from "../support/next_version.ts";
import { isRoot, Program } from "../support/program.ts";
import { blocksOf } from "../support/transcript.ts";

const README = fromFileUrl(new URL("../../examples/systemd/README.md", import.meta.url));
const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

const NEEDS = ["mmdebstrap", "systemd-nspawn", "dpkg-deb", "gcc"];

const sources = debianSources();

/** How long the container may run, in milliseconds. */
const BOOT_TIMEOUT_MS = 120_000;

/** Runs the steps in the booted container, and turns it off. */
const UNIT = `[Unit]
Description=the steps of the test
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=LC_ALL=C DEBIAN_FRONTEND=noninteractive TERM=dumb
ExecStart=/bin/bash /mnt/steps.sh
StandardOutput=file:/mnt/out
StandardError=file:/mnt/out
`;

/** The steps. `bash` waits for events in systemd's journal instead of sleeping. */
const STEPS = `
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/ipcauth-test
say() { echo "== $*"; }
# awaited TEXT: waits until a line of the service has the text.
awaited() {
  timeout 20 grep -qm1 -F -- "$1" < <(exec journalctl -fq --no-tail -u ipcauth -o cat) &&
    echo "logged: $1" || journalctl -u ipcauth -o cat
}
main_pid() { systemctl show --property=MainPID --value ipcauth.service; }
connect() { ipcauth run-as "$1" -- ipcauth connect --server-user ipcauth -c 'show users' 2>&1; }
state() { systemctl is-active ipcauth.socket ipcauth.service | paste -sd ' '; }
for user in alice:578 bob:579; do
  groupadd --gid "\${user#*:}" "\${user%:*}"
  useradd --uid "\${user#*:}" --gid "\${user#*:}" -K UID_MIN=500 "\${user%:*}"
done
say 'by hand, with the commands of README.md'
dpkg-deb -x /mnt/one.deb /tmp/deb && install /tmp/deb/usr/bin/ipcauth /usr/local/bin/
cd /mnt/systemd && bash -e /mnt/readme.sh > /tmp/log 2>&1 || cat /tmp/log
grep -o 'root connected from' /tmp/log; awaited '"event":"allow"'; state
systemctl show --property=User --value ipcauth.service
stat -c '%a %U %G' /etc/ipcauth/bob.key
setpriv --reuid=ipcauth --regid=ipcauth --clear-groups cat /etc/ipcauth/bob.key | wc -l
systemctl disable --quiet --now ipcauth.socket ipcauth.service; userdel ipcauth
rm -r /etc/ipcauth /etc/systemd/system/ipcauth.* /usr/local/bin/ipcauth /tmp/deb; cd /
systemctl daemon-reload
say install
dpkg -i /mnt/one.deb | grep -A 1 'is installed'
state
say start
systemctl enable --quiet --now ipcauth.socket ipcauth.service; state
say use
ipcauth users add bob --local-ipc-access
connect bob | head -n 2
connect alice
say reload
ls /bin/kill 2>&1
before=$(main_pid)
systemctl reload ipcauth && awaited '"event":"reload","reason":"unchanged"'
[ "$(main_pid)" = "$before" ] && echo 'the same process'; state
say restart
systemctl restart ipcauth; [ "$(main_pid)" = "$before" ] || echo 'another process'
connect bob | head -n 1; state
say sandbox
echo 'sandbox: on' >>/etc/ipcauth/config.yaml; systemctl restart ipcauth
ipcauth status --server-user ipcauth | grep -o '^sandbox *on'; before=$(main_pid)
systemctl reload ipcauth && awaited '"event":"reload","reason":"unchanged"'
[ "$(main_pid)" = "$before" ] && connect bob | head -n 1; state
sed -i '/^sandbox:/d' /etc/ipcauth/config.yaml; systemctl restart ipcauth
say upgrade
before=$(main_pid); dpkg -i /mnt/two.deb >/dev/null
dpkg-query -W -f '\${Version}\\n' ipcauth
[ "$(main_pid)" = "$before" ] || echo 'another process'
connect bob | head -n 1; state
say purge
ipcauth gen-key /etc/ipcauth/bob.key >/dev/null
dpkg -P ipcauth | grep -A 2 'note:'
ls /etc/ipcauth; ls /usr/bin/ipcauth /run/ipcauth/ipc.sock 2>&1
state
systemctl list-units --all --plain --no-legend 'ipcauth*'; find /etc/systemd -name 'ipcauth*'
say end
`;

const EXPECTED = `== by hand, with the commands of README.md
root connected from
logged: "event":"allow"
active active
ipcauth
640 root ipcauth
1
== install
ipcauth is installed, and not started. As root:
  systemctl enable --now ipcauth.socket ipcauth.service
inactive inactive
== start
active active
== use
added bob (uid 579) to /etc/ipcauth/config.yaml
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
bob   579  579  true              false
Failed to connect to server: /run/ipcauth/ipc.sock refuses uid 578
hint: ipcauth users check 578, run by the server's administrator, says why
== reload
ls: cannot access '/bin/kill': No such file or directory
logged: "event":"reload","reason":"unchanged"
the same process
active active
== restart
another process
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
active active
== sandbox
sandbox        on
logged: "event":"reload","reason":"unchanged"
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
active active
== upgrade
99.0
another process
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
active active
== purge
ipcauth: note: /etc/ipcauth stays, with what this package has not made:
  /etc/ipcauth/bob.key
hint: rm -r /etc/ipcauth
bob.key
ls: cannot access '/usr/bin/ipcauth': No such file or directory
ls: cannot access '/run/ipcauth/ipc.sock': No such file or directory
inactive inactive
== end
`;

/** What a server restricts itself with. */
const CALLS = [
  ...["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp"],
];

/** Boots a directory, waits until it is off, and ends it where that takes too long. */
async function boot(root: string, share: string): Promise<void> {
  const child = new Deno.Command("systemd-nspawn", {
    args: [
      ...["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"],
      ...["--directory", root, `--bind=${share}:/mnt`],
      // Without it nspawn refuses the calls, whatever the unit permits.
      `--system-call-filter=${CALLS.join(" ")}`,
    ],
    env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), BOOT_TIMEOUT_MS);
  await child.status;
  clearTimeout(timer);
}

Deno.test({
  name: "the Debian package works in a minimal Debian under a running systemd " +
    `(needs root, Landlock, Debian's sources and ${NEEDS.join(", ")})`,
  ignore: !isRoot || !hasLandlock || !NEEDS.every(isInstalled) || sources === undefined,
  async fn() {
    await using program = await Program.install();
    const share = program.path("share");
    const root = program.path("root");
    await Deno.mkdir(share);
    await Deno.mkdir(program.path("work"));
    await Promise.all([
      runProgram("mmdebstrap", [
        ...[
          "--quiet",
          "--variant=minbase",
          "--dpkgopt=force-unsafe-io",
          "--include=systemd,systemd-sysv,adduser",
        ],
        ...[sources!.codename, root, ...sources!.files],
      ], "/"),
      debianPackage(program.path("work"), join(share, "one.deb"), COMMIT)
        .then(() => nextVersion(program, join(share, "one.deb"), join(share, "two.deb"))),
    ]);
    await Deno.writeTextFile(join(share, "steps.sh"), STEPS);
    await Deno.writeTextFile(join(share, "readme.sh"), await commandsOf(README));
    await runProgram("cp", ["-R", dirname(README), join(share, "systemd")], "/");
    const units = join(root, "etc/systemd/system");
    await Deno.writeTextFile(join(units, "steps.service"), UNIT);
    await Deno.mkdir(join(units, "multi-user.target.wants"), { recursive: true });
    await Deno.symlink("../steps.service", join(units, "multi-user.target.wants/steps.service"));
    await boot(root, share);
    assertEquals(await Deno.readTextFile(join(share, "out")), EXPECTED);
  },
});

/** The commands of a document, in its order. */
async function commandsOf(path: string): Promise<string> {
  const blocks = blocksOf(await Deno.readTextFile(path)).filter(({ info }) => info === "sh");
  assertEquals(blocks.length, 2);
  return blocks.map(({ text }) => text).join("");
}
