/**
 * No method of a class is used as a value. Such a function has lost its `this`: it throws when it
 * is called, which the types do not say.
 */
import { assertEquals } from "@std/assert";

/** Fields of other libraries' objects: `flow` of a collection of `yaml`. */
const EXTERNAL_VALUES = ["flow"];

/** The members that a text declares; `#name` for a private one. */
interface Members {
  readonly methods: Set<string>;
  /** Fields and getters, which are values. */
  readonly values: Set<string>;
}

/** The name of a member; `#name` for a private one. */
function nameOf(key: Deno.lint.Node): string | null {
  if (key.type === "PrivateIdentifier") return `#${key.name}`;
  return key.type === "Identifier" ? key.name : null;
}

function membersOf(path: string, text: string): Members {
  const members: Members = { methods: new Set(), values: new Set() };
  const add = (isMethod: boolean, key: Deno.lint.Node) => {
    const name = nameOf(key);
    if (name !== null) members[isMethod ? "methods" : "values"].add(name);
  };
  const plugin: Deno.lint.Plugin = {
    name: "members",
    rules: {
      collect: {
        create: () => ({
          MethodDefinition: ({ key, kind }) => add(kind === "method", key),
          TSMethodSignature: ({ key }) => add(true, key),
          PropertyDefinition: ({ key }) => add(false, key),
          TSPropertySignature: ({ key }) => add(false, key),
          // `{ accept: 3 }` is a value, `{ terminate: () => {} }` the method of an interface.
          "ObjectExpression > Property"({ key, value }: Deno.lint.Property) {
            if (value.type !== "ArrowFunctionExpression") add(false, key);
          },
        }),
      },
    },
  };
  Deno.lint.runPlugin(plugin, path, text);
  return members;
}

/** The uses of a method as a value, in a text. @param methods The names of methods. */
function unboundIn(path: string, text: string, methods: ReadonlySet<string>): string[] {
  const plugin: Deno.lint.Plugin = {
    name: "unbound",
    rules: {
      methods: {
        create: (context) => ({
          MemberExpression(node) {
            const name = node.computed ? null : nameOf(node.property);
            if (name === null || !methods.has(name) || isCalledOrSet(node, node.parent)) return;
            context.report({ node, message: name });
          },
        }),
      },
    },
  };
  return Deno.lint.runPlugin(plugin, path, text).map(({ message, range }) => {
    const line = text.slice(0, range[0]).split("\n").length;
    return `${path}:${line}: ${message}`;
  });
}

/** Whether a member is called, called later with its object, or replaced. */
function isCalledOrSet(node: Deno.lint.MemberExpression, parent: Deno.lint.Node): boolean {
  switch (parent.type) {
    case "CallExpression":
      return parent.callee === node;
    case "AssignmentExpression":
      return parent.left === node;
    // `kill?.()`: the chain, or the test whether there is such a method.
    case "ChainExpression":
      return parent.parent.type === "CallExpression" && parent.parent.callee === parent;
    // `object.method.bind(object)`
    case "MemberExpression":
      return parent.object === node && parent.parent.type === "CallExpression";
    default:
      return false;
  }
}

/** The paths of the TypeScript files below a directory. */
function sourceFiles(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    return isDirectory ? sourceFiles(path) : name.endsWith(".ts") ? [path] : [];
  });
}

/**
 * The findings in texts that form one program. A name that some type has as a value is taken for a
 * value, except for private ones, which are known exactly.
 */
function findings(texts: ReadonlyMap<string, string>): string[] {
  const members = new Map([...texts].map(([path, text]) => [path, membersOf(path, text)]));
  const all = [...members.values()];
  const values = new Set([...EXTERNAL_VALUES, ...all.flatMap((one) => [...one.values])]);
  const shared = all.flatMap(({ methods }) => [...methods])
    .filter((name) => !name.startsWith("#") && !values.has(name));
  return [...texts].flatMap(([path, text]) => {
    const { methods } = members.get(path)!;
    const own = [...methods].filter((name) => name.startsWith("#"));
    return unboundIn(path, text, new Set([...shared, ...own]));
  });
}

Deno.test("no method of a class is used as a value, without its object", () => {
  const texts = new Map(
    [...sourceFiles("lib"), "main.ts"].map((path) => [path, Deno.readTextFileSync(path)]),
  );
  assertEquals(findings(texts), []);
});

Deno.test("a method that is used as a value is found, in the file of its class and in others", () => {
  const texts = new Map([
    ["one.ts", "export class One { end() {} #cut() {} run() { after(this.#cut); this.end(); } }"],
    [
      "two.ts",
      "const one = new One();\nlist.forEach(one.end);\nconst { length } = one;\none.end();",
    ],
    ["three.ts", "const later = one?.end;\none.end?.();\nconst bound = one.end.bind(one);"],
  ]);
  assertEquals(findings(texts), ["one.ts:1: #cut", "two.ts:2: end", "three.ts:1: end"]);
});
