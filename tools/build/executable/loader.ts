/**
 * The main module of the executable: a short `data:` URL (RFC 2397), which evaluates one of the
 * scripts.
 *
 * The scripts are arguments of the runtime, right behind the module. As a module, a script would be
 * decoded and copied several times, and read by a parser of the runtime's own before V8 reads it:
 * three times what V8 takes alone (360 KB: 42 ms and 13 ms).
 */

/** A loader: the names of its scripts, and the expressions for their texts and for what follows. */
interface LoaderParts {
  readonly names: readonly string[];
  readonly texts: string;
  readonly argv: string;
}

/**
 * The text of a loader. A thread evaluates the script of its name, the main thread the first one.
 *
 * A script is a function of: `require`; the loader's URL, from which Workers are started; the
 * caller's arguments; and a CommonJS module, which scripts of libraries fill. What `require`
 * returns is loaded when a value of it is used: the start of Node's compatibility layer takes
 * longer than the rest of the program's, and few commands need a library. Functions of `process`
 * are methods; other modules hold functions and classes, which are passed as they are.
 */
function loaderText({ names, texts, argv }: LoaderParts): string {
  return `const names = ${JSON.stringify(names)};
const texts = ${texts};
const argv = ${argv};
const evaluate = (index) => {
  const module = { exports: {} };
  (0, eval)(texts[index])(require, import.meta.url, argv, module);
  return module.exports;
};
const loaded = new Map();
const load = (name) => {
  const index = names.indexOf(name);
  if (index < 0) return globalThis.process.getBuiltinModule(name);
  if (!loaded.has(index)) loaded.set(index, evaluate(index));
  return loaded.get(index);
};
const require = (name) => new Proxy({}, {
  get(_, key) {
    const module = load(name);
    const value = module[key];
    return name === "node:process" && typeof value === "function" ? value.bind(module) : value;
  },
});
evaluate(Math.max(0, names.indexOf(self.name)));
`;
}

/** The loader of scripts that are its arguments. @param names Of the scripts. */
export function loaderUrl(names: readonly string[]): string {
  const argv = `Deno.args.slice(${names.length})`;
  const text = new TextEncoder().encode(loaderText({ names, texts: "Deno.args", argv }));
  return `data:text/javascript;base64,${text.toBase64()}`;
}

/** The loader of scripts that it contains: a program in one file. */
export function loaderModule(scripts: ReadonlyMap<string, string>): string {
  const texts = JSON.stringify([...scripts.values()]);
  return loaderText({ names: [...scripts.keys()], texts, argv: "Deno.args" });
}
