/** Both files of vectors are what the implementation in Python computes from their inputs. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const VECTORS = fromFileUrl(new URL("../vectors/", import.meta.url));

/** The members that are computed. */
const OUTPUTS = ["ciphertext", "handshake_hash", "bytes", "key_id"];

const hasPython = new Deno.Command("sh", {
  args: ["-c", "/usr/bin/python3 -c 'import cryptography'"],
  stderr: "null",
}).outputSync().success;

for (const name of ["noise_nnpsk0.json", "wire_transcripts.json"]) {
  Deno.test({
    name: `${name} is what another implementation computes (needs python3-cryptography)`,
    ignore: !hasPython,
    async fn() {
      const vectors = JSON.parse(await Deno.readTextFile(VECTORS + name));
      let removed = 0;
      const inputs = JSON.stringify(vectors, (key, value) => {
        if (!OUTPUTS.includes(key)) return value;
        removed++;
        return undefined;
      });
      assertEquals(removed > 15, true);
      const child = new Deno.Command("/usr/bin/python3", {
        args: [`${VECTORS}generate.py`],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(inputs));
      await writer.close();
      const { code, stdout } = await child.output();
      assertEquals(code, 0);
      assertEquals(JSON.parse(new TextDecoder().decode(stdout)), vectors);
    },
  });
}
