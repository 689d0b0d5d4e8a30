import { assertEquals, assertThrows } from "@std/assert";
import { withNodeRequire } from "../../tools/build/node_require.ts";

/** The placeholder as the bundler of Deno 2.9.6 writes it, with the name it has chosen. */
const placeholder = (name: string): string =>
  `var ${name}=(n=>typeof require<"u"?require:typeof Proxy<"u"?new Proxy(n,{get:(e,t)=>` +
  `(typeof require<"u"?require:e)[t]}):n)(function(n){if(typeof require<"u")return require.apply(` +
  `this,arguments);throw Error('Dynamic require of "'+n+'" is not supported')});`;

for (const name of ["ki", "$i"]) {
  Deno.test(`withNodeRequire() gives a module Node's require under the name ${name}`, async () => {
    const module = `${placeholder(name)}export const platform=${name}("node:process").platform;`;
    // A data URL has no directory to resolve from; the bundle is a file.
    const text = withNodeRequire(module).replace("import.meta.url", '"file:///"');
    const { platform } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    assertEquals(platform, "linux");
  });
}

Deno.test("withNodeRequire() leaves a bundle alone that requires nothing", () => {
  assertEquals(withNodeRequire("var a=1;"), "var a=1;");
});

Deno.test("withNodeRequire() refuses a placeholder that it does not know", () => {
  assertThrows(() => withNodeRequire(`throw Error('Dynamic require of "'+n+'"')`), Error);
});
