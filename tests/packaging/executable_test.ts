/**
 * The executable as a file: what is added to the runtime, what tools for such files see, and that
 * nothing but the sources and the compiler changes a byte.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { compile, scripts } from "../../tools/build/compile.ts";
import { HOST_MACHINE, machineOf } from "../../tools/build/elf.ts";
import { ElfImage } from "../../tools/build/executable/elf_image.ts";
import { graft } from "../../tools/build/executable/graft.ts";
import {
  runtimeExecutable,
  runtimePackage,
  RUNTIMES,
} from "../../tools/build/executable/runtime_package.ts";
import { runProgram } from "../../tools/build/run_program.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import manifest from "../../deno.json" with { type: "json" };
import { KeyedServer, writeKey } from "../support/keys.ts";
import { isRoot } from "../support/program.ts";
import { isInstalled } from "../support/installed.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const MACHINES = ["x64", "arm64"] as const;
/** `PF_W | PF_X` of `elf.h`. */
const WRITE_AND_EXECUTE = 3;

const compilers = isInstalled("gcc") && isInstalled("aarch64-linux-gnu-gcc");
if (!compilers) console.log("gcc or aarch64-linux-gnu-gcc is missing: no executable is made");
const qemu = compilers && isInstalled("qemu-aarch64");
if (!qemu) console.log("qemu-aarch64 is missing: the executable for arm64 is not run");

async function temporaryDirectory() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** The first bytes of an executable: an ELF header with that `e_machine`. */
function elf(machine: number, { bits = 2, order = 1 } = {}): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  new DataView(header.buffer).setUint16(18, machine, true);
  return header;
}

Deno.test("machineOf() reads the machine from the header of an executable", async () => {
  using temporary = await temporaryDirectory();
  const path = join(temporary.path, "file");
  for (
    const [bytes, machine] of [
      [elf(62), "x64"],
      [elf(183), "arm64"],
      [elf(40), null],
      [elf(62, { bits: 1 }), null],
      [elf(62, { order: 2 }), null],
      [elf(62).subarray(0, 19), null],
      [new TextEncoder().encode("#!/bin/sh\nexec true # a script\n"), null],
      [new Uint8Array(), null],
    ] as const
  ) {
    await Deno.writeFile(path, bytes);
    assertEquals(await machineOf(path), machine);
  }
  assertEquals(await machineOf(Deno.execPath()), HOST_MACHINE);
});

Deno.test("graft() refuses what is no dynamically linked executable", () => {
  const config = { hidden: [], settings: {}, valued: [], payloads: [] };
  const make = (bytes: Uint8Array) => () => graft(bytes, new Uint8Array(8), config);
  assertThrows(make(new TextEncoder().encode("#!/bin/sh\n")), Error, "no 64-bit little-endian ELF");
  assertThrows(make(elf(62)), Error, "no program headers");
});

Deno.test("a runtime with another hash than the lock file's is not used", async () => {
  using temporary = await temporaryDirectory();
  const { name, version } = runtimePackage(HOST_MACHINE);
  // The archive of another package: the registry has it, and it is small.
  const wrong = { name: "deno-std", version: "1.4.0", integrity: "sha512-AAAA" };
  await assertRejects(
    () => runtimeExecutable(wrong, temporary.path),
    Error,
    "and runtime.lock.json says sha512-AAAA",
  );
  assertEquals([...Deno.readDirSync(temporary.path)], []);
  assertEquals([name, version], [`@deno/linux-${HOST_MACHINE}-glibc`, Deno.version.deno]);
});

Deno.test(
  "an executable is the runtime, and what is behind it (needs gcc for both machines)",
  { ignore: !compilers },
  async (test) => {
    using temporary = await temporaryDirectory();
    const payloads = await scripts(COMMIT);
    for (const machine of MACHINES) {
      const path = join(temporary.path, `ipcauth-${machine}`);
      await compile(machine, path, payloads, COMMIT);
      const made = await Deno.readFile(path);
      const runtime = await runtimeExecutable(runtimePackage(machine), RUNTIMES);
      await test.step(`${machine}: of the runtime, only fields of the ELF header differ`, () => {
        const fields = [[24, 48], [56, 64]] as const;
        const same = (from: number, to: number) =>
          from <= to
            ? made.subarray(from, to).every((byte, index) => byte === runtime[from + index])
            : false;
        assert(same(0, fields[0][0]) && same(fields[0][1], fields[1][0]));
        assert(same(fields[1][1], runtime.length));
      });
      await test.step(`${machine}: nothing is writable and executable`, () => {
        const { loaded, segments } = new ElfImage(made);
        const [old, added] = [new ElfImage(runtime).loaded, loaded.slice(-2)];
        assertEquals(loaded.slice(0, -2), old);
        assertEquals(added.map(({ flags }) => flags), [5, 4]);
        for (const { flags } of loaded) assert((flags & WRITE_AND_EXECUTE) !== WRITE_AND_EXECUTE);
        assertEquals(added.map(({ align }) => align), [0x10000, 0x10000]);
        const [stub] = added;
        assertEquals(stub!.address % 0x10000, 0);
        assert(segments.filter(({ type }) => type === 6).length === 1);
      });
      await test.step(`${machine}: readelf has no complaint, and names the sections`, async () => {
        const { stdout, stderr, success } = await new Deno.Command("readelf", {
          args: ["--file-header", "--segments", "--sections", "--wide", path],
        }).output();
        const text = new TextDecoder().decode(stdout);
        assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
        assertEquals([...text.matchAll(/\.ipcauth\.(?:stub|payload) +PROGBITS/g)].length, 2);
      });
    }
    await test.step("strip leaves an executable that runs", async () => {
      const path = join(temporary.path, `ipcauth-${HOST_MACHINE}`);
      await runProgram("strip", ["-o", `${path}-stripped`, path], "/");
      const version = await runProgram(`${path}-stripped`, ["--version"], "/");
      assertEquals(version, await runProgram(path, ["--version"], "/"));
    });
    await test.step({
      name: "the executable for arm64 runs (needs qemu-aarch64)",
      ignore: !qemu,
      fn: () => runsOnArm64(join(temporary.path, "ipcauth-arm64"), temporary.path),
    });
    await test.step("directory, HOME, umask and variables change no byte", async () => {
      const tree = join(temporary.path, "tree");
      await copyTree(tree);
      const other = join(temporary.path, "some", "where", "else");
      await Deno.mkdir(other, { recursive: true });
      const script = `import { compile, scripts } from "./tools/build/compile.ts";
const commit = ${JSON.stringify(COMMIT)};
const payloads = await scripts(commit);
await compile("x64", Deno.args[0] + "/x64", payloads, commit);
await compile("arm64", Deno.args[0] + "/arm64", payloads, commit);
`;
      await runScript(tree, script, [other], { umask: "077", home: temporary.path });
      for (const machine of MACHINES) {
        const one = join(temporary.path, `ipcauth-${machine}`);
        assertEquals(await sha256(join(other, machine)), await sha256(one));
        assertEquals((await Deno.stat(join(other, machine))).mode! & 0o7777, 0o755);
      }
    });
  },
);

/**
 * Runs commands under an emulator: those that need no server, and one with a handshake against a
 * server on this machine.
 *
 * @param path The executable for arm64.
 */
async function runsOnArm64(path: string, directory: string): Promise<void> {
  // The root directory of a Debian for arm64, as far as the dynamic loader is concerned.
  const root = join(directory, "root", "lib");
  const library = "/usr/aarch64-linux-gnu/lib";
  await Deno.mkdir(root, { recursive: true });
  await Deno.symlink(library, join(root, "aarch64-linux-gnu"));
  await Deno.symlink(`${library}/ld-linux-aarch64.so.1`, join(root, "ld-linux-aarch64.so.1"));
  // Without a terminal: the emulator has no seccomp(2), which run-as needs at one.
  const emulator = ["--wait", "qemu-aarch64", "-L", join(directory, "root")];
  const run = async (...args: string[]) =>
    await runProgram("setsid", [...emulator, path, ...args], directory);
  assertEquals(await run("--version"), `ipcauth ${manifest.version} (${COMMIT.hash})\n`);
  await using server = await KeyedServer.open(async (program, port) => {
    await writeKey(program, "k.key");
    return `listeners: [{ tcp: "127.0.0.1:${port}", keys: [{ file: ${program.path("k.key")} }] }]
users: [{ name: bob, uid: 579 }]
`;
  });
  assertMatch(await run("users", "list", "--config", server.config), /^bob +579 /m);
  const key = join(directory, "made.key");
  await run("gen-key", key);
  assertEquals((await Deno.readTextFile(key)).match(/^[\w-]{43}$/m)?.length, 1);
  const keyPath = server.program.path("k.key");
  const sessions = await run("connect", `--tcp=${server.address}`, `--key=${keyPath}`, "-c", "who");
  assertMatch(sessions, /^\* +1 +root +0 /m);
  const uid = isRoot ? "579" : String(Deno.uid());
  assertMatch(await run("run-as", uid, "--", "id", "-u"), new RegExp(`^${uid}\n$`));
}
