/** Each `config.yaml` of an example is a configuration that `@std/yaml` reads alike. */
import { assert } from "@std/assert";
import { fromFileUrl, join, relative } from "@std/path";
import { parseConfig } from "../../lib/config/schema.ts";
import { assertSameReading } from "../support/yaml_reading.ts";

const EXAMPLES = fromFileUrl(new URL("../../examples/", import.meta.url));

function* yamlFiles(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (isDirectory) yield* yamlFiles(path);
    else if (name === "config.yaml") yield path;
  }
}

const files = [...yamlFiles(EXAMPLES)].toSorted();

Deno.test("the examples have configurations", () => assert(files.length > 0));

for (const path of files) {
  Deno.test(`examples/${relative(EXAMPLES, path)} reads alike in both parsers`, () => {
    const text = Deno.readTextFileSync(path);
    const names = { overflowUid: 65534 };
    assertSameReading(text, parseConfig(text, path, names));
  });
}
