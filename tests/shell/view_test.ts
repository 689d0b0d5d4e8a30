/** How the console's output fits a terminal, with the real program at a real one. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cellWidth } from "../../lib/text/cell_width.ts";
import { atTerminal, commandAtTerminal, withFakeServer } from "../support/at_terminal.ts";
import type { Answer, Call } from "../support/fake_console.ts";

const USERS = ["a\x1b[31mlice", "東京東京", "e\u0301ve", "x".repeat(60)].map((name, at) => ({
  name,
  uid: 578 + at,
  gid: null,
  local_ipc_access: at % 2 === 0,
  admin: false,
}));

function answer({ method }: Call): Answer {
  return { result: method === "users.list" ? USERS : null };
}

// deno-lint-ignore no-control-regex -- what colours a text
const COLOR = /\x1b\[(?:0|31|32)m/g;

/** The lines on the screen, without colour. */
function linesOf(output: string): string[] {
  return output.replaceAll(COLOR, "").split(/\r?\n/);
}

for (const columns of [80, 40]) {
  Deno.test(`a table fits a terminal of ${columns} columns`, () =>
    withFakeServer(answer, async (program, path) => {
      const argv = ["ipcauth", "connect", `--unix=${path}`, "-c", "show users", "-c", "help"];
      const { stdout } = await commandAtTerminal(program, argv, [["resize", `${columns}x24`]]);
      const lines = linesOf(stdout);
      assertEquals(lines.filter((line) => cellWidth(line) > columns), []);
      assertStringIncludes(stdout, "a\\u{1b}[31mlice");
      assertStringIncludes(stdout, "…");
      assertStringIncludes(stdout, "\x1b[32m");
      for (const word of ["true", "false", "578", "東京東京"]) assertStringIncludes(stdout, word);
      if (columns === 40) return;
      // The column behind the names begins in one cell.
      const rows = lines.filter((line) => / 5\d\d /.test(line));
      assertEquals(
        new Set(rows.map((row) => cellWidth(row.slice(0, row.search(/5\d\d /))))).size,
        1,
      );
    }));
}

Deno.test("a table follows a resize, and has words alone without colour", () =>
  withFakeServer(answer, async (program, path) => {
    const { code, stdout } = await atTerminal(program, path, [
      ["resize", "120x50"],
      ["expect", "bob@ipcauth# "],
      ["send", "show users\r"],
      ["expect", "x".repeat(60)],
      ["expect", "bob@ipcauth# "],
      ["resize", "70x50"],
      ["send", "show users\r"],
      ["expect", `${"x".repeat(10)}`],
      ["expect", "…"],
      ["expect", "bob@ipcauth# "],
      ["send", "exit\r"],
    ], { env: { NO_COLOR: "1" } });
    assertEquals(code, 0, stdout);
    assertEquals([COLOR.test(stdout), stdout.includes("✓")], [false, false]);
    assertStringIncludes(stdout, "true");
  }));

Deno.test("a pipe gets whole lines without colour, and --color always colours them", () =>
  withFakeServer(answer, async (program, path) => {
    const run = (...flags: string[]) =>
      program.run([...flags, "connect", `--unix=${path}`, "-c", "show users"]);
    const plain = await run();
    assertStringIncludes(plain.stdout, "x".repeat(60) + "  581  -    false");
    assertEquals(COLOR.test(plain.stdout), false);
    assertStringIncludes((await run("--color", "always")).stdout, "\x1b[31mfalse ✗\x1b[0m");
  }));
