import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { formatKey, generateKey } from "../../lib/keys/key_format.ts";
import { describeKeyFile, findKeyFile, readKeyFile } from "../../lib/keys/key_reader.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const SYSTEM = "/etc/ipcauth/ipc.key";
const hasKey = await Deno.stat(SYSTEM).then(() => true, () => false);
const OWN_UID = Deno.uid()!;
const needsRoot = { ignore: OWN_UID !== 0 };

/** Directories `a/b` with a key in them. */
class KeyPlace extends TemporaryDirectory {
  readonly key: string;

  constructor() {
    super();
    Deno.mkdirSync(this.at("a/b"), { recursive: true });
    const text = new TextDecoder().decode(formatKey(generateKey()));
    this.key = this.write("a/b/ipc.key", text, 0o600);
  }

  refused(path: string, sentence: string, hint: string, uid = OWN_UID): void {
    const failure = assertThrows(() => readKeyFile(path, uid), Failure) as Failure;
    assertEquals([failure.exit, failure.hint], [ExitCode.config, hint]);
    assertStringIncludes(failure.message, sentence);
    assertStringIncludes(describeKeyFile(path, uid).problem!.sentence, sentence);
  }
}

Deno.test("readKeyFile() refuses a path of which others may write a directory", () => {
  using place = new KeyPlace();
  for (const name of ["a", "a/b"]) {
    const directory = place.at(name);
    for (const mode of [0o777, 0o775]) {
      Deno.chmodSync(directory, mode);
      place.refused(
        place.key,
        `${place.key} could be replaced by another user: ${directory} is writable by others`,
        `chmod go-w ${directory}`,
      );
    }
    Deno.chmodSync(directory, 0o1777);
    readKeyFile(place.key, OWN_UID);
    Deno.chmodSync(directory, 0o755);
  }
});

Deno.test({
  name: "readKeyFile() refuses a directory or a link of a third user (needs root)",
  ...needsRoot,
  async fn() {
    using place = new KeyPlace();
    for (const name of ["a", "a/b"]) {
      const directory = place.at(name);
      Deno.chownSync(directory, 579, 579);
      place.refused(place.key, `${directory} belongs to uid 579`, `chown 0 ${directory}`);
      Deno.chownSync(directory, 0, 0);
    }
    using other = new TemporaryDirectory();
    const link = other.at("link");
    Deno.symlinkSync(place.at("a"), link);
    readKeyFile(`${link}/b/ipc.key`, 0);
    await new Deno.Command("chown", { args: ["-h", "579", link] }).output();
    place.refused(`${link}/b/ipc.key`, `${link} is a link of uid 579`, `chown -h 0 ${link}`);
  },
});

Deno.test({
  name: "readKeyFile() reads a key of its user in a directory of that user (needs root)",
  ...needsRoot,
  fn() {
    using place = new KeyPlace();
    for (const path of [place.path, place.at("a"), place.at("a/b"), place.key]) {
      Deno.chownSync(path, 579, 579);
    }
    readKeyFile(place.key, 579);
    place.refused(place.key, `${place.key} belongs to uid 579`, `chown 578 ${place.key}`, 578);
  },
});

Deno.test({
  name: "findKeyFile() names the paths it tried, one or two (needs a machine without a key)",
  ignore: hasKey,
  fn() {
    const sentence = (uid: number, variables: Record<string, string>) =>
      assertThrows(() => findKeyFile(null, { uid, variables }, null), Failure).message;
    assertEquals(sentence(0, {}), `There is no key: ${SYSTEM} does not exist`);
    assertEquals(
      sentence(1000, { HOME: "/absent" }),
      `There is no key: neither /absent/.config/ipcauth/ipc.key nor ${SYSTEM} exists`,
    );
  },
});
