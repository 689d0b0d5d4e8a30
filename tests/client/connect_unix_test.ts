import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { connectUnix, type Trust } from "../../lib/client/connect_unix.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { Descriptor } from "../../lib/libc/descriptor.ts";
import { readProc } from "../../lib/libc/read_file.ts";
import { accept, bind, connect, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { isRoot, Program } from "../support/program.ts";
import { ServerOfUser } from "../support/untrusted_server.ts";

const SELF: Trust = { ownUid: effectiveUid(), serverUid: null };
const SOCK_DGRAM = 2;

async function inDirectory(run: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run((name) => join(directory, name));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function listenOn(path: string, backlog = 8): Descriptor {
  const socket = unixSocket();
  bind(socket, unixAddress(path));
  listen(socket, backlog);
  return socket;
}

function refusal(paths: string[], trust = SELF, timeoutMs?: number): Promise<Failure> {
  return assertRejects(() => connectUnix(paths, trust, { timeoutMs }), Failure);
}

Deno.test("connectUnix() connects to a server of the same user", () =>
  inDirectory(async (path) => {
    using server = listenOn(path("s"));
    const { connection, path: found } = await connectUnix([path("s")], SELF);
    connection.close();
    assertEquals(found, path("s"));
    accept(server)!.close();
  }));

Deno.test("connectUnix() goes on to the next path where there is no socket", () =>
  inDirectory(async (path) => {
    await Deno.writeTextFile(path("file"), "");
    using _server = listenOn(path("s"));
    const paths = [path("none"), path("file/below"), path("s")];
    const { connection, path: found } = await connectUnix(paths, SELF);
    connection.close();
    assertEquals(found, path("s"));
  }));

Deno.test("connectUnix() names the first path and the command where no path has a socket", () =>
  inDirectory(async (path) => {
    const { message, exit, hint } = await refusal([path("one"), path("two")]);
    assertEquals(message, `Failed to connect to server: there is no socket ${path("one")}`);
    assertEquals(hint, `ipcauth serve --unix=${path("one")}`);
    assertEquals(exit, ExitCode.unavailable);
  }));

Deno.test("connectUnix() says when no server is listening, and looks no further", () =>
  inDirectory(async (path) => {
    listenOn(path("stale")).close();
    using _server = listenOn(path("other"));
    const { message, exit, hint } = await refusal([path("stale"), path("other")]);
    assertEquals(
      message,
      `Failed to connect to server: no server is listening on ${path("stale")}`,
    );
    assertEquals(hint, `ipcauth serve --unix=${path("stale")}`);
    assertEquals(exit, ExitCode.unavailable);
  }));

Deno.test("connectUnix() says when the path is a file or a directory", () =>
  inDirectory(async (path) => {
    await Deno.writeTextFile(path("file"), "");
    await Deno.mkdir(path("directory"));
    for (const other of [path("file"), path("directory")]) {
      const { message, exit } = await refusal([other]);
      assertEquals(message, `Failed to connect to server: ${other} is not a socket`);
      assertEquals(exit, ExitCode.data);
    }
  }));

Deno.test("connectUnix() says when the socket is of another kind", () =>
  inDirectory(async (path) => {
    using datagrams = new Descriptor(libc.socket(1, SOCK_DGRAM, 0));
    bind(datagrams, unixAddress(path("s")));
    const { message, exit } = await refusal([path("s")]);
    assertStringIncludes(message, `${path("s")} is a socket of another kind`);
    assertEquals(exit, ExitCode.data);
  }));

Deno.test("connectUnix() refuses paths that no pathname socket can have", async () => {
  for (const path of ["@abstract", "", "a\0b", "/" + "x".repeat(107)]) {
    const { message, exit } = await refusal([path]);
    assertStringIncludes(message, "Failed to connect to server: ");
    assertEquals(exit, ExitCode.usage);
  }
});

Deno.test("connectUnix() gives up on a server that stays too busy", () =>
  inDirectory(async (path) => {
    using _server = listenOn(path("s"), 0);
    using _first = fill(path("s"));
    const { message, exit } = await refusal([path("s")], SELF, 20);
    assertEquals(message, `Failed to connect to server: the server on ${path("s")} is too busy`);
    assertEquals(exit, ExitCode.unavailable);
  }));

Deno.test("connectUnix() waits for a busy server until its backlog has space", () =>
  inDirectory(async (path) => {
    using server = listenOn(path("s"), 0);
    using _first = fill(path("s"));
    const connecting = connectUnix([path("s")], SELF);
    accept(server)!.close();
    (await connecting).connection.close();
  }));

/** Takes the only place in a backlog of none. */
function fill(path: string): Descriptor {
  const socket = unixSocket();
  assertEquals(connect(socket, unixAddress(path)), 0);
  return socket;
}

Deno.test({
  name: "connectUnix() refuses a server of another user, unless that user is named (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using server = await ServerOfUser.listen(579);
    const { message, exit, hint } = await refusal([server.path], { ownUid: 578, serverUid: null });
    assertStringIncludes(message, `the server on ${server.path} runs as uid 579`);
    assertEquals(exit, ExitCode.refused);
    assertEquals(hint?.startsWith(`ipcauth connect --unix=${server.path} --server-user 579`), true);
    await refusal([server.path], { ownUid: 0, serverUid: 578 });
    for (
      const trust of [{ ownUid: 579, serverUid: null }, { ownUid: 578, serverUid: 579 }]
    ) {
      (await connectUnix([server.path], trust)).connection.close();
    }
  },
});

Deno.test({
  name: "connectUnix() does not take the overflow uid for its own (needs root)",
  ignore: !isRoot,
  fn: async () => {
    const overflow = Number(readProc("/proc/sys/kernel/overflowuid"));
    await using server = await ServerOfUser.listen(overflow);
    const { exit } = await refusal([server.path], { ownUid: overflow, serverUid: null });
    assertEquals(exit, ExitCode.refused);
    const named = { ownUid: overflow, serverUid: overflow };
    (await connectUnix([server.path], named)).connection.close();
  },
});

Deno.test({
  name:
    "connectUnix() goes on where it may not look, and says so if nothing else is found (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const dial = await bundleDial(program);
    const closed = program.path("closed");
    await Deno.mkdir(closed, { mode: 0o700 });
    using _hidden = listenOn(join(closed, "s"));
    using _server = listenOn(program.path("s"));
    await Deno.chmod(program.path("s"), 0o666);
    const run = async (...paths: string[]): Promise<Record<string, unknown>> => {
      const { stdout, stderr } = await program.execute(
        [
          ...[join(program.bin, "deno"), "run", "--no-config", "--no-lock"],
          ...["--allow-ffi", "--allow-read", "--allow-env", dial, ...paths],
        ],
        { uid: 579, env: { DENO_DIR: "/dev/null/none" } },
      );
      return JSON.parse(stdout || `{"stderr":${JSON.stringify(stderr)}}`);
    };
    assertEquals(await run(join(closed, "s"), program.path("s")), { path: program.path("s") });
    assertEquals(await run(program.path("none"), join(closed, "s")), {
      message: `Failed to connect to server: permission denied on ${join(closed, "s")}`,
      exit: ExitCode.refused,
    });
    await Deno.chmod(program.path("s"), 0o600);
    assertEquals(await run(program.path("s")), {
      message: `Failed to connect to server: permission denied on ${program.path("s")}`,
      exit: ExitCode.refused,
    });
  },
});

async function bundleDial(program: Program): Promise<string> {
  const to = program.path("dial.js");
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--output",
      to,
      fromFileUrl(new URL("../support/connect_once.ts", import.meta.url)),
    ],
    stdout: "null",
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  await Deno.chmod(to, 0o644);
  return to;
}
