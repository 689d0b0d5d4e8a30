/**
 * The main module of the executable: a short `data:` URL (RFC 2397), which evaluates one of the
 * scripts.
 *
 * The scripts are arguments of the runtime, right behind the module. As a module, a script would be
 * decoded and copied several times, and read by a parser of the runtime's own before V8 reads it:
 * three times what V8 takes alone (360 KB: 42 ms and 13 ms).
 */
import type { ScriptSet } from "./scripts.ts";

/** A loader: its scripts, and the expressions for the texts of their parts and for what follows. */
interface LoaderParts {
  readonly scripts: ScriptSet;
  readonly texts: string;
  readonly argv: string;
}

/**
 * The text of a loader. A thread evaluates the script of its name, the main thread the first one.
 *
 * A part of a script is a function of: `require`, for parts of the same script by their numbers,
 * for other scripts, and for modules of Node; `load`, which is `import()` of parts; the loader's
 * URL, from which Workers are started; the caller's arguments; and its CommonJS module. What
 * `require` returns for another script or a module of Node is loaded when a value of it is used:
 * the start of Node's compatibility layer takes longer than the rest of the program's, and few
 * commands need a library. Functions of `process` are methods; other modules hold functions and
 * classes, which are passed as they are.
 */
function loaderText({ scripts, texts, argv }: LoaderParts): string {
  let count = 0;
  const firsts = [...scripts].map(([name, { length }]) => [name, (count += length) - length]);
  return `const firsts = new Map(${JSON.stringify(firsts)});
const texts = ${texts};
const argv = ${argv};
const modules = [];
const evaluate = (first, number) => {
  const index = first + number;
  if (modules[index] === undefined) {
    const module = modules[index] = { exports: {} };
    const require = (name) => typeof name === "number" ? evaluate(first, name) : lazy(name);
    const load = async (number) => evaluate(first, number);
    (0, eval)(texts[index])(require, load, import.meta.url, argv, module);
  }
  return modules[index].exports;
};
const lazy = (name) => new Proxy({}, {
  get(_, key) {
    // The bundler's code asks each module for it, also one whose values are not used.
    if (key === "__esModule") return undefined;
    const first = firsts.get(name);
    const module = first === undefined
      ? globalThis.process.getBuiltinModule(name)
      : evaluate(first, 0);
    const value = module[key];
    return name === "node:process" && typeof value === "function" ? value.bind(module) : value;
  },
});
evaluate(firsts.get(self.name) ?? 0, 0);
`;
}

const partsOf = (scripts: ScriptSet): readonly string[] => [...scripts.values()].flat();

/** The loader of scripts whose parts are its arguments. */
export function loaderUrl(scripts: ScriptSet): string {
  const argv = `Deno.args.slice(${partsOf(scripts).length})`;
  const text = new TextEncoder().encode(loaderText({ scripts, texts: "Deno.args", argv }));
  return `data:text/javascript;base64,${text.toBase64()}`;
}

/** The loader of scripts that it contains: a program in one file. */
export function loaderModule(scripts: ScriptSet): string {
  return loaderText({ scripts, texts: JSON.stringify(partsOf(scripts)), argv: "Deno.args" });
}
