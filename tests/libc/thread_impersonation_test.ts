import { assertEquals, assertThrows } from "@std/assert";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { peerCredentials, peerGroups, ucred } from "../../lib/libc/peer_credentials.ts";
import { readProc } from "../../lib/libc/read_file.ts";
import { accept, bind, connect, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { isRoot } from "../support/processes.ts";

const BOB = { uid: 579, gid: 580, groups: [2000, 2001, 2000] };
const options = { ignore: !isRoot };

/** The effective uid, the effective gid and the groups in a status file of `/proc`. */
function idsIn(status: string): string {
  const words = (name: string) =>
    status.split("\n").find((line) => line.startsWith(`${name}:`))!.split(/\s+/);
  return [words("Uid")[2], words("Gid")[2], words("Groups").slice(1).join(" ").trim()].join("/");
}

const own = () => idsIn(readProc("/proc/thread-self/status"));

Deno.test(
  "run() changes the ids for one call, and restores them (needs root)",
  options,
  () => {
    const impersonation = new ThreadImpersonation();
    const before = own();
    assertEquals(impersonation.run(BOB, own), "579/580/2000 2001");
    assertEquals(own(), before);
    assertEquals(impersonation.run({ uid: 0, gid: 0, groups: [] }, own), "0/0/");
    assertEquals(own(), before);
  },
);

Deno.test("run() changes the ids of the calling thread only (needs root)", options, () => {
  const impersonation = new ThreadImpersonation();
  // The threads are listed before: a process or thread that is started meanwhile would inherit the
  // identity.
  const { stdout } = new Deno.Command("ls", { args: [`/proc/${Deno.pid}/task`] }).outputSync();
  const threads = new TextDecoder().decode(stdout).trim().split("\n");
  // No other test has this uid: theirs run in other threads of this process.
  const identity = { ...BOB, uid: 58_579 };
  const threadsOf = () => threads.filter((thread) => uidOf(thread) === "58579").length;
  assertEquals(impersonation.run(identity, threadsOf), 1);
  assertEquals(threadsOf(), 0);
});

/** A thread's effective uid; null when it has ended. */
function uidOf(thread: string): string | null {
  try {
    return idsIn(readProc(`/proc/${Deno.pid}/task/${thread}/status`)).split("/")[0]!;
  } catch {
    return null;
  }
}

Deno.test(
  "the peer credentials of a connection made in run() are the user's (needs root)",
  options,
  () => {
    const directory = Deno.makeTempDirSync();
    try {
      Deno.chmodSync(directory, 0o755);
      const address = unixAddress(`${directory}/s`);
      using listener = unixSocket();
      bind(listener, address);
      listen(listener, 8);
      Deno.chmodSync(`${directory}/s`, 0o666);
      using client = unixSocket();
      assertEquals(new ThreadImpersonation().run(BOB, () => connect(client, address)), 0);
      using accepted = accept(listener)!;
      assertEquals(peerCredentials(accepted), true);
      assertEquals([ucred.uid, ucred.gid, peerGroups(accepted)], [579, 580, [2000, 2001]]);
      // The file permissions are checked for the user.
      Deno.chmodSync(`${directory}/s`, 0o600);
      using denied = unixSocket();
      assertEquals(
        new ThreadImpersonation().run(BOB, () => connect(denied, address)),
        Errno.EACCES,
      );
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
);

Deno.test(
  "run() restores the ids when the kernel does not allow them, or the call throws (needs root)",
  options,
  () => {
    const impersonation = new ThreadImpersonation();
    const before = own();
    assertThrows(() => impersonation.run({ ...BOB, groups: [0xffff_ffff] }, own), SystemError);
    assertEquals(own(), before);
    for (const wrong of [{ ...BOB, gid: 0xffff_ffff }, { ...BOB, uid: 0xffff_ffff }]) {
      assertThrows(() => impersonation.run(wrong, () => assertEquals(own(), "never")), SystemError);
      assertEquals(own(), before);
    }
    const call = () => {
      throw new TypeError("in the call");
    };
    assertThrows(() => impersonation.run(BOB, call), TypeError);
    assertEquals(own(), before);
  },
);
