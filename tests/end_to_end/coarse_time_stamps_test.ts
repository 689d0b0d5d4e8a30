/** On a file system that keeps whole seconds no change is missed, however soon it follows. */
import { assert, assertEquals } from "@std/assert";
import { CoarseDisk } from "../support/coarse_disk.ts";
import { freePort, readKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

/** A key file's text; each has the same length. */
function newKey(): string {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return secret.toBase64({ alphabet: "base64url", omitPadding: true }) + "\n";
}

/** What `statx(2)` says of a file. */
function stat(path: string): string {
  const { ino, size, mtime, ctime } = Deno.statSync(path);
  return JSON.stringify([ino, size, mtime, ctime]);
}

/**
 * Overwrites a file so that its stat stays the same: within the second of its last change.
 *
 * @param before The text that it holds, of the same length. It is written until the second is new.
 * @param look Has the server look at the file.
 */
async function overwrite(
  path: string,
  before: string,
  after: string,
  look: () => Promise<void>,
): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    Deno.writeTextFileSync(path, before);
    await look();
    const old = stat(path);
    Deno.writeTextFileSync(path, after);
    if (stat(path) === old) return;
  }
  throw new Error("each attempt was at the end of a second");
}

Deno.test({
  name:
    "with time stamps of whole seconds no change of configuration or key is missed (needs root)",
  ignore: !isRoot,
  async fn() {
    using disk = CoarseDisk.mount();
    if (disk === null) return;
    await using program = await Program.install();
    const [socket, port] = [program.path("ipc.sock"), freePort()];
    const [config, keyFile] = [`${disk.directory}/config.yaml`, `${disk.directory}/bob.key`];
    const text = (bob: boolean) =>
      `listeners:
  - { unix: ${socket} }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${keyFile}, user: bob }] }
users:
  - { name: bob, uid: 579, local_ipc_access: ${bob ? "true " : "false"} }
`;
    let key = newKey();
    Deno.writeTextFileSync(config, text(true), { mode: 0o644 });
    Deno.writeTextFileSync(keyFile, key, { mode: 0o600 });
    await using server = await program.serve(["--config", config]);
    await server.events("listen", 2);

    const isAllowed = async () => {
      using client = TestClient.unix(socket, 579);
      return await client.line() !== null;
    };
    const holdsKey = async (secret: Uint8Array) => {
      try {
        using client = await TestClient.tcp(port, secret);
        return await client.line() !== null;
      } catch (error) {
        assert(String(error).includes("does not know this key"), String(error));
        return false;
      }
    };
    for (let round = 0; round < 3; round++) {
      using open = TestClient.unix(socket, 579);
      assert(await open.line() !== null);
      await overwrite(config, text(true), text(false), async () => assert(await isAllowed()));
      assertEquals(await isAllowed(), false);
      // The open session has been closed.
      assertEquals(await open.line(), null);
      await overwrite(config, text(false), text(true), async () => assert(!await isAllowed()));
      assertEquals(await isAllowed(), true);

      const old = readKey(keyFile);
      using keyed = await TestClient.tcp(port, old);
      assert(await keyed.line() !== null);
      const next = newKey();
      await overwrite(keyFile, key, next, async () => assert(await holdsKey(old)));
      key = next;
      assertEquals([await holdsKey(old), await holdsKey(readKey(keyFile))], [false, true]);
      assertEquals(await keyed.line(), null);
    }
    await server.events("revoke", 6);
    assertEquals(await server.stop(), 0);
  },
});
