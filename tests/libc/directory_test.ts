import { assertEquals, assertThrows } from "@std/assert";
import { Directory, putInPlace } from "../../lib/libc/directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/processes.ts";

/** A directory for one test, and a file outside it that must not change. */
class Place {
  readonly path = Deno.makeTempDirSync();
  readonly directory = new Directory(this.path);
  readonly #outside = Deno.makeTempDirSync();
  readonly victim = `${this.#outside}/victim`;

  constructor() {
    Deno.writeTextFileSync(this.victim, "victim", { mode: 0o600 });
  }

  write(name: string, text: string, mode = 0o600): void {
    Deno.writeTextFileSync(this.at(name), text);
    Deno.chmodSync(this.at(name), mode);
  }

  at(name: string): string {
    return `${this.path}/${name}`;
  }

  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  mode(name: string): string {
    return (Deno.statSync(this.at(name)).mode! & 0o7777).toString(8);
  }

  victimIsUntouched(): void {
    const { mode, uid } = Deno.statSync(this.victim);
    assertEquals([mode! & 0o7777, uid], [0o600, Deno.uid()]);
    assertEquals(Deno.readTextFileSync(this.victim), "victim");
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
    Deno.removeSync(this.path, { recursive: true });
    Deno.removeSync(this.#outside, { recursive: true });
  }
}

const text = (value: string) => new TextEncoder().encode(value);

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("a Directory is neither a file nor a symbolic link", () => {
  using place = new Place();
  place.write("file", "");
  Deno.symlinkSync(place.path, place.at("link"));
  assertEquals(errorOf(() => new Directory(place.at("file"))), Errno.ENOTDIR);
  assertEquals(errorOf(() => new Directory(place.at("link"))), Errno.ENOTDIR);
  assertEquals(errorOf(() => new Directory(place.at("none"))), Errno.ENOENT);
});

Deno.test("create() follows no symbolic link and replaces no file", () => {
  using place = new Place();
  Deno.symlinkSync(place.victim, place.at("link"));
  Deno.symlinkSync(place.at("none"), place.at("dangling"));
  place.write("file", "old");
  for (const name of ["link", "dangling", "file"]) {
    assertEquals(errorOf(() => place.directory.create(name, 0o600)), Errno.EEXIST);
  }
  place.victimIsUntouched();
});

Deno.test("open() follows no symbolic link and does not wait at a FIFO", async () => {
  using place = new Place();
  Deno.symlinkSync(place.victim, place.at("link"));
  assertEquals(errorOf(() => place.directory.open("link")), Errno.ELOOP);
  await new Deno.Command("mkfifo", { args: [place.at("fifo")] }).output();
  using _fifo = place.directory.open("fifo");
});

Deno.test(
  "copyRights() changes the open file, also when its name is another file's (needs root)",
  { ignore: !isRoot },
  () => {
    using place = new Place();
    place.write("model", "", 0o644);
    Deno.chownSync(place.at("model"), 579, 578);
    using model = place.directory.open("model");
    using file = place.directory.create("file", 0o600);
    Deno.renameSync(place.at("file"), place.at("moved"));
    Deno.symlinkSync(place.victim, place.at("file"));
    file.copyRights(model, 0o777);
    place.victimIsUntouched();
    const { uid, gid } = Deno.statSync(place.at("moved"));
    assertEquals([uid, gid, place.mode("moved")], [579, 578, "644"]);
  },
);

Deno.test("putInPlace() replaces a file whole, with what is left over beside it, and no link", () => {
  using place = new Place();
  place.write("file", "old", 0o640);
  Deno.symlinkSync(place.victim, place.at("beside"));
  using model = place.directory.open("file");
  const options = { beside: "beside", model, mode: 0o777 };
  putInPlace(place.directory, "file", text("new"), options);
  assertEquals([Deno.readTextFileSync(place.at("file")), place.mode("file")], ["new", "640"]);
  assertEquals(place.names(), ["file"]);
  place.victimIsUntouched();
});

Deno.test("set-user-ID and what the caller excludes are not taken over", () => {
  using place = new Place();
  place.write("file", "old", 0o6755);
  using model = place.directory.open("file");
  putInPlace(place.directory, "file", text("new"), { beside: "b", model, mode: 0o777 });
  assertEquals(place.mode("file"), "755");
  putInPlace(place.directory, "file", text("new"), { beside: "b", model, mode: 0o640 });
  assertEquals(place.mode("file"), "640");
  putInPlace(place.directory, "new", text("new"), { beside: "b", model: null, mode: 0o600 });
  assertEquals(place.mode("new"), "600");
});

Deno.test("putInPlace() that fails leaves the old file, and nothing beside it", () => {
  using place = new Place();
  Deno.mkdirSync(place.at("file/full"), { recursive: true });
  const options = { beside: "beside", model: null, mode: 0o600 };
  errorOf(() => putInPlace(place.directory, "file", text("new"), options));
  assertEquals(place.names(), ["file"]);
});

/**
 * Reads or sets an access control list (`acl(5)`, `linux/posix_acl_xattr.h`) with nothing of ours.
 */
async function acl(...words: string[]): Promise<string> {
  const code = `
import os, struct, sys
path, name = sys.argv[1], "system.posix_acl_" + sys.argv[2]
if len(sys.argv) == 3:
    try: value = os.getxattr(path, name)
    except OSError: print("none"); sys.exit()
    entries = [struct.unpack_from("<HHI", value, at) for at in range(4, len(value), 8)]
    print(" ".join("%d:%d" % (who, rights) for tag, rights, who in entries if tag == 2))
else:
    nobody = 0xffffffff
    entries = [(1, 6, nobody), (2, int(sys.argv[3]), 579), (4, 4, nobody), (16, int(sys.argv[3]), nobody), (32, int(sys.argv[4]), nobody)]
    os.setxattr(path, name, struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))
`;
  const { stdout, success } = await new Deno.Command("python3", { args: ["-c", code, ...words] })
    .output();
  return success ? new TextDecoder().decode(stdout).trim() : "unsupported";
}

Deno.test("an access control list stays, bounded by the mode", async (test) => {
  using place = new Place();
  place.write("file", "old", 0o640);
  const isSupported = await acl(place.at("file"), "access", "4", "0") === "";
  await test.step({
    name: "copied",
    ignore: !isSupported,
    async fn() {
      using model = place.directory.open("file");
      putInPlace(place.directory, "file", text("new"), { beside: "b", model, mode: 0o777 });
      assertEquals(await acl(place.at("file"), "access"), "579:4");
      putInPlace(place.directory, "file", text("new"), { beside: "b", model, mode: 0o600 });
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
      putInPlace(place.directory, "plain", text("new"), { beside: "b", model, mode: 0o777 });
      assertEquals([place.mode("plain"), await acl(place.at("plain"), "access")], ["640", "none"]);
    },
  });
});
