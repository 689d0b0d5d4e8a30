import { assertEquals, assertMatch } from "@std/assert";
import { shellWord } from "../../lib/text/shell_word.ts";

Deno.test("shellWord() does not quote a plain path", () => {
  assertEquals(shellWord("/etc/ipcauth/config.yaml"), "/etc/ipcauth/config.yaml");
});

Deno.test("shellWord() quotes every text so that a shell reads it back as one word", async () => {
  for (
    const text of [
      "",
      "a b",
      "it's",
      "$(reboot)",
      "a;b",
      "*",
      "~",
      "a\nb",
      "`x`",
      "é",
      "\\",
      "=a",
      "a\x1b[31m'b'%\\$HOME`x`\"",
      "a\u202eb\u{e0001}",
    ]
  ) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `printf %s ${shellWord(text)}`],
    }).output();
    assertEquals(new TextDecoder().decode(stdout), text);
  }
});

Deno.test("shellWord() is printable, whatever the text holds", () => {
  for (const text of ["a\nb", "\x1b[2J", "\x7f", "\u009b", "\u202e", "\u2028", "\u{e0001}", "\0"]) {
    assertMatch(shellWord(text), /^[ -~]+$/, JSON.stringify(text));
  }
});
