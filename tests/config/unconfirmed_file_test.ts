/**
 * The record of an edit that is undone unless it is confirmed: one server holds it, only a record
 * that can be relied on is used, and it is gone when the edit is.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadHostFacts } from "../../lib/config/load.ts";
import { UnconfirmedFile, undoUnconfirmed } from "../../lib/config/unconfirmed_file.ts";
import { findUnconfirmed, recordPath } from "../../lib/config/unconfirmed_path.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { Directory } from "../../lib/libc/directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { FailingCall } from "../support/failing_call.ts";

const FACTS = loadHostFacts(effectiveUid());
const BEFORE = "users:\n  - { name: bob, uid: 579 }\n";
const AFTER = "users:\n  - { name: bob, uid: 579, local_ipc_access: true }\n";
const EDIT = { user: "alice", before: BEFORE, after: AFTER };

/** A directory with a configuration. */
class Place {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly path = join(this.directory, "config.yaml");
  readonly record = `${this.path}.unconfirmed`;

  constructor(text: string = AFTER) {
    Deno.writeTextFileSync(this.path, text, { mode: 0o644 });
  }

  names(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function held(path: string): UnconfirmedFile {
  const file = UnconfirmedFile.acquire(path, FACTS);
  if (file === null) throw new Error("it is held");
  return file;
}

function refused(run: () => unknown, exit: number, message: string, hint: string): void {
  const failure = assertThrows(run, Failure) as Failure;
  assertEquals([failure.exit, failure.message, failure.hint], [exit, message, hint]);
}

Deno.test("one server holds the record, and the next one gets it", () => {
  using place = new Place();
  const first = held(place.path);
  assertEquals(UnconfirmedFile.acquire(place.path, FACTS), null);
  first.release();
  const second = held(place.path);
  second.release();
  const none = join(place.directory, "none.yaml");
  refused(
    () => UnconfirmedFile.acquire(none, FACTS),
    ExitCode.config,
    `There is no configuration ${none}`,
    `ls -ld ${none}`,
  );
  const circle = join(place.directory, "circle");
  Deno.symlinkSync(circle, circle);
  const failure = assertThrows(() => UnconfirmedFile.acquire(circle, FACTS), Failure) as Failure;
  assertEquals([failure.exit, failure.message.split(": ")[0]], [
    ExitCode.config,
    `Cannot find the configuration ${circle}`,
  ]);
  Deno.mkdirSync(`${place.record}.lock`.replace("config", "other"));
  Deno.copyFileSync(place.path, join(place.directory, "other.yaml"));
  const locked = assertThrows(
    () => UnconfirmedFile.acquire(join(place.directory, "other.yaml"), FACTS),
    Failure,
  ) as Failure;
  assert(locked.exit !== ExitCode.ok && locked.message.includes(".lock"), locked.message);
});

Deno.test("a record that was written is read by its owner alone, and is undone once", async () => {
  using place = new Place();
  const file = held(place.path);
  assertEquals(file.read(), null);
  file.write(EDIT);
  assertEquals(Deno.statSync(place.record).mode! & 0o777, 0o600);
  assertEquals(place.names(), [
    ...["config.yaml", "config.yaml.unconfirmed", "config.yaml.unconfirmed.lock"],
  ]);
  assertEquals(file.read(), EDIT);
  // Behind a link it is the record of the file.
  const link = join(place.directory, "link.yaml");
  Deno.symlinkSync(place.path, link);
  assertEquals(recordPath(link), place.record);
  const result = await file.undo(EDIT);
  assertEquals([result.text, result.left], [BEFORE, []]);
  assertEquals([Deno.readTextFileSync(place.path), file.read()], [BEFORE, null]);
  file.remove();
  Deno.mkdirSync(place.record);
  refused(
    () => file.remove(),
    ExitCode.os,
    `Cannot remove ${place.record}: it is a directory`,
    `ls -ld ${place.directory} ${place.record}`,
  );
  file.release();
});

Deno.test("the removal of a record is durable, or it fails", () => {
  using place = new Place();
  const file = held(place.path);
  const { sync } = Directory.prototype;
  try {
    const list = `ls -ld ${place.directory} ${place.record}`;
    for (
      const [errno, exit, hint] of [
        [Errno.EIO, ExitCode.os, list],
        [Errno.ENOSPC, ExitCode.os, `df -h ${place.directory}`],
        [Errno.EACCES, ExitCode.refused, list],
      ] as const
    ) {
      file.write(EDIT);
      Directory.prototype.sync = () => {
        throw new SystemError("fsync", errno);
      };
      const failure = assertThrows(() => file.remove(), Failure) as Failure;
      assertEquals([failure.exit, failure.hint, place.names().join()], [
        ...[exit, hint, "config.yaml,config.yaml.unconfirmed.lock"],
      ]);
      Directory.prototype.sync = sync;
    }
  } finally {
    Directory.prototype.sync = sync;
  }
  file.release();
});

Deno.test("a record stays where its edit cannot be undone", async () => {
  using place = new Place("typo: 1\n");
  const file = held(place.path);
  file.write(EDIT);
  const failure = await file.undo(EDIT).then(() => null, (error) => error);
  assertEquals([failure.exit, file.read()], [ExitCode.config, EDIT]);
  Deno.removeSync(place.path);
  const gone = await file.undo(EDIT).then(() => null, (error) => error);
  assertEquals([gone.exit, gone.message], [
    ExitCode.config,
    `There is no configuration ${place.path}`,
  ]);
  assertEquals([file.read(), place.names().includes("config.yaml")], [EDIT, false]);
  file.release();
});

Deno.test("only a record that can be relied on is used, and no hint makes it trusted", () => {
  using place = new Place();
  const file = held(place.path);
  const hint = `rm ${place.record} keeps the configuration as it is`;
  const write = (text: string, mode = 0o600) => {
    Deno.writeTextFileSync(place.record, text);
    Deno.chmodSync(place.record, mode);
  };
  for (
    const text of [
      ...["", "x", "null", "5", "[]", "{}"],
      JSON.stringify({ ...EDIT, user: 5 }),
      JSON.stringify({ ...EDIT, before: undefined }),
      JSON.stringify({ ...EDIT, after: [AFTER] }),
    ]
  ) {
    write(text);
    refused(
      () => file.read(),
      ExitCode.config,
      `${place.record} is no record of an unconfirmed change`,
      hint,
    );
  }
  for (const edit of [{ ...EDIT, before: "typo: 1\n" }, { ...EDIT, after: "users: x\n" }]) {
    write(JSON.stringify(edit));
    const failure = assertThrows(() => file.read(), Failure) as Failure;
    assertEquals([failure.exit, failure.message.split(": ")[0], failure.hint], [
      ExitCode.config,
      "The record of an unconfirmed change cannot be used",
      hint,
    ]);
  }
  const faulty = {
    ...FACTS,
    get overflowUid(): number {
      throw new TypeError("a bug");
    },
  };
  using other = new Place();
  const unread = UnconfirmedFile.acquire(other.path, faulty)!;
  unread.write(EDIT);
  assertThrows(() => unread.read(), Failure, `Cannot read ${other.record}: `);
  unread.release();
  // An edit may have made the first file.
  write(JSON.stringify({ ...EDIT, before: "" }));
  assertEquals(file.read(), { ...EDIT, before: "" });
  write(JSON.stringify({ ...EDIT, more: 1 }));
  assertEquals(file.read(), EDIT);
  write(JSON.stringify(EDIT), 0o666);
  const open = assertThrows(() => file.read(), Failure) as Failure;
  assert(open.message.includes("is writable by others"), open.message);
  assertEquals([open.exit, open.hint], [ExitCode.config, hint]);
  Deno.removeSync(place.record);
  Deno.mkdirSync(place.record);
  const directory = assertThrows(() => file.read(), Failure) as Failure;
  assert(directory.message.includes("is not a regular file"), directory.message);
  Deno.removeSync(place.record);
  Deno.symlinkSync(place.record, place.record);
  const circle = assertThrows(() => file.read(), Failure) as Failure;
  assertEquals([circle.exit, circle.message.split(": ")[0], circle.hint], [
    ExitCode.config,
    `Cannot read ${place.record}`,
    hint,
  ]);
  file.release();
});

Deno.test("undoUnconfirmed() undoes what a server has left, unless another one lives", async () => {
  using place = new Place();
  assertEquals(await undoUnconfirmed(place.path, FACTS), null);
  const server = held(place.path);
  server.write(EDIT);
  assertEquals(await undoUnconfirmed(place.path, FACTS), null);
  assertEquals(Deno.readTextFileSync(place.path), AFTER);
  server.release();
  const undone = await undoUnconfirmed(place.path, FACTS);
  assertEquals([undone?.user, undone?.text, Deno.readTextFileSync(place.path)], [
    "alice",
    BEFORE,
    BEFORE,
  ]);
  assertEquals(await undoUnconfirmed(place.path, FACTS), null);
  // A record that cannot be used ends it, and the next one finds it free.
  Deno.writeTextFileSync(place.record, "x", { mode: 0o600 });
  for (const _again of [1, 2]) {
    const failure = await undoUnconfirmed(place.path, FACTS).then(() => null, (error) => error);
    assertEquals(failure?.exit, ExitCode.config);
  }
});

Deno.test("findUnconfirmed() finds the record of the first configuration that there is", () => {
  using first = new Place();
  using second = new Place();
  const of = (...paths: string[]) => findUnconfirmed({ paths, explicit: false });
  assertEquals(of(first.path, second.path), null);
  Deno.writeTextFileSync(second.record, "");
  assertEquals(of(first.path, second.path), null);
  assertEquals(of(`${first.path}.none`, second.path), second.path);
  Deno.writeTextFileSync(first.record, "");
  assertEquals(of(first.path, second.path), first.path);
  const circle = join(first.directory, "circle");
  Deno.symlinkSync(circle, circle);
  assertEquals([of(circle, second.path), of()], [null, null]);
});

Deno.test("a record that cannot be looked at at the moment is not taken for none", () => {
  using place = new Place();
  const find = () => findUnconfirmed({ paths: [place.path], explicit: true });
  for (const [errno, expected] of [[Errno.EIO, place.path], [Errno.ENAMETOOLONG, null]] as const) {
    using _call = new FailingCall("statx", errno, (path) => path === place.record);
    assertEquals(find(), expected);
  }
  assertEquals(find(), null);
});
