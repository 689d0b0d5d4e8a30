/** `run-as`: what of the caller the program inherits, and the names it knows users by. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hasPrivateSystem } from "../support/private_system.ts";
import { isRoot, Program } from "../support/program.ts";

const options = { ignore: !isRoot };
const withAccounts = { ignore: !hasPrivateSystem };

Deno.test(
  "run-as leaves no variable of the caller's login to another user (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const env = {
      ...{ USER: "root", LOGNAME: "root", USERNAME: "root", MAIL: "/var/mail/root", SHELL: "/odd" },
      ...{ XDG_RUNTIME_DIR: "/run/user/0", XDG_CONFIG_HOME: "/root/.config", XDG_SESSION_ID: "1" },
      ...{ DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/user/0/bus", KEPT: "yes" },
    };
    const left = async (who: string) => {
      const { stdout } = await program.run(["run-as", who, "--", "env"], { env });
      const names = stdout.split("\n").map((line) => line.split("=")[0]!);
      return Object.keys(env).filter((name) => names.includes(name));
    };
    assertEquals(await left("579"), ["KEPT"]);
    assertEquals(await left("daemon"), ["USER", "LOGNAME", "SHELL", "KEPT"]);
    // The same user: the variables stay what they were.
    assertEquals((await left("0")).length, Object.keys(env).length);
  },
);

Deno.test(
  "run-as restores the soft limit of open files, whatever the parent's is (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    // The shell lowers its own hard limit and becomes the program, so the parent has another one.
    for (const soft of ["1024", "4096", "256"]) {
      const line = `ulimit -Sn ${soft}; ulimit -Hn 4096; exec ipcauth run-as 579 -- sh -c "$1"`;
      const report = 'echo "$(ulimit -Sn) $(ulimit -Hn)"; env | grep -c IPCAUTH_FILE';
      const { stdout } = await program.execute(["sh", "-c", line, "sh", report]);
      assertEquals(stdout, `${soft} 4096\n0\n`);
    }
  },
);

/** Prints the session keyring, the umask, and the capabilities of the program. */
const REPORT = `
import ctypes, platform
number = {"x86_64": 250, "aarch64": 219}[platform.machine()]
print(ctypes.CDLL(None).syscall(number, 0, -3, 0))
lines = [line.partition(":\\t") for line in open("/proc/self/status")]
status = {name: value.strip() for name, _, value in lines}
print(status["Umask"], status["CapInh"], status["CapAmb"], status["CapPrm"])
`;

Deno.test(
  "run-as hands on no key, capability or open umask to another user (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const report = async (...prefix: string[]) => {
      const caps = ["setpriv", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"];
      const line = 'umask 0; exec "$@"';
      const argv = [...caps, "sh", "-c", line, "sh", ...prefix, "python3", "-c", REPORT];
      return (await program.execute(argv)).stdout.trim().split("\n");
    };
    const [own] = await report();
    const [key, rest] = await report("ipcauth", "run-as", "579", "--");
    const none = "0".repeat(16);
    assertEquals(rest, `0022 ${none} ${none} ${none}`);
    assert(own === "-1" || key !== own, `the keyring is the caller's: ${key}`);
    const [sameKey, sameRest] = await report("ipcauth", "run-as", "0", "--");
    assertEquals(sameKey, own);
    assertStringIncludes(sameRest!, `0000 ${none} ${none} `);
  },
);

/** Copies a program, and gives the copy `cap_net_raw=ei` (`vfs_cap_data` of linux/capability.h). */
const WITH_CAPABILITY = `
import os, shutil, struct, sys
shutil.copy("/bin/cat", sys.argv[1])
os.chmod(sys.argv[1], 0o755)
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x2000001, 0, 0x2000, 0, 0))
`;

Deno.test(
  "run-as: a file cannot turn the caller's inheritable capability into a right (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const file = program.path("attack");
    const made = await program.execute(["python3", "-c", WITH_CAPABILITY, file]);
    if (made.code !== 0) return console.log("skipped: no capabilities of files here");
    const permitted = async (...become: string[]) => {
      const caller = ["setpriv", "--inh-caps=+net_raw", ...become, file, "/proc/self/status"];
      return /^CapPrm:\t(.*)$/m.exec((await program.execute(caller)).stdout)?.[1];
    };
    const other = ["--reuid=579", "--regid=579", "--clear-groups"];
    assertEquals(await permitted(...other), "0000000000002000");
    assertEquals(await permitted("ipcauth", "run-as", "579", "--"), "0".repeat(16));
    assertEquals(await permitted(...other, "ipcauth", "run-as", "579", "--"), "0".repeat(16));
  },
);

Deno.test(
  "run-as finds names that begin with a digit, or hold a blank or a backslash (needs root)",
  withAccounts,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const accounts = "2fast:x:810:810::/:/bin/sh\nCORP\\alice:x:811:811::/:/bin/sh\n" +
      "two words:x:812:812::/:/bin/sh\n";
    const add = async (file: string, text: string) => {
      const path = program.path("system", file);
      await Deno.writeTextFile(path, (await Deno.readTextFile(path)) + text);
    };
    await add("passwd", accounts);
    await add("group", "domain users:x:820:\n3com:x:821:\n");
    const ids = async (who: string) => {
      const argv = [
        "run-as",
        who,
        "--",
        "sh",
        "-c",
        'printf "%s %s %s\\n" "$(id -u)" "$(id -g)" "$USER"',
      ];
      const { stdout, stderr } = await program.run(argv);
      return stdout + stderr;
    };
    assertEquals(await ids("2fast"), "810 810 2fast\n");
    assertEquals(await ids("CORP\\alice"), "811 811 CORP\\alice\n");
    assertEquals(await ids("two words"), "812 812 two words\n");
    assertEquals(await ids("2fast:domain users"), "810 820 2fast\n");
    assertEquals(await ids("CORP\\alice:3com"), "811 821 CORP\\alice\n");
    assertStringIncludes(await ids("3fast"), 'There is no user "3fast" on this machine');
    assertStringIncludes(await ids("2fast:no group"), 'There is no group "no group"');
    // Digits alone are an id, and are never taken for a name.
    assertStringIncludes(await ids("0810"), '"0810" names no user');
  },
);
