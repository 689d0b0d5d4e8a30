import { assertEquals, assertThrows } from "@std/assert";
import { Directory } from "../../lib/libc/directory.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { isRoot } from "../support/processes.ts";
import { GuardedDirectory } from "../support/temporary_directory.ts";

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("a Directory is neither a file nor a symbolic link", () => {
  using place = new GuardedDirectory();
  place.write("file", "");
  Deno.symlinkSync(place.path, place.at("link"));
  assertEquals(errorOf(() => new Directory(place.at("file"))), Errno.ENOTDIR);
  assertEquals(errorOf(() => new Directory(place.at("link"))), Errno.ENOTDIR);
  assertEquals(errorOf(() => new Directory(place.at("none"))), Errno.ENOENT);
});

Deno.test("create() follows no symbolic link and replaces no file", () => {
  using place = new GuardedDirectory();
  Deno.symlinkSync(place.victim, place.at("link"));
  Deno.symlinkSync(place.at("none"), place.at("dangling"));
  place.write("file", "old");
  for (const name of ["link", "dangling", "file"]) {
    assertEquals(errorOf(() => place.directory.create(name, 0o600)), Errno.EEXIST);
  }
  place.victimIsUntouched();
});

Deno.test("open() follows no symbolic link and does not wait at a FIFO", async () => {
  using place = new GuardedDirectory();
  Deno.symlinkSync(place.victim, place.at("link"));
  assertEquals(errorOf(() => place.directory.open("link")), Errno.ELOOP);
  await new Deno.Command("mkfifo", { args: [place.at("fifo")] }).output();
  using _fifo = place.directory.open("fifo");
});

Deno.test(
  "copyRights() changes the open file, also when its name is another file's (needs root)",
  { ignore: !isRoot },
  () => {
    using place = new GuardedDirectory();
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
