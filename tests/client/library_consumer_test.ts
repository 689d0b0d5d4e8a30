/**
 * A program that is no part of ipcauth and imports its client library: with a configuration of its
 * own, and with no permission but the one that docs/client-library.md names.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { LIBC_PATHS } from "../../lib/libc/paths.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { copyTree } from "../support/source_tree.ts";

const MODULE = new URL("../../lib/client/mod.ts", import.meta.url);
const FFI = `--allow-ffi=${[...new Set(Object.values(LIBC_PATHS).flat())].join(",")}`;

/** Prints what it has received, or the failure. */
function program(module: string): string {
  return `import { connect, connectConsole, type ConnectOptions, Failure } from "${module}";

const [kind, text = "{}"] = Deno.args;
const options: ConnectOptions = JSON.parse(text);

async function echo(): Promise<string> {
  using connection = await connect(options);
  const question = new Blob(["hello"]).stream();
  const [answer] = await Promise.all([
    new Response(connection.readable).text(),
    question.pipeTo(connection.writable),
  ]);
  return answer;
}

async function who(): Promise<string> {
  await using console = await connectConsole(options);
  const users: readonly { readonly name: string; readonly uid: number }[] =
    await console.users.list();
  return [console.welcome.user, ...users.map(({ name, uid }) => \`\${name}=\${uid}\`)].join(" ");
}

/** Opens connections until there are no descriptors, and then one more of each kind. */
async function exhaust(): Promise<string> {
  const open: Disposable[] = [];
  try {
    for (;;) {
      const connection = await connect(options);
      open.push(connection);
      // Waits, which takes a descriptor more for the first of many.
      connection.readable.getReader().read().catch(() => {});
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    for (const one of open) one[Symbol.dispose]();
    // Their descriptors are closed when the waits have ended.
    for (;;) {
      const text = await echo().catch(() => null);
      if (text !== null) return \`\${error.exit} \${error.message}; \${text}\`;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

try {
  console.log(await (kind === "echo" ? echo() : kind === "exhaust" ? exhaust() : who()));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.log(error.exit, error.message);
}
`;
}

/** The types of a strict consumer, and a key path where TCP is meant. */
const WRONG = `import { connect } from "${MODULE.href}";
// @ts-expect-error: a key is needed
await connect({ tcp: "a:1" });
// @ts-expect-error: one of both
await connect({ unix: "/a", tcp: "a:1", key: "/k" });
`;

/** The examples of the library's page, each in a function of its own. */
function examples(): string {
  const page = Deno.readTextFileSync(new URL("../../docs/client-library.md", import.meta.url));
  const blocks = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => match[1]!);
  const [imports, ...bodies] = blocks;
  assert(imports!.startsWith("import ") && bodies.length > 2);
  // The last one goes on with the console of the one before.
  const all = [bodies[0]!, bodies.slice(1).join("")].map((body, index) =>
    `export async function example${index}(): Promise<void> {\n${body}}\n`
  );
  return `import { RpcCode, RpcServerError } from "${MODULE.href}";
${imports!.replace("/opt/ipcauth/lib/client/mod.ts", MODULE.href)}${all.join("")}`;
}

async function deno(
  program: Program,
  args: readonly string[],
  uid?: number,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const cache = program.path(`cache-${uid ?? "own"}`);
  await Deno.mkdir(cache, { recursive: true });
  if (uid !== undefined) await Deno.chown(cache, uid, uid);
  return await program.execute(["deno", ...args], {
    env: { DENO_DIR: cache, NO_COLOR: "1", HOME: program.directory },
    ...(uid === undefined ? {} : { uid }),
  });
}

/** Why a library says that it got no session: it reads no configuration. */
const WHY = "has closed without sending data: uid 578 has no access, or the service has ended or " +
  "cannot be reached";

Deno.test("a program with --allow-ffi alone uses every part (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using own = await Program.install();
  const [port, echoPort] = [freePort(), freePort()];
  const key = await writeKey(own, "bob.key");
  const [sock, echo] = [own.path("ipc.sock"), own.path("echo.sock")];
  const config = await own.write(
    "config.yaml",
    `listeners:
  - { unix: ${sock}, service: console }
  - { unix: ${echo}, service: { exec: [/bin/cat] } }
  - { tcp: "127.0.0.1:${port}", keys: [ { file: ${key}, user: bob } ], service: console }
  - tcp: "127.0.0.1:${echoPort}"
    keys: [ { file: ${key}, user: bob } ]
    service: { exec: [/bin/cat] }
users:
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
`,
  );
  await using server = await own.serve(["--config", config]);
  await server.events("listen", 4);
  // Other users cannot read this source tree.
  const tree = own.path("tree");
  await copyTree(tree);
  const source = await own.write("consumer.ts", program(`file://${tree}/lib/client/mod.ts`));
  const run = async (kind: string, options: unknown, uid?: number): Promise<string> => {
    const args = ["run", "--quiet", "--no-prompt", FFI, source, kind, JSON.stringify(options)];
    const { code, stdout, stderr } = await deno(own, args, uid);
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  };
  assertEquals(await run("who", { unix: sock }), "root bob=579");
  assertEquals(await run("echo", { unix: echo }), "hello");
  assertEquals(await run("who", { tcp: `localhost:${port}`, key }), "bob bob=579");
  assertEquals(await run("echo", { tcp: `127.0.0.1:${echoPort}`, key }), "hello");
  assertEquals(await run("who", { unix: sock }, 579), "bob bob=579");
  assertEquals(await run("echo", { unix: echo }, 579), "hello");
  const refused = "77 Failed to connect to server: ";
  assertEquals(await run("who", { unix: sock }, 578), `${refused}${sock} ${WHY}`);
  assertEquals(await run("echo", { unix: echo }, 578), `${refused}${echo} ${WHY}`);
  // Another user's key.
  const denied = await run("echo", { tcp: `127.0.0.1:${echoPort}`, key }, 578);
  assertEquals(denied, `${refused}Cannot read the key file ${key}: permission denied`);

  // Without free descriptors a connection fails, and the next one after a close does not.
  const limited = await own.execute(
    ["sh", "-c", 'ulimit -n 48 && exec "$@"', "sh", "deno", "run", "--quiet", "--no-prompt", FFI]
      .concat(source, "exhaust", JSON.stringify({ unix: echo })),
    { env: { DENO_DIR: own.path("cache-own"), NO_COLOR: "1", HOME: own.directory } },
  );
  assertEquals(
    [limited.stdout, limited.stderr],
    ["71 Failed to connect to server: too many open files in this process; hello\n", ""],
  );

  const none = await deno(own, ["run", "--quiet", "--no-prompt", source, "who", '{"unix":"/a"}']);
  assertEquals(none.stdout.trim(), "71 The permission to call the C library is missing");
});

Deno.test("a strict program of another directory is checked, by path and by URL", async () => {
  await using own = await Program.install();
  await own.write("deno.json", '{ "lock": false, "compilerOptions": { "strict": true } }\n');
  const root = fromFileUrl(new URL("../../", import.meta.url));
  const served: string[] = [];
  await using http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      served.push(pathname);
      const text = await Deno.readTextFile(`${root}${pathname}`);
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    },
  );
  const host = `127.0.0.1:${http.addr.port}`;
  const url = `http://${host}/lib/client/mod.ts`;
  const files = await Promise.all([
    own.write("path.ts", program(MODULE.href)),
    own.write("url.ts", program(url)),
    own.write("wrong.ts", WRONG),
    own.write("examples.ts", examples()),
  ]);
  const checked = await deno(own, ["check", "--quiet", `--allow-import=${host}`, ...files]);
  assertEquals([checked.code, checked.stderr], [0, ""]);
  assert(served.includes("/lib/client/connect_unix.ts"));
  // Nothing of a server is loaded with it.
  const servers = served.filter((path) =>
    /^\/lib\/(cli|server|dataplane|session|shell)\//.test(path)
  );
  assertEquals(servers, []);
});

Deno.test("all that the client library exports is documented", async () => {
  await using own = await Program.install();
  const { code, stderr } = await deno(own, ["doc", "--lint", fromFileUrl(MODULE)]);
  assertEquals(code, 0, stderr);
});
