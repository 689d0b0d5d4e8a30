/** docs/console-api.md against a running server: its examples, its methods and its error codes. */
import { assertEquals } from "@std/assert";
import {
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  RpcCode,
} from "../../lib/service/console/protocol.ts";
import { isRoot, Program } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

const DOCUMENT = await Deno.readTextFile(new URL("../../docs/console-api.md", import.meta.url));

/** The peers of the examples, by the name in a block's heading. */
const PEERS: Readonly<Record<string, number>> = { root: 0, alice: 578, bob: 579 };

/** The uid of the server that may not write its configuration. */
const UNPRIVILEGED = 577;

/** A fenced block of the document. */
interface Block {
  readonly language: string;
  readonly text: string;
}

/** One line of an example, put together from its parts. */
interface Line {
  readonly from: "client" | "server";
  readonly text: string;
}

function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)]
    .map(([, language, body]) => ({ language: language!, text: body! }));
}

function linesOf(block: Block): Line[] {
  const joined = block.text.trimEnd().split("\n").reduce<string[]>((lines, line) => {
    if (!line.startsWith("   ")) return [...lines, line];
    const last = lines.pop()!;
    // Inside a string the break is a blank; elsewhere a blank means nothing to JSON.
    return [...lines, `${last} ${line.trim()}`];
  }, []);
  return joined.map((line) => ({
    from: line.startsWith("→ ") ? "client" : "server",
    text: line.slice(2),
  }));
}

/** The sections, by their headings. */
const SECTIONS = new Map(
  DOCUMENT.split(/^#{2,3} /m).slice(1).map((part) => {
    const [heading, ...lines] = part.split("\n");
    return [heading!.replaceAll("`", ""), lines.join("\n")] as const;
  }),
);

/** The names of the documented methods, from the headings. */
const METHODS = [...DOCUMENT.matchAll(/^### `([a-z.]+)`$/gm)].map(([, name]) => name!);

/** The examples of a section. */
function examplesOf(section: string): Line[] {
  return blocksOf(SECTIONS.get(section)!)
    .filter(({ language }) => language.startsWith("jsonrpc ")).flatMap(linesOf);
}

/** The error codes in the answers of some examples. */
function shownCodes(lines: readonly Line[]): Set<number> {
  const answers = lines.filter(({ from, text }) => from === "server" && text.startsWith("{"));
  return new Set(
    answers.map(({ text }) => JSON.parse(text).error?.code).filter((code) => code !== undefined),
  );
}

/** The error codes that a text names, in the form of prose or of JSON. */
function codesIn(text: string): number[] {
  return [...text.matchAll(/[−-](32\d{3})\b/g)].map(([, digits]) => -Number(digits));
}

const VARYING = new Set(
  [.../vary from run to run: ([^.]*)\./.exec(DOCUMENT)![1]!.matchAll(/`(\w+)`/g)]
    .map(([, name]) => name!),
);

/** A value in which everything that varies is replaced by its type. */
function comparable(value: unknown, name = ""): unknown {
  if (VARYING.has(name) && typeof value !== "object") return typeof value;
  if (Array.isArray(value)) return value.map((item) => comparable(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, comparable(item, key)]),
  );
}

Deno.test({
  name: "every example of docs/console-api.md is what a server answers (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    // The document's directories are below the test's own.
    const directories = { "/etc/ipcauth": "etc", "/run/ipcauth": "run" };
    // What stands for the configuration depends on these directories. Requests repeat it.
    const bases = new Map<string, string>();
    const actual = (text: string) =>
      [
        ...Object.entries(directories).map(([path, name]) => [path, program.path(name)] as const),
        ...bases,
      ].reduce((all, [from, to]) => all.replaceAll(from, to), text);
    const documented = (text: string) =>
      Object.entries(directories).reduce(
        (all, [path, name]) => all.replaceAll(program.path(name), path),
        text,
      );
    for (const name of ["etc", "run", "run/unprivileged"]) {
      await Deno.mkdir(program.path(name), { mode: 0o755 });
    }
    await Deno.chown(program.path("run/unprivileged"), UNPRIVILEGED, UNPRIVILEGED);
    const blocks = blocksOf(DOCUMENT);
    const yaml = blocks.find(({ language }) => language === "yaml")!.text;
    const config = await program.write("etc/config.yaml", actual(yaml));
    const paths = {
      server: program.path("run/ipc.sock"),
      unprivileged: program.path("run/unprivileged/ipc.sock"),
    };
    await using _server = await program.serve(["--config", config]);
    await using _unprivileged = await program.serve(
      [`--unix=${paths.unprivileged}`, "--config", config],
      { uid: UNPRIVILEGED },
    );
    const connections = new Map<string, TestClient>();
    try {
      for (const block of blocks) {
        if (block.language === "sh") {
          const { code, stderr } = await program.execute(["sh", "-ec", actual(block.text)]);
          assertEquals([code, stderr], [0, ""]);
          continue;
        }
        const [, peer, server] = /^jsonrpc (\w+)(?:@(unprivileged))?$/.exec(block.language) ?? [];
        if (peer === undefined) continue;
        const lines = linesOf(block);
        const name = `${peer}@${server ?? "server"}`;
        if (lines[0]!.text.includes('"method":"welcome"')) {
          connections.get(name)?.[Symbol.dispose]();
          connections.set(
            name,
            TestClient.unix(
              server === undefined ? paths.server : paths.unprivileged,
              PEERS[peer]!,
            ),
          );
        }
        const connection = connections.get(name)!;
        for (const { from, text } of lines) {
          if (from === "client") {
            connection.send(`${actual(text)}\n`);
            continue;
          }
          const line = await connection.line();
          if (text === "end-of-file") {
            assertEquals(line, null);
            continue;
          }
          const [answer, expected] = [JSON.parse(documented(line!)), JSON.parse(text)];
          assertEquals(comparable(answer), comparable(expected));
          const base = expected.result?.base;
          if (base === undefined) continue;
          assertEquals(answer.result.base, bases.get(base) ?? answer.result.base);
          bases.set(base, answer.result.base);
        }
      }
    } finally {
      for (const connection of connections.values()) connection[Symbol.dispose]();
    }
  },
});

Deno.test("docs/console-api.md names every method that the server offers, and no other", () => {
  // The example of -32601 has the server's own list, and the test above compares it.
  const [, offered] = /the methods are ([^"]*)"/.exec(
    examplesOf("Requests and answers").map(({ text }) => text).join("\n"),
  )!;
  assertEquals(METHODS.toSorted(), offered!.split(", ").toSorted());
  for (const method of METHODS) {
    const requests = examplesOf(method).filter(({ from }) => from === "client")
      .map(({ text }) => JSON.parse(text).method);
    assertEquals(new Set(requests), new Set([method]));
  }
});

Deno.test("docs/console-api.md names every error code, and shows each in an example", () => {
  const section = SECTIONS.get("Requests and answers")!;
  const documented = codesIn(
    section.split("\n").filter((line) => line.startsWith("| −")).join("\n"),
  );
  assertEquals(documented.toSorted(), Object.values(RpcCode).toSorted());
  const shown = shownCodes([...SECTIONS.keys()].flatMap(examplesOf));
  assertEquals(documented.filter((code) => !shown.has(code)), []);
  for (const method of METHODS) {
    const row = SECTIONS.get(method)!.split("\n").find((line) => line.startsWith("| errors |"))!;
    assertEquals(
      [...new Set(codesIn(row))].toSorted(),
      [...shownCodes(examplesOf(method))].toSorted(),
      method,
    );
  }
});

Deno.test("docs/console-api.md names every field of the records it defines", () => {
  const defined = [...SECTIONS].filter(([, text]) => text.includes("| field | type | meaning |"));
  assertEquals(defined.length, 9);
  for (const [section, text] of defined) {
    const [, rows] = text.split("| field | type | meaning |");
    const fields = rows!.split("\n\n")[0]!.split("\n").slice(2)
      .map((row) => /^\| `(\w+)`/.exec(row)![1]!);
    const [first] = examplesOf(section).filter(({ from }) => from === "server");
    const { params, result } = JSON.parse(first!.text);
    const record = params ?? (Array.isArray(result) ? result[0] : result);
    assertEquals(fields, Object.keys(record), section);
  }
});

Deno.test("the limits of docs/console-api.md are those of the program", async () => {
  const bytes = (limit: number) => `${limit.toLocaleString("en")} bytes`;
  const limits = SECTIONS.get("Framing and limits")!;
  assertEquals(limits.includes(`| ${bytes(MAX_REQUEST_BYTES)} without its newline |`), true);
  assertEquals(limits.includes(`| ${bytes(MAX_ANSWER_BYTES)} |`), true);
  await using program = await Program.install();
  const path = program.path("ipc.sock");
  await using _server = await program.serve([`--unix=${path}`]);
  const lines = [
    new Uint8Array(MAX_REQUEST_BYTES + 1).fill(0x20),
    new Uint8Array([0xff, 0x0a]),
  ];
  for (const line of lines) {
    using connection = TestClient.unix(path);
    await connection.line();
    connection.send(line);
    const { error: { code }, id } = JSON.parse((await connection.line())!);
    assertEquals([code, id], [RpcCode.parseError, null]);
    assertEquals(await connection.line(), null);
  }
});
