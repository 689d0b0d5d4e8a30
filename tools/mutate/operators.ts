/**
 * What a mutant changes: for one node of the syntax tree, the texts that take its place. Pure.
 *
 * @module
 */
import type { BinaryExpression, Expression, LogicalExpression, Node } from "@babel/types";

/** A change of one node. */
export interface Change {
  /** Such as `condition` or `number`. */
  readonly operator: Operator;
  /** The text of an expression that takes the node's place; empty for a statement left out. */
  readonly to: string;
}

/** The kinds of changes. Those of `text` change what is said, and not what is decided. */
export type Operator =
  | "condition"
  | "comparison"
  | "logic"
  | "arithmetic"
  | "negation"
  | "boolean"
  | "number"
  | "string"
  | "text"
  | "pattern"
  | "method"
  | "list"
  | "statement"
  | "return";

const COMPARISONS: Record<string, readonly string[]> = {
  "===": ["!=="],
  "!==": ["==="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
};
const ARITHMETIC: Record<string, string> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "&": "|",
  "|": "&",
  "<<": ">>",
  ">>": "<<",
  "**": "*",
};
const ASSIGNMENTS: Record<string, string> = { "+=": "-=", "-=": "+=", "&=": "|=", "|=": "&=" };
/** Methods of the contrary; null where the value that they are called on takes the place. */
const METHODS: Record<string, string | null> = {
  some: "every",
  every: "some",
  startsWith: "endsWith",
  endsWith: "startsWith",
  min: "max",
  max: "min",
  filter: null,
  slice: null,
  subarray: null,
  trim: null,
  sort: null,
  toSorted: null,
  reverse: null,
  toLowerCase: null,
};

/** The text of a node. */
export type TextOf = (node: Node) => string;

/** The changes of an expression; each of their texts is an expression. */
export function expressionChanges(node: Expression, text: TextOf): Change[] {
  switch (node.type) {
    case "LogicalExpression":
      return logicChanges(node, text);
    case "BinaryExpression":
      return binaryChanges(node, text);
    case "ConditionalExpression":
      return [
        { operator: "condition", to: text(node.consequent) },
        { operator: "condition", to: text(node.alternate) },
      ];
    case "UnaryExpression":
      return ["!", "-", "~"].includes(node.operator)
        ? [{ operator: "negation", to: text(node.argument) }]
        : [];
    case "UpdateExpression": {
      const other = node.operator === "++" ? "--" : "++";
      const argument = text(node.argument);
      const to = node.prefix ? other + argument : argument + other;
      return [{ operator: "arithmetic", to }];
    }
    case "AssignmentExpression": {
      const other = ASSIGNMENTS[node.operator];
      if (other === undefined) return [];
      return [{ operator: "arithmetic", to: `${text(node.left)} ${other} ${text(node.right)}` }];
    }
    case "BooleanLiteral":
      return [{ operator: "boolean", to: String(!node.value) }];
    case "NumericLiteral":
      return [{ operator: "number", to: String(node.value + 1) }];
    case "BigIntLiteral":
      return [{ operator: "number", to: `${BigInt(node.value) + 1n}n` }];
    case "StringLiteral":
      return [{
        // A word is compared or sent; what has a space is read.
        operator: node.value.includes(" ") ? "text" : "string",
        to: node.value === "" ? '"mutant"' : '""',
      }];
    case "TemplateLiteral":
      return [{ operator: "text", to: '""' }];
    case "RegExpLiteral":
      return patternChanges(node.pattern, node.flags);
    case "ArrayExpression":
      return node.elements.length === 0 ? [] : [{ operator: "list", to: "[]" }];
    case "CallExpression":
      return methodChanges(node, text);
    default:
      return [];
  }
}

/** The changes of the condition of an `if`, a loop or a `?:`. */
export function conditionChanges(isLoop: boolean): Change[] {
  const never: Change = { operator: "condition", to: "false" };
  return isLoop ? [never] : [{ operator: "condition", to: "true" }, never];
}

function logicChanges(node: LogicalExpression, text: TextOf): Change[] {
  const left = text(node.left);
  const right = text(node.right);
  const changes = [left, right];
  if (node.operator !== "??") {
    changes.push(`(${left}) ${node.operator === "&&" ? "||" : "&&"} (${right})`);
  }
  return changes.map((to) => ({ operator: "logic", to }));
}

function binaryChanges(node: BinaryExpression, text: TextOf): Change[] {
  const left = text(node.left);
  const right = text(node.right);
  const others = COMPARISONS[node.operator];
  if (others !== undefined) {
    return others.map((other) => ({
      operator: "comparison",
      to: `(${left}) ${other} (${right})`,
    }));
  }
  if (node.operator === "in" || node.operator === "instanceof") {
    return [{ operator: "negation", to: `!(${text(node)})` }];
  }
  const isText = [node.left, node.right].some(({ type }) =>
    type === "StringLiteral" || type === "TemplateLiteral"
  );
  const other = ARITHMETIC[node.operator];
  if (other === undefined || isText) return [];
  return [{ operator: "arithmetic", to: `(${left}) ${other} (${right})` }];
}

function patternChanges(pattern: string, flags: string): Change[] {
  const patterns = ["(?!)", "(?:)"];
  if (pattern.startsWith("^")) patterns.push(pattern.slice(1));
  if (pattern.endsWith("$") && !pattern.endsWith("\\$")) patterns.push(pattern.slice(0, -1));
  return patterns
    .filter((other) => other !== "")
    .map((other) => ({ operator: "pattern", to: `/${other}/${flags}` }));
}

function methodChanges(node: Expression & { type: "CallExpression" }, text: TextOf): Change[] {
  const { callee } = node;
  if (callee.type !== "MemberExpression" || callee.computed) return [];
  if (callee.property.type !== "Identifier") return [];
  const other = Object.hasOwn(METHODS, callee.property.name)
    ? METHODS[callee.property.name]
    : undefined;
  if (other === undefined) return [];
  const object = text(callee.object);
  if (other === null) return [{ operator: "method", to: object }];
  const args = node.arguments.map(text).join(", ");
  return [{ operator: "method", to: `${object}.${other}(${args})` }];
}
