/** The manual pages have the content of the help texts, in the sections of a manual page. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseHelp } from "../../tools/packaging/help.ts";
import { manualPages } from "../../tools/packaging/man.ts";
import { COMMANDS } from "../../lib/cli/arguments.ts";
import { usageText } from "../../lib/cli/usage.ts";
import { VARIABLES } from "../../lib/config/default_paths.ts";
import { isInstalled } from "../support/installed.ts";

const PAGES = manualPages({ hash: "0123456789ab", time: 1_700_000_000 });

/** The text of a page by its sections, without roff markup. */
function sections(page: string): Map<string, string> {
  const plain = page
    .replaceAll(/^\.(?:TP|PP|nf|fi|nh|ad l|TH .*)\n/gm, "")
    .replaceAll(/\\f[BR]/g, "").replaceAll("\\-", "-").replaceAll("\\(ti", "~")
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
    ["ipcauth.1", ...COMMANDS.filter((name) => name !== "help").map((name) => `ipcauth-${name}.1`)],
  );
  const order = [
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"],
    ...["EXAMPLES", "SEE ALSO"],
  ];
  for (const { name, text } of PAGES) {
    const titles = [...sections(text).keys()];
    assertEquals(titles, order.filter((title) => titles.includes(title)), name);
    for (const title of ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"]) {
      assert(titles.includes(title), `${name} has no ${title}`);
    }
  }
});

Deno.test("a page contains every word of its help text", () => {
  for (const { name, text } of PAGES) {
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
  name: "groff has no warning about the pages (needs groff)",
  ignore: !isInstalled("groff"),
  async fn() {
    for (const { name, text } of PAGES) {
      const child = new Deno.Command("groff", {
        args: ["-man", "-ww", "-z"],
        stdin: "piped",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(text));
      await writer.close();
      assertEquals(new TextDecoder().decode((await child.output()).stderr), "", name);
    }
  },
});
