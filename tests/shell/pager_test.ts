/** The pager: its rows, and its keys at a real terminal. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Pager } from "../../lib/shell/pager.ts";
import {
  atTerminal,
  commandAtTerminal,
  type Script,
  withFakeServer,
} from "../support/at_terminal.ts";
import type { Answer, Call } from "../support/fake_console.ts";

const PROMPT = "bob@ipcauth# ";
const MORE = "-- more --";
const USERS = Array.from({ length: 100 }, (_, at) => ({
  name: `user${at}`,
  uid: 1000 + at,
  gid: null,
  local_ipc_access: true,
  admin: false,
}));

function answer({ method }: Call): Answer {
  return { result: method === "users.list" ? USERS : {} };
}

/** A pager of some size, and what it has shown. */
function openPager(columns: number, rows: number) {
  const shown: string[] = [];
  const size = { columns, rows };
  const pager = new Pager({
    size: () => size,
    out: (text) => void shown.push(text),
    control: () => {},
  });
  const press = (text: string) => pager.onKey({ text, pasted: false });
  return { pager, shown, press, size };
}

const linesOf = (count: number) => Array.from({ length: count }, (_, at) => `${at}\n`);

Deno.test("a text that fits the screen is shown at once", async () => {
  const { pager, shown } = openPager(80, 10);
  await pager.show(linesOf(9).join(""));
  assertEquals([shown, pager.isActive], [[linesOf(9).join("")], false]);
});

Deno.test("pages, lines and the rest are shown, and nothing is shown twice or left out", async () => {
  const { pager, shown, press, size } = openPager(80, 10);
  const done = pager.show(linesOf(40).join(""));
  assertEquals(shown.join(""), linesOf(9).join(""));
  press(" ");
  assertEquals(shown.join(""), linesOf(18).join(""));
  press("\r");
  press("x");
  assertEquals(shown.join(""), linesOf(19).join(""));
  size.rows = 5;
  press("  ");
  assertEquals(shown.join(""), linesOf(27).join(""));
  press("G");
  await done;
  assertEquals(shown.join(""), linesOf(40).join(""));
});

Deno.test("a line that the terminal breaks counts as the rows that it takes", () => {
  const { pager, shown } = openPager(10, 6);
  void pager.show("東".repeat(10) + "\n" + "\x1b[31m" + "x".repeat(30) + "\x1b[0m\n" + "a\nb\n");
  // Two rows and three rows.
  assertEquals(shown.join("").split("\n").length - 1, 2);
  const longer = openPager(10, 4);
  void longer.pager.show("x".repeat(100) + "\n" + "a\n");
  assertEquals(longer.shown.join(""), "x".repeat(100) + "\n");
});

Deno.test("q and end() show no more; pasted or typed text shows the rest and is not taken", async () => {
  const quit = openPager(80, 10);
  const done = quit.pager.show(linesOf(40).join(""));
  quit.press("q");
  await done;
  assertEquals(quit.shown.join(""), linesOf(9).join(""));
  for (const key of [{ text: "q", pasted: true }, { text: "show users", pasted: false }]) {
    const { pager, shown } = openPager(80, 10);
    const all = pager.show(linesOf(40).join(""));
    assertEquals(pager.takes(key), false);
    await all;
    assertEquals(shown.join(""), linesOf(40).join(""));
  }
});

/** Runs a script at a terminal of 80 columns and 10 rows, from the prompt to `exit`. */
async function atPager(script: Script, check?: (screen: string) => void): Promise<void> {
  await withFakeServer(answer, async (program, path) => {
    const { code, stdout } = await atTerminal(program, path, [
      ["resize", "80x10"],
      ["expect", PROMPT],
      ...script,
      ["expect", PROMPT],
      ["send", "exit\r"],
    ]);
    assertEquals(code, 0, stdout);
    check?.(stdout);
  });
}

Deno.test("a long table stops at each full screen, and q and Ctrl-C end it", () =>
  atPager([
    ["send", "show users\r"],
    ["expect", "user7 "],
    ["expect", MORE],
    ["send", " "],
    ["expect", "user16 "],
    ["expect", MORE],
    ["send", "\r"],
    ["expect", "user17 "],
    ["expect", MORE],
    ["send", "q"],
    ["expect", PROMPT],
    ["send", "show users\r"],
    ["expect", MORE],
    ["send", "\x03"],
    ["expect", PROMPT],
    ["send", "show stats\r"],
  ], (screen) => assertEquals(screen.includes("user18"), false)));

Deno.test("no-more, json, count and a short answer do not stop", () =>
  atPager([
    ["send", "show users | no-more\r"],
    ["expect", "user99 "],
    ["expect", PROMPT],
    ["send", "show users | json\r"],
    ["expect", '"user99"'],
    ["expect", PROMPT],
    ["send", "show users | count\r"],
    ["expect", "100"],
    ["expect", PROMPT],
    ["send", "show users | include user9 | exclude user9[1-9]\r"],
    ["expect", "user90 "],
  ], (screen) => assertEquals(screen.includes(MORE), false)));

Deno.test("a resize changes the page", () =>
  atPager([
    ["send", "show users\r"],
    ["expect", MORE],
    ["resize", "80x30"],
    // It is drawn again.
    ["expect", MORE],
    ["send", " "],
    ["expect", "user36 "],
    ["expect", MORE],
    ["send", "q"],
  ], (screen) => {
    const shown = screen.slice(screen.indexOf(MORE), screen.lastIndexOf(MORE));
    assertEquals(shown.includes(PROMPT), false, "a prompt while the pager waits");
  }));

Deno.test("a resize draws the line again that is being typed", () =>
  atPager([
    ["send", "show users | cou"],
    ["expect", "cou"],
    ["resize", "80x30"],
    ["expect", `${PROMPT}show users | cou`],
    ["send", "nt\r"],
    ["expect", "100"],
  ]));

Deno.test("lines that are pasted behind a long answer all run", () =>
  atPager([
    ["send", "\x1b[200~show users\rshow users | include 1005\rshow users\r\x1b[201~"],
    ["expect", "user99 "],
    ["expect", PROMPT],
    ["expect", "user5  1005"],
    ["expect", PROMPT],
    ["expect", MORE],
    ["send", "\x1b[200~show users | count\r\x1b[201~"],
    ["expect", "user99 "],
    ["expect", "100"],
  ]));

Deno.test("Ctrl-Z stops the pager, and fg draws its line again", () =>
  withFakeServer(answer, async (program, path) => {
    const { code, stdout } = await commandAtTerminal(program, ["bash", "--norc", "-i"], [
      ["resize", "80x10"],
      ["send", `PS1='sh''ell> '; ipcauth connect --unix=${path}\r`],
      ["expect", PROMPT],
      ["send", "show users\r"],
      ["expect", MORE],
      ["send", "\x1a"],
      ["expect", "Stopped"],
      ["expect", "shell> "],
      ["send", "fg\r"],
      ["expect", MORE],
      ["send", " "],
      ["expect", "user16 "],
      ["send", "q"],
      ["expect", PROMPT],
      ["send", "exit\r"],
      ["expect", "shell> "],
      ["send", "exit\r"],
    ]);
    assertEquals(code, 0, stdout);
  }));

Deno.test("a server that ends while the pager waits ends the pager", () =>
  withFakeServer(answer, async (program, path, _, hangUp) => {
    const ended = atTerminal(program, path, [
      ["resize", "80x10"],
      ["expect", PROMPT],
      ["send", "show users\r"],
      ["expect", MORE],
      ["run", `touch ${program.path("waiting")}`],
      ["expect", "Connect again? (y/n) "],
      ["send", "n\r"],
    ]);
    for await (const { paths } of Deno.watchFs(program.directory)) {
      if (paths.some((one) => one.endsWith("/waiting"))) break;
    }
    hangUp();
    const { code, stdout } = await ended;
    assertEquals(code, 69, stdout);
    assertStringIncludes(stdout, "user7 ");
  }));

Deno.test("-c does not stop, nor does a dumb terminal", () =>
  withFakeServer(answer, async (program, path) => {
    const argv = ["ipcauth", "connect", `--unix=${path}`];
    const { stdout } = await commandAtTerminal(program, [...argv, "-c", "show users"], [
      ["resize", "80x10"],
    ]);
    assertEquals([stdout.includes("user99 "), stdout.includes(MORE)], [true, false]);
    const dumb = await commandAtTerminal(program, argv, [
      ["resize", "80x10"],
      ["expect", PROMPT],
      ["send", "show users\r"],
      ["expect", "user99 "],
      ["send", "exit\r"],
    ], { env: { TERM: "dumb" } });
    assertEquals([dumb.code, dumb.stdout.includes("\x1b[?2004")], [0, false], dumb.stdout);
  }));
