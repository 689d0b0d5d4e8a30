import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { addUser } from "../../lib/config/edit.ts";
import { loadConfig, loadHostFacts } from "../../lib/config/load.ts";
import { editConfigFile } from "../../lib/config/edit_file.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { LockFile } from "../../lib/files/lock_file.ts";
import { Directory } from "../../lib/libc/directory.ts";
import { describe, Errno, SystemError } from "../../lib/libc/errno.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { PERMISSION_FLAGS } from "../../lib/cli/permissions.ts";
import { FailingCall } from "../support/failing_call.ts";

const HOST_FACTS = loadHostFacts(effectiveUid());
const needsRoot = { ignore: effectiveUid() !== 0 };
const TEXT = "users: [] # none\n";

/** A directory for the configuration of one test. */
class Place {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly path = join(this.directory, "config.yaml");

  constructor(text: string | null = TEXT) {
    if (text !== null) Deno.writeTextFileSync(this.path, text, { mode: 0o644 });
  }

  edit(edit: (text: string) => string, path: string = this.path): Promise<boolean> {
    return editConfigFile(path, HOST_FACTS, edit);
  }

  text(): string {
    return Deno.readTextFileSync(this.path);
  }

  names(directory: string = this.directory): string[] {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  }

  async refused(exit: number, edit = () => "users: []\n", path: string = this.path) {
    const failure = await assertRejects(() => this.edit(edit, path), Failure) as Failure;
    assertEquals(failure.exit, exit, failure.message);
    return failure;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("editConfigFile() writes the new text, and leaves no other file", async () => {
  using place = new Place();
  assertEquals(await place.edit((text) => `${text}# more\n`), true);
  assertEquals([place.text(), place.names()], [`${TEXT}# more\n`, ["config.yaml"]]);
});

Deno.test("editConfigFile() says why it cannot write, and leaves the file as it was", async () => {
  using place = new Place();
  const { directory, path } = place;
  const { create } = Directory.prototype;
  const disk = (errno: number) => `Cannot write ${path}: ${describe(errno)}`;
  const denied = [
    `Cannot write ${path}: permission denied`,
    ExitCode.refused,
    `ls -ld ${directory} ${path}`,
  ];
  try {
    for (
      const [errno, ...expected] of [
        [Errno.EACCES, ...denied],
        [Errno.ENOSPC, disk(Errno.ENOSPC), ExitCode.os, `df -h ${directory}`],
        [Errno.EIO, disk(Errno.EIO), ExitCode.os, `namei -l ${path}`],
      ] as const
    ) {
      Directory.prototype.create = () => {
        throw new SystemError("openat", errno);
      };
      const { message, exit, hint } = await assertRejects(
        () => place.edit(() => "users: []\n"),
        Failure,
      ) as Failure;
      assertEquals([message, exit, hint], expected);
      assertEquals([place.text(), place.names()], [TEXT, ["config.yaml"]]);
    }
  } finally {
    Directory.prototype.create = create;
  }
  // No lock can be made where the directory may not be written, so that is what is said.
  using _open = new FailingCall("open", Errno.EACCES, (file) => file === `${path}.lock`);
  const { message, exit, hint } = await place.refused(ExitCode.refused);
  assertEquals([message, exit, hint], denied);
});

Deno.test("editConfigFile() writes nothing where the text is the same", async () => {
  using place = new Place();
  const before = Deno.statSync(place.path);
  assertEquals(await place.edit((text) => text), false);
  const after = Deno.statSync(place.path);
  assertEquals([after.ino, after.ctime], [before.ino, before.ctime]);
});

Deno.test("editConfigFile() makes a new file: an open descriptor reads the old text", async () => {
  using place = new Place();
  using reader = Deno.openSync(place.path);
  await place.edit(() => "users: []\n");
  const bytes = new Uint8Array(100);
  const count = reader.readSync(bytes);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, count ?? 0)), TEXT);
});

Deno.test("editConfigFile() keeps the mode", async () => {
  for (const mode of [0o600, 0o640, 0o644, 0o444, 0o755]) {
    using place = new Place();
    Deno.chmodSync(place.path, mode);
    await place.edit(() => "users: []\n");
    assertEquals(Deno.statSync(place.path).mode! & 0o7777, mode);
  }
});

Deno.test({
  name: "editConfigFile() keeps the owner and the group (needs root)",
  ...needsRoot,
  async fn() {
    using place = new Place();
    Deno.chownSync(place.path, 0, 579);
    await place.edit(() => "users: []\n");
    const { uid, gid } = Deno.statSync(place.path);
    assertEquals([uid, gid], [0, 579]);
  },
});

Deno.test("editConfigFile() makes a first file with mode 0644, and its directories", async () => {
  using place = new Place(null);
  const path = join(place.directory, "a", "b", "config.yaml");
  assertEquals(await place.edit((text) => `${text}users: []\n`, path), true);
  assertEquals(Deno.readTextFileSync(path), "users: []\n");
  assertEquals(Deno.statSync(path).mode! & 0o7777, 0o644);
  assertEquals(Deno.statSync(join(place.directory, "a")).mode! & 0o7777, 0o755);
});

Deno.test("editConfigFile() makes no file where others may replace it", async () => {
  using place = new Place(null);
  Deno.chmodSync(place.directory, 0o777);
  const { message, hint } = await place.refused(ExitCode.config);
  assertStringIncludes(message, `${place.directory} is writable by others`);
  assertEquals([hint, place.names()], [`chmod go-w ${place.directory}`, []]);
});

Deno.test("editConfigFile() replaces the target of a link", async () => {
  using place = new Place();
  using other = new Place(null);
  Deno.symlinkSync(place.path, other.path);
  await place.edit(() => "users: []\n", other.path);
  assertEquals(Deno.readLinkSync(other.path), place.path);
  assertEquals([place.text(), other.names()], ["users: []\n", ["config.yaml"]]);
});

Deno.test("editConfigFile() refuses a link without a target, and keeps it", async () => {
  using place = new Place(null);
  const to = join(place.directory, "none");
  Deno.symlinkSync(to, place.path);
  const { hint } = await place.refused(ExitCode.config);
  assertEquals([hint, Deno.readLinkSync(place.path)], [`rm ${place.path}`, to]);
});

Deno.test("editConfigFile() refuses a file that others may write", async () => {
  using place = new Place();
  Deno.chmodSync(place.path, 0o666);
  await place.refused(ExitCode.config);
  assertEquals(place.text(), TEXT);
});

Deno.test("editConfigFile() frees the lock after an edit that throws", async () => {
  using place = new Place();
  const refusal = new Failure("no", { exit: ExitCode.exists });
  const failure = await place.refused(ExitCode.exists, () => {
    throw refusal;
  });
  assertEquals([failure, place.text(), place.names()], [refusal, TEXT, ["config.yaml"]]);
  await place.edit(() => "users: []\n");
});

Deno.test("editConfigFile() keeps the file and frees the lock after a failed write", async () => {
  using place = new Place();
  // A directory that is not empty cannot be removed.
  const obstacle = `${place.path}.new`;
  Deno.mkdirSync(join(obstacle, "x"), { recursive: true });
  await place.refused(ExitCode.os);
  assertEquals([place.text(), place.names()], [TEXT, ["config.yaml", "config.yaml.new"]]);
  Deno.removeSync(obstacle, { recursive: true });
  await place.edit(() => "users: []\n");
});

Deno.test({
  name: "editConfigFile() keeps the file on a full disk, without a partial one (needs root)",
  ...needsRoot,
  async fn() {
    using place = new Place();
    const mounted = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", place.directory],
      stderr: "null",
    }).output();
    if (!mounted.success) return;
    try {
      Deno.writeTextFileSync(place.path, TEXT, { mode: 0o644 });
      const { message } = await place.refused(ExitCode.os, () => "#".repeat(200_000));
      assertStringIncludes(message, `Cannot write ${place.path}: `);
      assertEquals([place.text(), place.names()], [TEXT, ["config.yaml"]]);
    } finally {
      await new Deno.Command("umount", { args: [place.directory] }).output();
    }
  },
});

Deno.test("editConfigFile() replaces the leftovers of a process that died", async () => {
  using place = new Place();
  Deno.writeTextFileSync(`${place.path}.new`, "half of a fi");
  Deno.writeTextFileSync(`${place.path}.lock`, "");
  await place.edit(() => "users: []\n");
  assertEquals([place.text(), place.names()], ["users: []\n", ["config.yaml"]]);
});

Deno.test({
  name: "editConfigFile() as root ignores the lock and links of the file's user (needs root)",
  ...needsRoot,
  async fn() {
    using place = new Place();
    using other = new Place(null);
    const victim = join(other.directory, "victim");
    Deno.writeTextFileSync(victim, "victim", { mode: 0o600 });
    Deno.writeTextFileSync(`${place.path}.lock`, "", { mode: 0o600 });
    Deno.symlinkSync(victim, `${place.path}.new`);
    for (const path of [place.directory, place.path, `${place.path}.lock`]) {
      Deno.chownSync(path, 579, 579);
    }
    const ofService = { ...HOST_FACTS, serverUid: 579 };
    await editConfigFile(place.path, ofService, () => "users: []\n");
    assertEquals([place.text(), place.names()], ["users: []\n", ["config.yaml"]]);
    assertEquals(Deno.statSync(place.path).uid, 579);
    const { uid, mode } = Deno.statSync(victim);
    assertEquals([uid, mode! & 0o777, Deno.readTextFileSync(victim)], [0, 0o600, "victim"]);
  },
});

Deno.test({
  name: "editConfigFile() refuses the lock of a third user (needs root)",
  ...needsRoot,
  async fn() {
    using place = new Place();
    Deno.writeTextFileSync(`${place.path}.lock`, "", { mode: 0o600 });
    Deno.chownSync(`${place.path}.lock`, 579, 579);
    await place.refused(ExitCode.refused);
    assertEquals(place.text(), TEXT);
  },
});

Deno.test("editConfigFile() waits for another writer", async () => {
  using place = new Place();
  const lock = LockFile.tryAcquire(`${place.path}.lock`);
  assert(lock !== null);
  let edited = false;
  const waiting = place.edit(() => {
    edited = true;
    return "users: []\n";
  });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(edited, false);
  lock!.release();
  await waiting;
  assertEquals(place.text(), "users: []\n");
});

const child = fromFileUrl(new URL("../support/add_one_user.ts", import.meta.url));

Deno.test("editConfigFile() loses no edit of many calls and processes at once", async () => {
  using place = new Place();
  const names = { overflowUid: HOST_FACTS.overflowUid };
  const uids = Array.from({ length: 50 }, (_, index) => 1_000 + index);
  const calls = uids.map((uid) =>
    place.edit((text) =>
      addUser(
        text,
        { name: `call${uid}`, uid, gid: null, localIpcAccess: true, admin: false },
        { path: place.path, reserved: names },
      )
    )
  );
  const processes = uids.slice(0, 12).map((uid) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", ...PERMISSION_FLAGS, child, place.path, String(uid + 1_000)],
    }).output()
  );
  // On a slow disk the last of them may wait too long for the lock, and say so.
  const decoder = new TextDecoder();
  const refusals = [
    ...(await Promise.allSettled(calls))
      .filter((one) => one.status === "rejected").map(({ reason }) => String(reason)),
    ...(await Promise.all(processes))
      .filter(({ success }) => !success).map(({ stderr }) => decoder.decode(stderr)),
  ];
  assert(refusals.length < 62);
  for (const refusal of refusals) assertStringIncludes(refusal, "has been editing for");
  const { users } = loadConfig({ paths: [place.path], explicit: true }, HOST_FACTS).access;
  assertEquals(users.length, 62 - refusals.length);
  assertEquals(place.names(), ["config.yaml"]);
  assertStringIncludes(place.text(), "# none");
});

Deno.test("editConfigFile() confirms under the lock, and reads the file after that", async () => {
  using place = new Place();
  const other = "users: [{ name: a, uid: 5 }]\n";
  let seen = "";
  await editConfigFile(place.path, HOST_FACTS, (text) => seen = text, async () => {
    assertEquals(LockFile.tryAcquire(`${place.path}.lock`, effectiveUid()), null);
    await Deno.writeTextFile(place.path, other);
  });
  assertEquals(seen, other);
});

Deno.test("editConfigFile() passes on what a check throws, and writes nothing", async () => {
  class Refusal extends Error {}
  using place = new Place();
  const refuse = () => {
    throw new Refusal();
  };
  await assertRejects(() => place.edit(refuse), Refusal);
  const confirm = () => Promise.reject(new Refusal());
  await assertRejects(() => editConfigFile(place.path, HOST_FACTS, () => "", confirm), Refusal);
  assertEquals(place.text(), TEXT);
});

Deno.test("editConfigFile() makes no file where there has to be one", async () => {
  using place = new Place(null);
  const edit = (path: string) =>
    editConfigFile(path, HOST_FACTS, () => "users: []\n", undefined, true);
  const failure = await assertRejects(() => edit(place.path), Failure) as Failure;
  assertEquals([failure.exit, failure.message, failure.hint], [
    ExitCode.config,
    `There is no configuration ${place.path}`,
    `ls -l ${place.path}`,
  ]);
  assertEquals(place.names(), []);
  Deno.writeTextFileSync(place.path, TEXT, { mode: 0o644 });
  assertEquals([await edit(place.path), place.text()], [true, "users: []\n"]);
});

Deno.test("editConfigFile() gives up after 10 s of another writer, and not before", async () => {
  using place = new Place();
  using _lock = LockFile.tryAcquire(`${place.path}.lock`)!;
  const { now } = performance;
  let time = 1_000;
  let looks = 0;
  // The deadline is taken at the first look.
  performance.now = () => {
    looks++;
    if (looks === 2) time += 10_000;
    if (looks === 3) time += 1;
    return time;
  };
  try {
    const failure = await assertRejects(() => place.edit(() => "users: []\n"), Failure) as Failure;
    assertEquals([failure.exit, failure.message, failure.hint, looks], [
      ExitCode.os,
      `Another process has been editing for 10 s: ${place.path}.lock is locked`,
      `fuser -v ${place.path}.lock`,
      3,
    ]);
  } finally {
    performance.now = now;
  }
  assertEquals(place.text(), TEXT);
});

Deno.test("editConfigFile() says what cannot be written, and why", async () => {
  using place = new Place();
  const circle = join(place.directory, "circle");
  Deno.symlinkSync(circle, circle);
  const below = join(place.path, "below.yaml");
  for (const [path, reason] of [[circle, "symbolic link"], [below, "not a directory"]] as const) {
    const failure = await place.refused(ExitCode.os, undefined, path);
    assertStringIncludes(failure.message, `Cannot write ${path}: `);
    assertStringIncludes(failure.message.toLowerCase(), reason.slice(0, 8));
    assertEquals(failure.hint, `namei -l ${path}`);
  }
  Deno.mkdirSync(`${place.path}.lock`);
  const failure = await assertRejects(() => place.edit(() => "users: []\n"), Failure) as Failure;
  assertStringIncludes(failure.message, `${place.path}.lock`);
  assertEquals(place.text(), TEXT);
});
