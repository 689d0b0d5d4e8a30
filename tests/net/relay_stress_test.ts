/** Thousands of relays on one reactor keep their bytes apart, and leave nothing. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { isInstalled } from "../support/installed.ts";

const SCRIPT = fromFileUrl(new URL("../support/relay_stress.ts", import.meta.url));
const SEED = 20_261_124;
const COUNT = 2_500;
const FAULTY_COUNT = 300;
const LEFT = { registered: 0, waiting: 0, leaked: [] };

/**
 * Runs the script in a process of its own: other tests of this process open and close sockets at
 * the same time.
 */
async function stress(
  count: number,
  before: readonly string[] = [],
  after: readonly string[] = [],
) {
  const [command, ...args] = [
    ...before,
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    SCRIPT,
    String(SEED),
    String(count),
    ...after,
  ];
  const { code, stdout, stderr } = await new Deno.Command(command!, { args }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stderr));
  const { undisturbed, spliced, ...left } = JSON.parse(decoder.decode(stdout));
  assert(undisturbed > count / 4 && undisturbed < count, `${undisturbed} were not disturbed`);
  assertEquals(left, LEFT);
  return { spliced: Number(spliced), errors: decoder.decode(stderr) };
}

Deno.test(`${COUNT} relays keep their bytes apart and leave nothing (seed ${SEED})`, async () => {
  const { spliced, errors } = await stress(COUNT);
  assertEquals(errors, "");
  assert(spliced > 1_000_000, `only ${spliced} bytes were not copied`);
});

const hasTracer = isInstalled("strace");
if (!hasTracer) console.log("strace is missing: no splice(2) fails");

for (
  const [call, error, when] of [
    ["splice", "ENOMEM", "2+3"],
    ["splice", "EINTR", "1+2"],
    ["splice", "EINVAL", "1+5"],
    ["pipe2", "EMFILE", "1"],
    ["sendto", "ENOBUFS", "5+97"],
  ]
) {
  Deno.test(`relays lose and mix no byte where ${call} fails with ${error}`, {
    ignore: !hasTracer,
  }, async () => {
    const inject = `inject=${call}:error=${error}:when=${when}`;
    const tracer = ["strace", "-f", "--seccomp-bpf", "-e", `trace=${call}`, "-e", inject];
    const after = call === "sendto" ? ["may-fail"] : [];
    const { errors } = await stress(FAULTY_COUNT, tracer, after);
    assert(errors.includes("(INJECTED)"), `${call} did not fail`);
  });
}
