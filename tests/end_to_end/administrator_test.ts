/** An administrator of the console is not root, and cannot become root or another user. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
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
  // The rest is an administrator's.
  [add("dora", 654, { local_ipc_access: true }), 0, -32002],
  [set("dora", "local_ipc_access", false), 0, 0],
  [set("dora", "admin", true), 0, 0],
  [set("keyed", "local_ipc_access", false), 0, 0],
  [remove("dora"), 0, -32003],
];

class Console {
  readonly #client: TestClient;

  constructor(client: TestClient) {
    this.#client = client;
  }

  /** @returns The error's code, 0 for a result, null where the session has ended. */
  async call([method, params]: readonly [string, Params]): Promise<number | null> {
    this.#client.send(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
    const line = await this.#client.line();
    return line === null ? null : JSON.parse(line).error?.code ?? 0;
  }

  async welcome(): Promise<void> {
    await this.#client.line();
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
    const open = async (uid: number) => {
      const client = TestClient.unix(program.path("console.sock"), uid);
      const console = new Console(client);
      await console.welcome();
      return { client, console };
    };
    const boss = await open(630);
    const root = await open(0);
    for (const [attempt, administrator, trusted] of ATTEMPTS) {
      const [method, params] = attempt;
      await test.step(`${method} ${JSON.stringify(params)}`, async () => {
        const before = await Deno.readTextFile(config);
        assertEquals(await boss.console.call(attempt), administrator);
        const isChanged = await Deno.readTextFile(config) !== before;
        assertEquals(isChanged, administrator === 0);
        assertEquals(await root.console.call(attempt), trusted);
      });
    }
    await program.write("config.yaml", listed);
    await test.step("root that acts as an administrator is one", async () => {
      assertEquals(await root.console.call(["login", { user: "boss" }]), 0);
      assertEquals(await root.console.call(set("other", "gid", 27)), -32001);
      assertEquals(await root.console.call(set("other", "admin", true)), 0);
    });
    await test.step("an impersonating listener without a list admits every user", async () => {
      await program.write("config.yaml", text(""));
      assertEquals(await boss.console.call(add("carl", 653)), -32001);
      assertEquals(await boss.console.call(remove("other")), -32001);
      assertEquals(await boss.console.call(set("other", "local_ipc_access", false)), 0);
    });
    await test.step("the rights are those of the name with the uid", async () => {
      // Another process gets the name boss.
      await program.write("config.yaml", listed.replace("uid: 630", "uid: 660"));
      assertEquals(await boss.console.call(set("other", "admin", true)), null);
      assertStringIncludes(await Deno.readTextFile(config), "uid: 634, local_ipc_access: true }");
    });
    boss.client[Symbol.dispose]();
    root.client[Symbol.dispose]();
  },
});
