/** The client at a server that says anything. */
import { assert } from "@std/assert";
import { WELCOME } from "../support/fake_console.ts";
import { Program } from "../support/program.ts";
import { anyBytes, anyText, fc, forAnyAsync, UNSAFE, utf8 } from "./fuzz.ts";

/** A value in the shape of an answer, with texts that a terminal would obey. */
const anyRecord = fc.dictionary(
  fc.constantFrom(
    ...["name", "uid", "gid", "local_ipc_access", "admin", "id", "user", "pid", "from", "listener"],
    ...["service", "since", "rule", "allow", "detail", "what", "change", "listeners", "config"],
    ...["state", "target", "problem", "bytes_in", "bytes_out", "path", "where", "users", "groups"],
  ),
  fc.oneof(anyText, fc.nat(), fc.boolean(), fc.constant(null), fc.constant([]), fc.constant({})),
  { maxKeys: 12 },
);
const anyResult = fc.oneof(anyRecord, fc.array(anyRecord, { maxLength: 3 }), anyText);
const user = fc.record({
  name: anyText,
  uid: fc.nat(),
  gid: fc.option(fc.nat()),
  local_ipc_access: fc.boolean(),
  admin: fc.boolean(),
});

/** What a server sends for a request. */
type Answer = (id: unknown) => Uint8Array<ArrayBuffer>;

/** What it sends that is no answer to the request: it closes then, or the client would wait. */
class LastAnswer {
  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {}
}

const anyAnswer: fc.Arbitrary<Answer | LastAnswer> = fc.oneof(
  fc.oneof(anyResult, fc.array(user, { maxLength: 4 })).map((result) => (id: unknown) =>
    utf8(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\n")
  ),
  fc.tuple(fc.integer({ min: -32800, max: 0 }), anyText, anyText).map(
    ([code, message, hint]) => (id: unknown) =>
      utf8(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, data: { hint } } }) + "\n"),
  ),
  anyBytes.map((bytes) => new LastAnswer(bytes)),
  anyText.map((text) => new LastAnswer(utf8(text + "\n"))),
  fc.constantFrom(0, 200_000, 2_000_000).map((length) =>
    new LastAnswer(new Uint8Array(length).fill(97))
  ),
);

const anyWelcome = fc.oneof(
  { weight: 6, arbitrary: fc.record({ user: anyText, host: anyText, from: anyText }) },
  fc.dictionary(fc.constantFrom("user", "session", "admin", "host"), fc.anything()),
).map((changed) => {
  const params = { ...WELCOME, ...changed };
  const plain = JSON.stringify(
    { jsonrpc: "2.0", method: "welcome", params },
    (_, value) => typeof value === "bigint" ? String(value) : value,
  );
  return utf8(plain + "\n");
});

const COMMANDS = ["show users", "show sessions", "show listeners", "show config", "check 5", "who"];

async function writeAll(
  connection: Deno.Conn,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Serves one client: the greeting, then an answer for each chunk of requests. */
async function serveOne(
  listener: Deno.UnixListener,
  greeting: Uint8Array<ArrayBuffer>,
  answers: readonly (Answer | LastAnswer)[],
): Promise<void> {
  const connection = await listener.accept();
  try {
    await connection.write(greeting);
    const buffer = new Uint8Array(65_536);
    for (const answer of answers) {
      const length = await connection.read(buffer);
      if (length === null) return;
      if (answer instanceof LastAnswer) return await writeAll(connection, answer.bytes);
      const [, id] = /"id":([^,}]*)/.exec(new TextDecoder().decode(buffer.subarray(0, length))) ??
        [];
      await connection.write(answer(id === undefined ? null : JSON.parse(id)));
    }
  } catch (error) {
    // The client has had enough.
    if (
      !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)
    ) {
      throw error;
    }
  } finally {
    connection.close();
  }
}

Deno.test("fuzz: no server brings the client to crash, hang, or move the cursor", async () => {
  await using program = await Program.install();
  const path = program.path("hostile.sock");
  using listener = Deno.listen({ transport: "unix", path });
  const greeting = fc.oneof({ weight: 5, arbitrary: anyWelcome }, anyBytes);
  const story = fc.tuple(greeting, fc.array(anyAnswer, { minLength: 1, maxLength: 7 }));
  await forAnyAsync(story, async ([greeting, answers]) => {
    const served = serveOne(listener, greeting, answers);
    const argv = ["connect", `--unix=${path}`, ...COMMANDS.flatMap((command) => ["-c", command])];
    const { code, stdout, stderr } = await program.run(argv);
    await served;
    assert([0, 1, 65, 69, 71, 77].includes(code), `${code}: ${stderr}`);
    for (const text of [stdout, stderr]) {
      assert(!UNSAFE.test(text.replaceAll("\n", "")), JSON.stringify(text));
      assert(!/\n\s+at |file:\/\//.test(text), text);
    }
  }, 0.003);
});
