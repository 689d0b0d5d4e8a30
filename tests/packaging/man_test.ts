/** The manual pages have the content of the help texts, in the sections of a manual page. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseHelp } from "../../tools/packaging/help.ts";
import { manualPages } from "../../tools/packaging/man.ts";
import { COMMANDS } from "../../lib/cli/arguments.ts";
import { usageText } from "../../lib/cli/usage.ts";
import { VARIABLES } from "../../lib/config/default_paths.ts";
import { isInstalled } from "../support/installed.ts";

const PAGES = manualPages({ hash: "0123456789ab", time: 1_700_000_000 });
const COMMAND_PAGES = PAGES.filter(({ name }) => name.endsWith(".1"));

/** The text of a page by its sections, without roff markup. */
function sections(page: string): Map<string, string> {
  const plain = page
    .replaceAll(/^\.(?:TP|PP|nf|fi|nh|ad l|TH .*|IP .*|R[SE].*|br)\n/gm, "")
    .replaceAll(/^\.SS "?([^"\n]*)"?$/gm, "$1")
    .replaceAll(/\\f[BIR]/g, "").replaceAll("\\(ha", "^").replaceAll("\\(ga", "`")
    .replaceAll(
      /\\\[u([0-9A-F]+)\]/g,
      (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)),
    ).replaceAll("\\-", "-").replaceAll("\\(ti", "~")
    .replaceAll("\\(aq", "'").replaceAll("\\&...", "…").replaceAll("\\&", "")
    .replaceAll("\\e", "\\");
  return new Map(
    plain.split(/^\.SH /m).slice(1).map((part) => {
      const [title, ...lines] = part.split("\n");
      return [title!.replaceAll('"', ""), lines.join("\n")];
    }),
  );
}

Deno.test("the program and each command have a page, with the usual sections in order", () => {
  assertEquals(
    PAGES.map(({ name }) => name),
    [
      "ipcauth.1",
      ...COMMANDS.filter((name) => name !== "help").map((name) => `ipcauth-${name}.1`),
      "ipcauth.yaml.5",
    ],
  );
  const order = [
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"],
    ...["EXAMPLES", "SEE ALSO"],
  ];
  for (const { name, text } of COMMAND_PAGES) {
    const titles = [...sections(text).keys()];
    assertEquals(titles, order.filter((title) => titles.includes(title)), name);
    for (const title of ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"]) {
      assert(titles.includes(title), `${name} has no ${title}`);
    }
  }
});

Deno.test("help texts are at most 80 columns wide", () => {
  for (const command of [null, ...COMMANDS]) {
    const wide = usageText(command).split("\n").filter((line) => line.length > 80);
    assertEquals(wide, [], `${command}`);
  }
});

Deno.test("a page contains every word of its help text", () => {
  for (const { name, text } of COMMAND_PAGES) {
    const command = name === "ipcauth.1" ? null : name.slice("ipcauth-".length, -2);
    const page = [...sections(text).values()].join("\n").split(/\s+/);
    const words = usageText(command).replaceAll(
      /^(?:Usage|Global flags|Exit codes|Examples): ?/gm,
      "",
    )
      .split(/\s+/).filter((word) => word !== "" && word !== "ipcauth:");
    assertEquals(words.filter((word) => !page.includes(word)), [], name);
  }
});

Deno.test("ipcauth.yaml(5) contains every word of docs/configuration.md, in its order", () => {
  const { text } = PAGES.at(-1)!;
  const page = [...sections(text).values()].join("\n").split(/\s+/);
  const document = Deno.readTextFileSync(new URL("../../docs/configuration.md", import.meta.url));
  // Headings are in capitals, links are in parentheses, a table names a column before each cell.
  const words = document.replaceAll(/^\|.*\n(?=\| ---)|^#.*$|^```.*$|^(?:-|\d\.) /gm, "")
    .replaceAll(/\]\([^)]*\)/g, "").split(/\s+/)
    .map((word) => word.replaceAll(/[^\p{L}\p{N}_]/gu, "")).filter((word) => word !== "");
  const found = page.map((word) => word.replaceAll(/[^\p{L}\p{N}_]/gu, ""));
  let at = 0;
  for (const [index, word] of words.entries()) {
    const next = found.indexOf(word, at);
    // No more than a name of a column or of a document stands between two words.
    const near = words.slice(Math.max(0, index - 8), index + 1).join(" ");
    assert(next >= 0 && next - at < 30, `${near}: ${word} is missing`);
    at = next + 1;
  }
});

Deno.test("ipcauth.yaml(5): each key of the configuration is an item of its section", () => {
  const page = sections(PAGES.at(-1)!.text);
  for (const [title, key] of [["users[]", "uid"], ["listeners[].keys[]", "not_after"]] as const) {
    assertMatch(page.get(title)!, new RegExp(`^${key}\ntype: .*\ndefault: .*\nmeaning: `, "m"));
  }
  assertStringIncludes(page.get("LIMITS") ?? page.get("limits")!, "max_connections_per_user\n");
});

Deno.test("options, exit codes and files are in their sections", () => {
  const of = (name: string) => sections(PAGES.find((page) => page.name === name)!.text);
  const serve = of("ipcauth-serve.1");
  assertStringIncludes(serve.get("NAME")!, "ipcauth-serve - put a listener in front of a service");
  assertStringIncludes(
    serve.get("OPTIONS")!,
    "\n--forward TARGET\nconnect each accepted client to",
  );
  assertStringIncludes(serve.get("EXIT STATUS")!, "\n77\nrefused\n");
  assertStringIncludes(serve.get("FILES")!, "/etc/ipcauth/config.yaml\n");
  assertStringIncludes(serve.get("EXAMPLES")!, "\n  --forward unix:/run/postgresql");
  assertStringIncludes(of("ipcauth-run-as.1").get("EXIT STATUS")!, "125 run-as itself failed");
  assertStringIncludes(of("ipcauth-users.1").get("DESCRIPTION")!, "\nallow, deny\nset local_ipc");
  assertStringIncludes(of("ipcauth.1").get("OPTIONS")!, "\n--version\n");
  // Those with IPCAUTH_KEEP_ are set by the launchers only.
  for (const variable of VARIABLES.filter((name) => !name.startsWith("IPCAUTH_KEEP_"))) {
    assertStringIncludes(of("ipcauth.1").get("ENVIRONMENT")!, `${variable}\n`);
  }
});

Deno.test("parseHelp() parses a help text by its layout", () => {
  const help = parseHelp(`Usage: x [--a]
         [--b]

Does
it.

  --a    first
         goes on
  -h, --help   --version

  WORD   no option

Exit codes:
   0 done            64 usage

Examples:
  x --a \\
    --b
`);
  assertEquals(help, {
    usage: ["x [--a]", "  [--b]"],
    commands: [],
    description: ["Does it.", [{ term: "WORD", meaning: "no option" }]],
    options: [
      { term: "--a", meaning: "first goes on" },
      { term: "-h, --help", meaning: "" },
      { term: "--version", meaning: "" },
    ],
    exit: [{ term: "0", meaning: "done" }, { term: "64", meaning: "usage" }],
    examples: ["x --a \\", "  --b"],
  });
});

Deno.test({
  name: "groff has no warning about the pages, and sets them in 80 columns (needs groff)",
  ignore: !isInstalled("groff"),
  async fn() {
    for (const { name, text } of PAGES) {
      const child = new Deno.Command("groff", {
        args: ["-man", "-ww", "-Tutf8", "-rLL=78n"],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(text));
      await writer.close();
      const { stdout, stderr } = await child.output();
      assertEquals(new TextDecoder().decode(stderr), "", name);
      // Bold and underlined characters are printed over others, or coloured.
      // deno-lint-ignore no-control-regex
      const plain = new TextDecoder().decode(stdout).replaceAll(/.\x08|\x1b\[[\d;]*m/gu, "");
      const lines = plain.split("\n");
      assertEquals(lines.filter((line) => line.length > 80), [], name);
    }
  },
});
