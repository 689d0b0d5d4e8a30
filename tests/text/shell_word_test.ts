import { assertEquals } from "@std/assert";
import { shellWord } from "../../lib/text/shell_word.ts";

Deno.test("shellWord() does not quote a plain path", () => {
  assertEquals(shellWord("/etc/ipcauth/config.yaml"), "/etc/ipcauth/config.yaml");
});

Deno.test("shellWord() quotes every text so that a shell reads it back as one word", async () => {
  for (const text of ["", "a b", "it's", "$(reboot)", "a;b", "*", "~", "a\nb", "`x`", "é", "\\"]) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `printf %s ${shellWord(text)}`],
    }).output();
    assertEquals(new TextDecoder().decode(stdout), text);
  }
});
