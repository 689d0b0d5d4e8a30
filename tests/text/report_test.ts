import { assertEquals } from "@std/assert";
import { report, reportLine } from "../../lib/text/report.ts";
import { Failure } from "../../lib/errors.ts";

Deno.test("report() has the error and the hint, on a line each", () => {
  const failure = new Failure("Cannot read it", { exit: 71, hint: "chmod 600 it" });
  assertEquals(report(failure, false), {
    text: "ipcauth: error: Cannot read it\nhint: chmod 600 it\n",
    exit: 71,
  });
});

Deno.test("report() begins a failure to connect with the words of the contract", () => {
  const failure = new Failure("Failed to connect to server: refused", { exit: 77 });
  assertEquals(report(failure, true).text, "Failed to connect to server: refused\n");
});

Deno.test("report() shows no stack trace and no second line of a bug", () => {
  const { text, exit } = report(new TypeError("a\nb"), false);
  assertEquals(text, "ipcauth: error: an internal error: TypeError: a b\n");
  assertEquals(exit, 70);
  const traced = new Error("x is bad\n    at Object.cwd (ext:deno_fs/30_fs.js:1:2555)\n    at y");
  assertEquals(report(traced, false).text, "ipcauth: error: an internal error: Error: x is bad\n");
  assertEquals(report("thrown", false).exit, 70);
});

Deno.test("reportLine() names the program but at a prompt, and escapes its text", () => {
  const failure = new Failure("no\x1b[2J", { exit: 77, hint: "ask\nroot" });
  assertEquals(reportLine(failure, true), {
    text: "error: no\\u{1b}[2J\nhint: ask\\u{a}root\n",
    exit: 77,
  });
  const plain = new Failure("no", { exit: 65 });
  assertEquals(reportLine(plain, true).text, "error: no\n");
  assertEquals(reportLine(plain, false).text, "ipcauth: error: no\n");
});

Deno.test("report() colours only the words, and only when it may", () => {
  const failure = new Failure("no", { exit: 64, hint: "yes" });
  assertEquals(
    report(failure, true).text,
    "ipcauth: \x1b[31merror:\x1b[0m no\n\x1b[36mhint:\x1b[0m yes\n",
  );
});

Deno.test("report() escapes names in messages and hints, and keeps the lines of a message", () => {
  const failure = new Failure(["a\nb \x1b[2J", "c \u202e"], { exit: 64, hint: "d\ne" });
  assertEquals(
    report(failure, false).text,
    "ipcauth: error: a\\u{a}b \\u{1b}[2J\nc \\u{202e}\nhint: d\\u{a}e\n",
  );
});
