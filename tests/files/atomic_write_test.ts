import { assertEquals, assertThrows } from "@std/assert";
import { atomicWrite } from "../../lib/files/atomic_write.ts";
import type { Failure } from "../../lib/errors.ts";
import { Directory, type DirectoryFile } from "../../lib/libc/directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { GuardedDirectory } from "../support/temporary_directory.ts";

const text = (value: string) => new TextEncoder().encode(value);

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("atomicWrite() replaces a file whole, removes a leftover and follows no link", () => {
  using place = new GuardedDirectory();
  place.write("file", "old", 0o640);
  Deno.symlinkSync(place.victim, place.at("new"));
  using model = place.directory.open("file");
  const options = { temporaryName: "new", model, mode: 0o777 };
  atomicWrite(place.directory, "file", text("new"), options);
  assertEquals([Deno.readTextFileSync(place.at("file")), place.mode("file")], ["new", "640"]);
  assertEquals(place.names(), ["file"]);
  place.victimIsUntouched();
});

Deno.test("atomicWrite() copies neither set-user-ID nor the bits that the mode excludes", () => {
  using place = new GuardedDirectory();
  place.write("file", "old", 0o6755);
  using model = place.directory.open("file");
  atomicWrite(place.directory, "file", text("new"), { temporaryName: "new", model, mode: 0o777 });
  assertEquals(place.mode("file"), "755");
  atomicWrite(place.directory, "file", text("new"), { temporaryName: "new", model, mode: 0o640 });
  assertEquals(place.mode("file"), "640");
  atomicWrite(place.directory, "absent", text("new"), {
    temporaryName: "new",
    model: null,
    mode: 0o600,
  });
  assertEquals(place.mode("absent"), "600");
});

Deno.test("atomicWrite() that fails leaves the old file and no temporary one", () => {
  using place = new GuardedDirectory();
  Deno.mkdirSync(place.at("file/full"), { recursive: true });
  const options = { temporaryName: "new", model: null, mode: 0o600 };
  errorOf(() => atomicWrite(place.directory, "file", text("new"), options));
  assertEquals(place.names(), ["file"]);
});

/** A directory that says what is done to it and its new file, and fails where it is told to. */
class ToldDirectory extends Directory {
  readonly steps: string[] = [];
  readonly #place: GuardedDirectory;
  readonly #failures: Record<string, Error>;

  constructor(place: GuardedDirectory, failures: Record<string, Error> = {}) {
    super(place.path);
    this.#place = place;
    this.#failures = failures;
  }

  override create(name: string, mode: number): DirectoryFile {
    const file = super.create(name, mode);
    this.steps.push(`made ${this.#place.mode(name)}`);
    for (const step of ["write", "chmod", "copyRights", "sync"] as const) {
      const run = file[step].bind(file) as (...values: unknown[]) => void;
      file[step] = (...values: unknown[]) => this.#do(step, () => run(...values));
    }
    const close = file[Symbol.dispose].bind(file);
    file[Symbol.dispose] = () => this.#do("close", close);
    return file;
  }

  override rename(from: string, to: string): void {
    this.#do("rename", () => super.rename(from, to));
  }

  override sync(): void {
    this.#do("sync directory", () => super.sync());
  }

  #do(step: string, run: () => void): void {
    this.steps.push(step);
    const failure = this.#failures[step];
    if (failure !== undefined) throw failure;
    run();
  }
}

Deno.test("atomicWrite() makes the content and the rights durable before the name, and then it", () => {
  using place = new GuardedDirectory();
  place.write("file", "old", 0o640);
  using model = place.directory.open("file");
  for (const [rights, one] of [[["chmod"], null], [["copyRights", "chmod"], model]] as const) {
    using directory = new ToldDirectory(place);
    const options = { temporaryName: "new", model: one, mode: 0o640 };
    atomicWrite(directory, "file", text("new"), options);
    assertEquals(directory.steps, [
      ...["made 600", "write", ...rights, "sync", "close", "rename", "sync directory"],
    ]);
  }
});

Deno.test("atomicWrite() that fails at any step before the rename leaves the old file", () => {
  for (const step of ["write", "chmod", "sync", "rename"]) {
    for (const failure of [new SystemError(step, Errno.EIO), new TypeError("a bug")]) {
      using place = new GuardedDirectory();
      place.write("file", "old", 0o640);
      using directory = new ToldDirectory(place, { [step]: failure });
      const options = { temporaryName: "new", model: null, mode: 0o600 };
      const error = assertThrows(() => atomicWrite(directory, "file", text("new"), options));
      assertEquals([error, place.text("file"), place.names()], [failure, "old", ["file"]]);
    }
  }
});

Deno.test("atomicWrite() says what a mount point needs, and what is not durable", () => {
  const outcome = (failures: Record<string, Error>) => {
    using place = new GuardedDirectory();
    place.write("file", "old", 0o640);
    using directory = new ToldDirectory(place, failures);
    const options = { temporaryName: "new", model: null, mode: 0o600 };
    const error = assertThrows(() => atomicWrite(directory, "file", text("new"), options));
    assertEquals(place.names(), ["file"]);
    const { message, exit, hint } = error as Partial<Failure>;
    return [place.text("file"), message, exit, hint];
  };
  assertEquals(outcome({ rename: new SystemError("rename", Errno.EBUSY) }), [
    "old",
    "Cannot replace file: it is a mount point of its own, and a file is written by replacing it",
    71,
    "mount the directory of the file instead of the file, or edit it outside of the mount",
  ]);
  // The change is made.
  assertEquals(outcome({ "sync directory": new SystemError("fsync", Errno.EIO) }), [
    "new",
    "file is written, but the old one may be back after a crash: the device or file system failed",
    71,
    "dmesg | tail",
  ]);
  const bug = Object.assign(new TypeError("a bug"), { errno: Errno.EBUSY });
  assertEquals(outcome({ rename: bug }), ["old", "a bug", undefined, undefined]);
  assertEquals(outcome({ "sync directory": bug }), ["new", "a bug", undefined, undefined]);
});

/** Reads or sets an access control list (`acl(5)`, `linux/posix_acl_xattr.h`) with Python alone. */
async function acl(...words: string[]): Promise<string> {
  const code = `
import os, struct, sys
path, name = sys.argv[1], "system.posix_acl_" + sys.argv[2]
if len(sys.argv) == 3:
    try: value = os.getxattr(path, name)
    except OSError: print("none"); sys.exit()
    entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
    print(" ".join("%d:%d" % (uid, rights) for tag, rights, uid in entries if tag == 2))
else:
    no_id = 0xffffffff
    mask, other = int(sys.argv[3]), int(sys.argv[4])
    entries = [(1, 6, no_id), (2, mask, 579), (4, 4, no_id), (16, mask, no_id), (32, other, no_id)]
    packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, name, struct.pack("<I", 2) + packed)
`;
  const { stdout, success } = await new Deno.Command("python3", { args: ["-c", code, ...words] })
    .output();
  return success ? new TextDecoder().decode(stdout).trim() : "unsupported";
}

Deno.test("atomicWrite() keeps an access control list, bounded by the mode", async (test) => {
  using place = new GuardedDirectory();
  place.write("file", "old", 0o640);
  const isSupported = await acl(place.at("file"), "access", "4", "0") === "";
  await test.step({
    name: "copied",
    ignore: !isSupported,
    async fn() {
      using model = place.directory.open("file");
      atomicWrite(place.directory, "file", text("new"), {
        temporaryName: "new",
        model,
        mode: 0o777,
      });
      assertEquals(await acl(place.at("file"), "access"), "579:4");
      atomicWrite(place.directory, "file", text("new"), {
        temporaryName: "new",
        model,
        mode: 0o600,
      });
      assertEquals([place.mode("file"), await acl(place.at("file"), "access")], ["600", "579:4"]);
    },
  });
  await test.step({
    name: "not added by the directory where the old file had none",
    ignore: !isSupported,
    async fn() {
      place.write("plain", "old", 0o640);
      await acl(place.path, "default", "6", "0");
      using model = place.directory.open("plain");
      atomicWrite(place.directory, "plain", text("new"), {
        temporaryName: "new",
        model,
        mode: 0o777,
      });
      assertEquals([place.mode("plain"), await acl(place.at("plain"), "access")], ["640", "none"]);
    },
  });
});
