/**
 * `require` in a bundle: the package `yaml` is a CommonJS module that requires `node:process`.
 *
 * The bundler of Deno 2.9.6 gives such modules Node's own `require`, but only where the minified
 * name of its placeholder holds no `$`. Which name the placeholder gets depends on the whole
 * program, so the replacement is made here where the bundler left it out.
 */

const PLACEHOLDER =
  /\bvar ([\w$]+)=\(([\w$]+)=>typeof require<"u"\?require:.{0,300}?is not supported['"`]\)\}\);/g;

/**
 * Gives the CommonJS modules of a bundle Node's `require`.
 *
 * @param text A file that the bundler has written.
 * @throws {Error} Where a placeholder is left, which would throw when the program runs.
 */
export function withNodeRequire(text: string): string {
  const replaced = text.replaceAll(
    PLACEHOLDER,
    (_, name: string) =>
      'import{createRequire as __deno_internal_createRequire}from"node:module";' +
      `var ${name}=__deno_internal_createRequire(import.meta.url);`,
  );
  if (replaced.includes("Dynamic require of")) {
    throw new Error("the bundle has a require that nothing replaces");
  }
  return replaced;
}

/**
 * Lets `@std/path` ask Deno first, and not `process`, for the platform and the current directory:
 * both answer the same, and reading `process` starts Node's compatibility layer, which takes longer
 * than the rest of a start and needs `/proc`.
 */
export function withoutProcess(text: string): string {
  return text
    .replaceAll(".process?.platform", ".Deno?.build?.os")
    .replaceAll(".process?.cwd", ".Deno?.cwd");
}
