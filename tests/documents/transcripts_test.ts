/**
 * The commands of the documents, run as they stand there, one machine for each document.
 * `tests/support/transcript.ts` says which blocks there are, and what their placeholders match.
 */
import { assertEquals } from "@std/assert";
import { testDocument } from "../support/document_run.ts";
import { OutputPattern } from "../support/transcript.ts";

testDocument("README.md", {
  notRun: [
    // `tests/end_to_end/demo_test.ts` runs the demo, and the task `test` runs this file.
    "# npx --yes deno@2.9.6 task demo",
    "$ sha256sum --check --ignore-missing SHA256SUMS",
  ],
  text: ["                         ipcauth serve"],
});
testDocument("docs/tour.md", { needs: ["curl"] });
testDocument("docs/coming-from-nso.md");
testDocument("docs/fleet.md", { needs: ["groupadd", "gpasswd"] });

Deno.test("a placeholder matches what it stands for, and nothing else", () => {
  const fits = (expected: string, output: string) =>
    new OutputPattern("vm").match(expected, output, true) !== null;
  assertEquals(fits("on HOST\n", "on vm\n"), true);
  assertEquals(fits("on HOST\n", "on other\n"), false);
  assertEquals(fits("TIME listen\n", "2026-11-26T11:47:26.150Z listen\n"), true);
  assertEquals(fits("TIME listen\n", "yesterday listen\n"), false);
  assertEquals(fits("pid=PID uid=1\n", "pid=77 uid=1\n"), true);
  assertEquals(fits("pid=PID uid=1\n", "pid=- uid=1\n"), false);
  assertEquals(fits("bytes=… ms\n", "bytes=12 ms\n"), true);
  assertEquals(fits("bytes=… ms\n", "bytes=12\n ms\n"), false);
  assertEquals(fits("a\n…\nd\n", "a\nb\nc\nd\n"), true);
  assertEquals(fits("a\n…\nd\n", "a\nb\nc\n"), false);
  assertEquals(fits("a  b\n", "a     b\n"), true);
  assertEquals(fits("a  b\n", "a b\n"), false);
  assertEquals(fits("a\n", "a\nb\n"), false);
});

Deno.test("a key id is the same one at each place of a document", () => {
  const pattern = new OutputPattern("vm");
  const [one, other] = ["0123456789abcdef", "fedcba9876543210"];
  assertEquals(pattern.match("key KEY-ID KEY-ID\n", `key ${one} ${other}\n`, true), null);
  assertEquals(pattern.match("key KEY-ID\n", `key ${one}\n`, true), 21);
  assertEquals(pattern.match("key KEY-ID\n", `key ${other}\n`, true), null);
});
