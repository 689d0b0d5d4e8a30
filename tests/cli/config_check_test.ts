import { assertEquals } from "@std/assert";
import { config } from "../../lib/cli/config.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("config check warns of programs that a server could not offer", () => {
  using directory = new TemporaryDirectory();
  const [text, none] = [directory.write("text", ""), directory.at("none")];
  const check = (service: string) => {
    const file = directory.write("c.yaml", `listeners:\n  - { unix: /s, service: ${service} }\n`);
    const printed = { out: "", err: "" };
    const code = config({ verb: "check", file }, true, {
      environment: { uid: effectiveUid(), variables: {} },
      config: null,
      color: false,
      out: (line) => printed.out += line,
      view: () => ({ columns: null, color: false }),
      err: (line) => printed.err += line,
    });
    const { problems, warnings } = JSON.parse(printed.out);
    assertEquals([code, problems, printed.err], [0, [], ""]);
    return warnings;
  };
  const warning = (what: string) => [
    `${directory.at("c.yaml")}:2:5: listeners[0].service.exec: Cannot offer the program ${what}`,
  ];
  assertEquals(check(`{ exec: [${none}] }`), warning(`${none}: no such file or directory`));
  assertEquals(check(`{ exec: [${text}] }`), warning(`${text}: it is not executable`));
  assertEquals(check("{ exec: [/bin/sh, -c, true] }"), []);
  assertEquals(check("{ forward: unix:/none }"), []);
});
