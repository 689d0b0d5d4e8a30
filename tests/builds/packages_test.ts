/** What is published installs, is verified before it does, and goes away again. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { debianPackage } from "../../.ci/deb.ts";
import { NAME, pack, PACKAGE, portable } from "../../.ci/portable.ts";
import { sha256 } from "../../.ci/sbom.ts";
import { isRoot, Program } from "../end_to_end/program.ts";
import { isInstalled } from "./installed.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const INSTALL = fromFileUrl(new URL("../../.ci/install.sh", import.meta.url));

Deno.test("install.sh verifies the checksum before it installs", async (test) => {
  await using program = await Program.install();
  const from = program.path("release");
  await Deno.mkdir(from);
  await portable(program.path("build", NAME), COMMIT);
  const archive = join(from, `${NAME}.tar.gz`);
  await pack(program.path("build", NAME), archive, COMMIT);
  const sums = `${await sha256(archive)}  ${NAME}.tar.gz\n`;
  await Deno.writeTextFile(join(from, "SHA256SUMS"), `${"0".repeat(64)}  other\n${sums}`);
  const install = (prefix: string) =>
    program.execute(["sh", INSTALL, "--from", from, "--prefix", program.path(prefix)]);
  await test.step("it installs, and again over itself", async () => {
    for (let time = 0; time < 2; time++) {
      const { code, stdout, stderr } = await install("good");
      assertEquals([code, stderr], [0, ""]);
      assertEquals(stdout, `ipcauth ${manifest.version} (${COMMIT.hash})\n`);
    }
    const names = [...Deno.readDirSync(program.path("good", "bin"))].map(({ name }) => name);
    assertEquals(names, ["ipcauth"]);
  });
  await test.step("an archive that was tampered with is not unpacked", async () => {
    const file = await Deno.open(archive, { append: true });
    await file.write(Uint8Array.of(0));
    file.close();
    const { code, stderr } = await install("bad");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "the checksum");
    assertStringIncludes(stderr, "nothing was installed");
    await Deno.lstat(program.path("bad")).then(
      () => assert(false, "something was installed"),
      (error) => assert(error instanceof Deno.errors.NotFound),
    );
  });
  await test.step("checksums of something else, or none, are none", async () => {
    await Deno.writeTextFile(join(from, "SHA256SUMS"), `${"0".repeat(64)}  other\n`);
    assertStringIncludes((await install("none")).stderr, "names no archive");
    await Deno.remove(join(from, "SHA256SUMS"));
    assertEquals((await install("none")).code, 1);
  });
});

/** The machine as it is, with a layer on top in which a package may be installed, and which is gone at the end. */
const LAYER = `
mount -t tmpfs layer /mnt && mkdir /mnt/up /mnt/work /mnt/root &&
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/root &&
mount --rbind /dev /mnt/root/dev && mount --rbind /proc /mnt/root/proc &&
mount --bind "$1" /mnt/root/mnt && exec chroot /mnt/root /bin/sh -e /mnt/steps.sh
`;

const STEPS = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
say() { echo "== $*"; }
cd /
say install; dpkg --force-depends -i /mnt/one.deb >/mnt/log 2>&1 || { cat /mnt/log; exit 1; }
ipcauth --version
getent passwd ipcauth | cut -d: -f1,6,7
stat -c '%a %U %G %n' /etc/ipcauth/config.yaml /usr/bin/ipcauth /usr/lib/systemd/system/ipcauth.service
ls /usr/share/man/man1/ipcauth*.1.gz | wc -l
zcat /usr/share/man/man1/ipcauth-serve.1.gz | grep -c 'drop..to'
test -s /usr/share/bash-completion/completions/ipcauth
setpriv --reuid=ipcauth --regid=ipcauth --clear-groups ipcauth users list
say upgrade; echo '# mine' >> /etc/ipcauth/config.yaml
dpkg --force-depends --force-confold -i /mnt/one.deb >/mnt/log 2>&1 || { cat /mnt/log; exit 1; }
tail -n 1 /etc/ipcauth/config.yaml
say remove; dpkg --remove ipcauth >/mnt/log 2>&1 || { cat /mnt/log; exit 1; }
ls /usr/bin/ipcauth /usr/lib/ipcauth 2>&1 | grep -c 'No such file'
tail -n 1 /etc/ipcauth/config.yaml
say purge; dpkg --purge ipcauth >/mnt/log 2>&1 || { cat /mnt/log; exit 1; }
ls -d /etc/ipcauth 2>&1 | grep -c 'No such file'
getent passwd ipcauth || echo gone
dpkg-query -l ipcauth 2>&1 | grep -c 'no packages found' || true
`;

Deno.test({
  name: "the Debian package installs, upgrades, is removed and purged (needs root and dpkg-deb)",
  ignore: !isRoot || !isInstalled("dpkg-deb"),
  async fn() {
    await using program = await Program.install();
    const work = program.path("work");
    await Deno.mkdir(work);
    const share = program.path("share");
    await Deno.mkdir(share);
    await debianPackage(work, join(share, "one.deb"), COMMIT);
    await Deno.writeTextFile(join(share, "steps.sh"), STEPS);
    const info = await program.execute(["dpkg-deb", "--info", join(share, "one.deb")]);
    assertStringIncludes(info.stdout, `Version: ${manifest.version}`);
    assertMatch(PACKAGE, /^ipcauth_[0-9.]+_(amd64|arm64)\.deb$/);
    const { code, stdout, stderr } = await program.execute(
      ["unshare", "--mount", "--propagation", "private", "sh", "-c", LAYER, "sh", share],
    );
    assertEquals([code, stderr], [0, ""], stdout);
    assertEquals(
      stdout,
      `== install
ipcauth ${manifest.version} (${COMMIT.hash})
ipcauth:/nonexistent:/usr/sbin/nologin
644 root root /etc/ipcauth/config.yaml
755 root root /usr/bin/ipcauth
644 root root /usr/lib/systemd/system/ipcauth.service
7
2
NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN
== upgrade
# mine
== remove
2
# mine
== purge
1
gone
1
`,
    );
  },
});
