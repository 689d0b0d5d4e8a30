/**
 * The mutants of a source file, and the file with all of them in it: each one takes effect only
 * while it is the active one (`switch.ts`), so that one process can try them all. Pure.
 *
 * @module
 */
import { parse } from "@babel/parser";
import type { Expression, Node } from "@babel/types";
import { type Change, conditionChanges, expressionChanges, type Operator } from "./operators.ts";

/** One change of one place of a file. */
export interface Mutant {
  readonly id: number;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  /** The line's text, without the indentation. */
  readonly source: string;
  /** The name of the innermost function or method with a name, or an empty text. */
  readonly within: string;
  readonly operator: Operator;
  readonly from: string;
  readonly to: string;
}

/** A file with all its mutants. */
export interface Mutated {
  readonly mutants: readonly Mutant[];
  readonly text: string;
}

/** Syntax that the compiler of types reads alone, except these, which hold an expression. */
const TYPED_EXPRESSIONS = new Set([
  "TSAsExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSParameterProperty",
]);
const SKIPPED = new Set(["ImportDeclaration", "ExportAllDeclaration", "Directive", "MetaProperty"]);
const NOT_CHILDREN = new Set(["loc", "leadingComments", "trailingComments", "innerComments"]);

/**
 * Makes the mutants of a file.
 *
 * @param file The path, for the mutants.
 * @param text The TypeScript.
 * @param first The id of the first mutant.
 * @param activeModule What the file imports the switch from.
 */
export function mutate(file: string, text: string, first: number, activeModule: string): Mutated {
  const { program } = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const writer = new Writer(file, text, first);
  const body = writer.text(program as unknown as Node);
  // On the first line, so that all lines keep their numbers.
  const head = `import { isActive as __mutant } from ${JSON.stringify(activeModule)};`;
  return { mutants: writer.mutants, text: head + text.slice(0, program.start!) + body };
}

class Writer {
  readonly mutants: Mutant[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #first: number;
  readonly #lines: readonly string[];
  /** The functions around the node. */
  readonly #within: string[] = [];

  constructor(file: string, text: string, first: number) {
    this.#file = file;
    this.#text = text;
    this.#first = first;
    this.#lines = text.split("\n");
  }

  /** The text of a node with its mutants. */
  text(node: Node): string {
    const name = nameOf(node);
    if (name === null) return this.#mutated(node);
    this.#within.push(name);
    try {
      return this.#mutated(node);
    } finally {
      this.#within.pop();
    }
  }

  #mutated(node: Node): string {
    const inner = this.#inner(node);
    switch (node.type) {
      case "ExpressionStatement":
      case "ThrowStatement":
      case "ContinueStatement":
      case "BreakStatement":
        // In braces of its own: an `else` behind it belongs to an `if` before it.
        return `{if(!${this.#add(node, { operator: "statement", to: "" })}){${inner}}}`;
      case "BlockStatement":
        return inner;
      default:
        return this.#isExpression(node)
          ? this.#choice(node, expressionChanges(node, (part) => this.#source(part)), inner)
          : inner;
    }
  }

  /** The text of a node, with the mutants of its children. */
  #inner(node: Node): string {
    let at = node.start!;
    let result = "";
    for (const [name, child] of children(node)) {
      result += this.#text.slice(at, child.start!);
      if (name === "body" && child.type === "BlockStatement" && isFunction(node)) {
        result += this.#body(child);
      } else if (name === "test" && node.type !== "SwitchCase") {
        const isLoop = node.type !== "IfStatement";
        const changes = node.type === "ConditionalExpression" || isTrue(child)
          ? []
          : conditionChanges(isLoop);
        result += this.#choice(child, changes, this.text(child));
      } else result += this.text(child);
      at = child.end!;
    }
    return result + this.#text.slice(at, node.end!);
  }

  /** A function's body, left at its first statement. */
  #body(block: Node & { type: "BlockStatement" }): string {
    const inner = this.text(block);
    if (block.body.length === 0) return inner;
    const returned = this.#add(block, { operator: "return", to: "return;" });
    return `{if(${returned})return;${inner.slice(1)}`;
  }

  #choice(node: Node, changes: readonly Change[], otherwise: string): string {
    if (changes.length === 0) return otherwise;
    const cases = changes.map((change) => `${this.#add(node, change)}?(${change.to}):`);
    return `(${cases.join("")}(${otherwise}))`;
  }

  #add(node: Node, { operator, to }: Change): string {
    const { line, column } = node.loc!.start;
    const id = this.#first + this.mutants.length;
    const source = this.#lines[line - 1]!.trim();
    const from = oneLine(operator === "return" ? "" : this.#source(node));
    this.mutants.push({
      id,
      file: this.#file,
      line,
      column: column + 1,
      source,
      within: this.#within.at(-1) ?? "",
      operator,
      from,
      to: oneLine(to),
    });
    return `__mutant(${id})`;
  }

  #source(node: Node): string {
    return this.#text.slice(node.start!, node.end!);
  }

  #isExpression(node: Node): node is Expression {
    return /Expression$|Literal$/.test(node.type) && !TYPED_EXPRESSIONS.has(node.type);
  }
}

/** The name of a function or method that has one, or null. */
function nameOf(node: Node): string | null {
  switch (node.type) {
    case "FunctionDeclaration":
      return node.id?.name ?? null;
    case "ClassMethod":
    case "ObjectMethod":
      return node.key.type === "Identifier" ? node.key.name : null;
    case "ClassPrivateMethod":
      return `#${node.key.id.name}`;
    default:
      return null;
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function isTrue(node: Node): boolean {
  return node.type === "BooleanLiteral" && node.value;
}

function isFunction({ type }: Node): boolean {
  return /Function|ClassMethod|ClassPrivateMethod|ObjectMethod/.test(type);
}

/** The nodes inside a node that run, in the order of the text. */
function children(node: Node): [string, Node][] {
  const found: [string, Node][] = [];
  for (const [name, value] of Object.entries(node)) {
    if (NOT_CHILDREN.has(name)) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child) || isSkipped(node, name, child)) continue;
      found.push([name, child]);
    }
  }
  return found.sort(([, one], [, other]) => one.start! - other.start!);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function isSkipped(parent: Node, name: string, child: Node): boolean {
  if (SKIPPED.has(child.type)) return true;
  if (child.type.startsWith("TS") && !TYPED_EXPRESSIONS.has(child.type)) return true;
  // Names of properties are no values; a shorthand's is its value as well.
  if (name === "key" && !("computed" in parent && parent.computed)) return true;
  return child.type === "TemplateElement" || name === "quasi";
}
