/** Names in the commands that messages and hints print are words for a shell. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../lib", import.meta.url));

/** The programs that hints name. */
const COMMAND = "ls|ipcauth|chmod|chown|chgrp|getent|sudo|mkdir|mv|rm|ln|ss|setfacl|namei|" +
  "useradd|fuser|iconv|echo|systemctl|kill|stat|getfacl|mount|cp|touch|df|findmnt";

/** A template that begins with one of them; its parts hold no template of their own. */
const TEMPLATE = new RegExp(`\`((?:${COMMAND}) (?:[^\`$]|\\$\\{[^\`]*?\\})*)\``, "g");

/** Numbers, words of the program itself, and what is quoted already. */
const QUOTED = [
  /^shellWord\(/,
  /\.map\(shellWord\)/,
  /^(uid|gid|ownUid|number|word|words|newUser|topic|names\.topic|field|field\.toUpperCase\(\))$/,
  /^Deno\.build\.os$/,
  // The first line of `status`, which is no command.
  /^(version|host)$/,
  /(^|\.)flags( \?\? "")?$/,
  /^\/.*\.test\(name\) \? name : "NAME"$/,
  /^user \?\? "NAME"$/,
];

function* files(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (isDirectory) yield* files(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

function unquoted(code: string): string[] {
  return [...code.matchAll(TEMPLATE)].flatMap(([, text]) =>
    [...text!.matchAll(/\$\{([^}]*)\}/g)]
      .map(([, part]) => part!.trim())
      .filter((part) => !QUOTED.some((pattern) => pattern.test(part)))
      .map((part) => `${part} in: ${text}`)
  );
}

Deno.test("every name in a printed command is quoted for a shell", () => {
  const found = [...files(ROOT)].flatMap((path) =>
    unquoted(Deno.readTextFileSync(path)).map((one) => `${path}: ${one}`)
  );
  assertEquals(found, []);
  // The check finds what it looks for.
  assertEquals(unquoted("`ls -ld ${path}`"), ["path in: ls -ld ${path}"]);
});
