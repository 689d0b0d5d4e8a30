/** Key files that are written: their rights and places, and what stays where one fails. */
import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import { tryAs } from "../../lib/files/access_as.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { newKey, newKeyPath, removeKey, storeKey } from "../../lib/keys/key_writer.ts";
import { readKeyFile } from "../../lib/keys/key_reader.ts";
import { Directory, DirectoryFile } from "../../lib/libc/directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;
const needsRoot = { ignore: OWN_UID !== 0 };
const KEY = new Uint8Array(32).fill(5);
const TEXT = new TextDecoder().decode(formatKey(KEY));

function store(path: string, force = false, ownUid = OWN_UID): string {
  return storeKey(path, KEY, { force, ownUid });
}

/** What a failure says: its exit code, its message and its hint. */
function refusal(action: () => unknown): unknown[] {
  const { exit, message, hint } = assertThrows(action, Failure);
  return [exit, message, hint];
}

Deno.test("a new key file is readable by its owner alone, and so is a new directory", () => {
  using place = new TemporaryDirectory();
  const path = place.at("a/b/ipc.key");
  assertEquals(store(path), path);
  assertEquals([place.text("a/b/ipc.key"), place.mode("a/b/ipc.key")], [TEXT, "600"]);
  assertEquals(
    [place.mode("a"), place.mode("a/b")],
    OWN_UID === 0 ? ["755", "755"] : ["700", "700"],
  );
  // The directories of a user who is not root are that user's alone.
  store(place.at("c/ipc.key"), false, 12345);
  assertEquals([place.mode("c"), place.mode("c/ipc.key")], ["700", "600"]);
  // The key stays the caller's.
  assertEquals(KEY, new Uint8Array(32).fill(5));
  assertEquals(place.descriptors(), 0);
});

Deno.test("an existing key file is left as it is, and so is what is no file", () => {
  using place = new TemporaryDirectory();
  const path = place.write("a key", "old", 0o640);
  Deno.symlinkSync("absent", place.at("dangling"));
  Deno.mkdirSync(place.at("directory"));
  const exists = (name: string, word: string) => [
    73,
    `${place.at(name)} exists already, and is left as it is`,
    `ipcauth gen-key --show ${word}, or --force to replace it`,
  ];
  assertEquals(refusal(() => store(path)), exists("a key", `'${path}'`));
  for (const name of ["dangling", "directory"]) {
    assertEquals(refusal(() => store(place.at(name))), exists(name, place.at(name)));
  }
  assertEquals(refusal(() => store(place.at("dangling"), true)), [
    73,
    `${place.at("dangling")} is a link to a file that does not exist`,
    `rm ${place.at("dangling")}`,
  ]);
  assertEquals(refusal(() => store(place.at("directory"), true)), [
    73,
    `${place.at("directory")} is not a regular file, and is not replaced`,
    `ls -ld ${place.at("directory")}`,
  ]);
  assertEquals(refusal(() => store(`${path}/below`)), [
    71,
    `Cannot write the key file ${path}/below: a part of the path is not a directory`,
    `ls -ld '${path}'`,
  ]);
  assertEquals([place.text("a key"), place.mode("a key")], ["old", "640"]);
  assertEquals(place.names(), ["a key", "dangling", "directory"]);
  assertEquals(place.descriptors(), 0);
});

Deno.test("a replaced key file keeps the right of its group to read, and no other user's", () => {
  for (
    const [before, after] of [
      ...[[0o600, "600"], [0o640, "640"], [0o440, "440"], [0o400, "400"]],
      // Others could read or write the old key: the group loses its right with them.
      ...[[0o644, "600"], [0o660, "600"], [0o641, "600"], [0o650, "600"], [0o740, "600"]],
      ...[[0o2640, "640"], [0o646, "600"], [0o642, "600"]],
    ] as const
  ) {
    using place = new TemporaryDirectory();
    const path = place.write("ipc.key", "old", before);
    assertEquals(store(path, true), path);
    assertEquals([place.text("ipc.key"), place.mode("ipc.key")], [TEXT, after]);
    // Nothing with a key in it is left beside it.
    assertEquals([place.names(), place.descriptors()], [["ipc.key"], 0]);
  }
});

Deno.test("a replaced key file stays behind its link", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a"));
  place.write("a/ipc.key", "old", 0o600);
  Deno.symlinkSync("a/ipc.key", place.at("link"));
  assertEquals(store(place.at("link"), true), place.at("link"));
  assertEquals(Deno.readLinkSync(place.at("link")), "a/ipc.key");
  assertEquals([place.text("a/ipc.key"), place.names()], [TEXT, ["a", "link"]]);
});

Deno.test("no key is written where other users could replace it", () => {
  using place = new TemporaryDirectory();
  for (const name of ["open", "good"]) Deno.mkdirSync(place.at(name));
  Deno.chmodSync(place.at("open"), 0o777);
  place.write("open/ipc.key", "old", 0o600);
  place.write("good/ipc.key", "old", 0o600);
  // Of a link, both its own place and that of the file count.
  Deno.symlinkSync("../open/ipc.key", place.at("good/link"));
  Deno.symlinkSync("../good/ipc.key", place.at("open/link"));
  const sentence = "A key is not written where other users could replace it: " +
    `${place.at("open")} is writable by others (mode 0777)`;
  for (const name of ["open/ipc.key", "open/new", "good/link", "open/link", "open/new/ipc.key"]) {
    const force = !name.includes("new");
    assertEquals(refusal(() => store(place.at(name), force)), [
      ...[78, sentence, `chmod go-w ${place.at("open")}`],
    ], name);
  }
  assertEquals(["open", "good"].map((name) => place.text(`${name}/ipc.key`)), ["old", "old"]);
  assertEquals(place.descriptors(), 0);
});

Deno.test({
  name: "a replaced key file keeps its owner and its group (needs root)",
  ...needsRoot,
  fn() {
    using place = new TemporaryDirectory();
    const path = place.write("ipc.key", "old", 0o640);
    Deno.chownSync(path, 578, 579);
    store(path, true);
    const { uid, gid } = Deno.statSync(path);
    assertEquals([uid, gid, place.mode("ipc.key")], [578, 579, "640"]);
    // Where another user owns the directory, that user decides which file it is.
    Deno.mkdirSync(place.at("theirs"));
    Deno.chownSync(place.at("theirs"), 578, 578);
    const [exit, message] = refusal(() => store(place.at("theirs/ipc.key")));
    assertEquals([exit, String(message).endsWith("belongs to uid 578, which is not root")], [
      ...[78, true],
    ]);
    store(place.at("theirs/ipc.key"), false, 578);
  },
});

Deno.test("a key beside another one has its rights, and is taken away again", () => {
  using place = new TemporaryDirectory();
  const like = place.write("old.key", TEXT, 0o640);
  Deno.symlinkSync("old.key", place.at("link"));
  if (OWN_UID === 0) Deno.chownSync(like, 578, 579);
  for (const model of ["old.key", "link"]) {
    const made = newKey(place.at("new.key"), { ownUid: OWN_UID, like: place.at(model) });
    const { uid, gid } = Deno.statSync(like);
    const status = Deno.statSync(place.at("new.key"));
    assertEquals([made.path, status.uid, status.gid], [place.at("new.key"), uid, gid]);
    assertEquals(place.mode("new.key"), "640");
    const { key, id } = readKeyFile(made.path, 578);
    assertEquals([id, keyId(key), id === keyId(KEY)], [made.id, made.id, false]);
    // It is not replaced.
    const again = () => newKey(place.at("new.key"), { ownUid: OWN_UID, like });
    assertEquals(refusal(again)[0], 73);
    assertEquals(readKeyFile(made.path, 578).id, id);
    made.remove();
    assertEquals(place.names(), ["link", "old.key"]);
  }
  assertEquals(place.text("old.key"), TEXT);
});

Deno.test("a key beside one that cannot be opened leaves nothing", () => {
  using place = new TemporaryDirectory();
  const path = place.at("new.key");
  assertEquals(refusal(() => newKey(path, { ownUid: OWN_UID, like: place.at("absent") })), [
    71,
    `Cannot write the key file ${path}: there is no such file`,
    `ls -ld ${place.path}`,
  ]);
  assertEquals([place.names(), place.descriptors()], [[], 0]);
  place.write("new.key", "");
  removeKey(path);
  assertEquals(place.names(), []);
});

Deno.test({
  name: "a key file that a right is missing for is a refusal of 77 (needs root)",
  ...needsRoot,
  fn() {
    using place = new TemporaryDirectory();
    Deno.chmodSync(place.path, 0o755);
    const path = place.write("ipc.key", "old", 0o644);
    const identity = { uid: 579, gid: 579, groups: [] };
    for (const name of ["ipc.key", "new.key"]) {
      const refused: unknown[] = [];
      tryAs(identity, () => {
        refused.push(...refusal(() => store(place.at(name), name === "ipc.key", 579)));
        return 0;
      });
      assertEquals(refused, [
        ...[77, `Cannot write the key file ${place.at(name)}: permission denied`],
        `ls -ld ${place.path}`,
      ]);
    }
    assertEquals([place.names(), place.text("ipc.key")], [["ipc.key"], "old"]);
    store(path, true);
  },
});

/** Lets the system calls of directories fail or be told, until it is disposed of. */
class ToldDirectories implements Disposable {
  readonly steps: string[] = [];
  readonly #originals: (() => void)[] = [];

  /** @param before Runs before each step, whose file is named; what it throws is what fails. */
  constructor(before: (step: string, name?: string) => void = () => {}) {
    const { steps } = this;
    const tell = (type: { readonly prototype: object }, method: string, step: string) => {
      const original = Object.getOwnPropertyDescriptor(type.prototype, method)!;
      Object.defineProperty(type.prototype, method, {
        ...original,
        value(this: unknown, ...args: unknown[]): unknown {
          steps.push(step);
          before(step, typeof args[0] === "string" ? args[0] : undefined);
          return original.value.apply(this, args);
        },
      });
      this.#originals.push(() => Object.defineProperty(type.prototype, method, original));
    };
    tell(Directory, "create", "create");
    tell(DirectoryFile, "write", "write");
    tell(DirectoryFile, "sync", "sync");
    tell(Directory, "rename", "rename");
    tell(Directory, "sync", "sync directory");
  }

  [Symbol.dispose](): void {
    this.#originals.forEach((restore) => restore());
  }
}

Deno.test("a new key file is durable, with its name", () => {
  using place = new TemporaryDirectory();
  using told = new ToldDirectories();
  store(place.at("ipc.key"));
  assertEquals(told.steps.splice(0), ["create", "write", "sync", "sync directory"]);
  store(place.at("ipc.key"), true);
  assertEquals(told.steps, ["create", "write", "sync", "rename", "sync directory"]);
});

Deno.test("a new key file that could not be made durable is taken away again", () => {
  for (const failing of ["write", "sync", "sync directory"]) {
    using place = new TemporaryDirectory();
    const path = place.at("ipc.key");
    using _ = new ToldDirectories((step) => {
      if (step === failing) throw new SystemError("fsync", Errno.EIO);
    });
    assertEquals(refusal(() => store(path)), [
      71,
      `Cannot write the key file ${path}: the device or file system failed`,
      `ls -ld ${place.path}`,
    ]);
    assertEquals([place.names(), place.descriptors()], [[], 0]);
  }
});

Deno.test("a key file that another process makes meanwhile is left as it is", () => {
  using place = new TemporaryDirectory();
  const path = place.at("ipc.key");
  using _ = new ToldDirectories((step) => {
    if (step === "create") place.write("ipc.key", "theirs");
  });
  assertEquals(refusal(() => store(path)), [
    73,
    `${path} exists already, and is left as it is`,
    `ipcauth gen-key --show ${path}, or --force to replace it`,
  ]);
  assertEquals(place.text("ipc.key"), "theirs");
});

Deno.test("a key beside another one that cannot get its rights for good leaves nothing", () => {
  using place = new TemporaryDirectory();
  const like = place.write("old.key", TEXT, 0o640);
  let syncs = 0;
  using _ = new ToldDirectories((step) => {
    if (step === "sync directory" && ++syncs === 2) throw new SystemError("fsync", Errno.EIO);
  });
  const make = () => newKey(place.at("new.key"), { ownUid: OWN_UID, like });
  assertEquals(refusal(make), [
    71,
    "new.key is written, but the old one may be back after a crash: the device or file system " +
    "failed",
    "dmesg | tail",
  ]);
  assertEquals(place.names(), ["old.key"]);
});

Deno.test("gen-key without a name writes the file of the environment, or the first default one", () => {
  const path = (uid: number, variables: Record<string, string>) => newKeyPath({ uid, variables });
  assertEquals(
    [
      path(0, {}),
      path(1000, { HOME: "/home/x" }),
      path(1000, { HOME: "/home/x", IPCAUTH_KEY_FILE: "/k" }),
      path(0, { IPCAUTH_KEY_FILE: "" }),
    ],
    [
      "/etc/ipcauth/ipc.key",
      "/home/x/.config/ipcauth/ipc.key",
      "/k",
      "/etc/ipcauth/ipc.key",
    ],
  );
});
