/** An administrator of the console is not root, and cannot become root or another user. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LockFile } from "../../lib/files/lock_file.ts";
import { freePort, KeyedServer, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

type Params = Readonly<Record<string, unknown>>;

const set = (name: string, field: string, value: unknown): [string, Params] => [
  "users.set",
  { name, field, value },
];
const add = (name: string, uid: number, more: Params = {}): [string, Params] => [
  "users.add",
  { name, uid, ...more },
];
const remove = (name: string): [string, Params] => ["users.remove", { name }];

/** What an administrator tries, and the codes that it and root are answered; 0 for a result. */
const ATTEMPTS: readonly (readonly [[string, Params], administrator: number, root: number])[] = [
  // Uid 0 has one name alone.
  [set("keyed", "uid", 0), -32001, -32002],
  [set("boss", "uid", 0), -32001, -32002],
  [set("boss", "uid", "0"), -32001, -32002],
  [add("toor", 0), -32001, -32002],
  [add("root", 5), -32002, -32002],
  [add("Root", 5), -32002, -32002],
  [add("root", 0), -32001, 0],
  [set("root", "uid", 5), -32001, -32002],
  [remove("root"), -32001, 0],
  // Which name is which uid is not an administrator's to say.
  [set("keyed", "uid", 650), -32001, 0],
  [set("keyed", "gid", 0), -32001, 0],
  [set("runner", "uid", 651), -32001, 0],
  [set("other", "uid", 652), -32001, 0],
  [set("other", "gid", 27), -32001, 0],
  [set("boss", "gid", 27), -32001, 0],
  // Users whose ids are used. The file names them, so root has to edit it first.
  [remove("keyed"), -32001, -32002],
  [remove("runner"), -32001, -32002],
  [remove("imp"), -32001, -32002],
  [add("carl", 653, { gid: 2000 }), -32001, 0],
  [remove("carl"), -32001, 0],
  [add("gina", 655, { gid: 0 }), -32001, 0],
  // The rest is an administrator's.
  [add("dora", 654, { local_ipc_access: true }), 0, -32002],
  [set("dora", "local_ipc_access", false), 0, 0],
  [set("dora", "admin", true), 0, 0],
  [set("keyed", "local_ipc_access", false), 0, 0],
  [remove("dora"), 0, -32003],
];

/** A console session in the test's own process. */
class Console implements Disposable {
  readonly #client: TestClient;

  private constructor(client: TestClient) {
    this.#client = client;
  }

  /** Reads the welcome. */
  static async of(client: TestClient): Promise<Console> {
    await client.line();
    return new Console(client);
  }

  /** @returns The error's code, 0 for a result, null where the session has ended. */
  async call(request: readonly [string, Params]): Promise<number | null> {
    this.send(request);
    return await this.answer();
  }

  send(...requests: (readonly [string, Params])[]): void {
    this.#client.send(
      requests.map(([method, params]) =>
        `${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`
      ).join(""),
    );
  }

  async answer(): Promise<number | null> {
    const line = await this.#client.line();
    return line === null ? null : JSON.parse(line).error?.code ?? 0;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

Deno.test({
  name: "an administrator changes who gets in, and not who they are (needs root)",
  ignore: !isRoot,
  async fn(test) {
    await using program = await Program.install();
    const key = await writeKey(program, "keyed.key");
    const text = (allow: string) => `
users:
  - { name: boss, uid: 630, local_ipc_access: true, admin: true }
  - { name: keyed, uid: 631, local_ipc_access: true }
  - { name: runner, uid: 632 }
  - { name: imp, uid: 633, local_ipc_access: true }
  - { name: other, uid: 634, local_ipc_access: true }
groups: [{ name: used, gid: 2000, local_ipc_access: true }]
listeners:
  - { unix: ${program.path("console.sock")}, service: console }
  - tcp: 127.0.0.1:${freePort()}
    keys: [{ file: ${key}, user: keyed }]
    service: { exec: [/usr/bin/id], run_as: runner }
  - unix: ${program.path("imp.sock")}
    ${allow}
    service: { forward: "unix:/nonexistent", identity: impersonate }
`;
    const listed = text('allow: [imp, "@used"]');
    const config = await program.write("config.yaml", listed);
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 3);
    const open = (uid: number) => Console.of(TestClient.unix(program.path("console.sock"), uid));
    using boss = await open(630);
    using root = await open(0);
    for (const [attempt, administrator, trusted] of ATTEMPTS) {
      const [method, params] = attempt;
      await test.step(`${method} ${JSON.stringify(params)}`, async () => {
        const before = await Deno.readTextFile(config);
        assertEquals(await boss.call(attempt), administrator);
        const isChanged = await Deno.readTextFile(config) !== before;
        assertEquals(isChanged, administrator === 0);
        assertEquals(await root.call(attempt), trusted);
      });
    }
    await program.write("config.yaml", listed);
    await test.step("root that acts as an administrator is one", async () => {
      assertEquals(await root.call(["login", { user: "boss" }]), 0);
      assertEquals(await root.call(set("other", "gid", 27)), -32001);
      assertEquals(await root.call(set("other", "admin", true)), 0);
    });
    await test.step("an impersonating listener without a list admits every user", async () => {
      await program.write("config.yaml", text(""));
      assertEquals(await boss.call(add("carl", 653)), -32001);
      assertEquals(await boss.call(remove("other")), -32001);
      assertEquals(await boss.call(set("other", "local_ipc_access", false)), 0);
    });
    await test.step("the rights are those of the name with the uid", async () => {
      // Another process gets the name boss.
      await program.write("config.yaml", listed.replace("uid: 630", "uid: 660"));
      assertEquals(await boss.call(set("other", "admin", true)), null);
      assertStringIncludes(await Deno.readTextFile(config), "uid: 634, local_ipc_access: true }");
    });
  },
});

Deno.test("no edit of a revoked session is written, wherever it was when it was revoked", async () => {
  await using fixture = await KeyedServer.open(async (program, port) => {
    const keys = await Promise.all(
      ["boss.key", "other.key"].map((name) => writeKey(program, name)),
    );
    return text(port, keys as [string, string], "user: boss", "");
  });
  const { program, config, port, server } = fixture;
  const keys = [program.path("boss.key"), program.path("other.key")] as const;
  const file = () => Deno.readTextFile(config);

  // An administrator with many edits on their way.
  using boss = await Console.of(await TestClient.tcp(port, readKey(keys[0])));
  const edits = Array.from({ length: 2_000 }, (_, index) => set("other", "admin", index % 2 === 0));
  boss.send(...edits);
  assertEquals(await boss.answer(), 0);
  const { code } = await program.run(["users", "deny", "boss", "--config", config]);
  assertEquals(code, 0);
  const denied = await file();
  let answered = 1;
  while (await boss.answer() !== null) answered++;
  assert(answered < edits.length, "the edits were made before the administrator was denied");
  await server.event("close", ({ reason }) => reason === "revoked");
  assertEquals(await file(), denied);

  // The holder of a trusted key whose edit waits for another writer.
  using trusted = await Console.of(await TestClient.tcp(port, readKey(keys[1])));
  using lock = LockFile.tryAcquire(`${config}.lock`)!;
  const watcher = Deno.watchFs(`${config}.lock`);
  trusted.send(set("other", "uid", 700));
  for await (const { kind } of watcher) if (kind === "access") break;
  const owned = text(port, keys, "user: boss", ", user: other");
  await program.write("config.yaml", owned);
  lock.release();
  assertEquals(await trusted.answer(), null);
  await server.event("revoke", ({ reason }) => reason === "identity-changed");
  assertEquals(await file(), owned);
});

/** A configuration with two keys, and what stands behind the file of each. */
function text(port: number, [one, other]: readonly [string, string], ...more: string[]): string {
  return `users:
  - { name: boss, uid: 630, local_ipc_access: true, admin: true }
  - { name: other, uid: 634, local_ipc_access: true }
listeners:
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${one}, ${more[0]} }, { file: ${other}${more[1]} }]
`;
}
