/** What others write as text: key files, requests, addresses, arguments, lines of a console. */
import { assert, assertEquals } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import { Failure } from "../../lib/errors.ts";
import { formatKey, parseKeyFile } from "../../lib/keys/key_format.ts";
import { inheritedSockets } from "../../lib/server/systemd.ts";
import { listenerAddress, parseTarget } from "../../lib/net/address.ts";
import { LineError, LineSplitter } from "../../lib/service/console/lines.ts";
import { RpcCode } from "../../lib/service/console/protocol.ts";
import { parseRequest, RequestError } from "../../lib/service/console/request.ts";
import { complete } from "../../lib/shell/completion.ts";
import { explain } from "../../lib/shell/explain.ts";
import { parseFilters } from "../../lib/shell/filter.ts";
import { GRAMMAR } from "../../lib/shell/grammar.ts";
import { KeySplitter } from "../../lib/shell/key_splitter.ts";
import { quoteWord, splitLine } from "../../lib/shell/line_words.ts";
import { ParseError, parseLine } from "../../lib/shell/parse.ts";
import {
  anyBytes,
  anyText,
  corpus,
  cuts,
  fc,
  forAny,
  forAnyAsync,
  inPieces,
  mutated,
  utf8,
} from "./fuzz.ts";

/** Runs something that may fail in one way alone. @returns Null where it did. */
function unless<T, E extends Error>(
  // deno-lint-ignore no-explicit-any -- any class of errors
  kind: new (...args: any[]) => E,
  run: () => T,
  check: (error: E) => void,
): T | null {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    check(error);
    return null;
  }
}

function isOneLine(text: string): boolean {
  return !text.includes("\n") && text.trim() !== "";
}

Deno.test("fuzz: a key file holds one key, or is refused without a part of it", () => {
  const seeds = [
    ...corpus("key_file"),
    ...[0, 7, 255].map((byte) => formatKey(new Uint8Array(32).fill(byte))),
  ];
  forAny(fc.oneof(mutated(seeds), anyBytes), (text) => {
    const key = unless(Failure, () => parseKeyFile(text, "/k"), ({ exit, message, hint }) => {
      assertEquals(exit, 65);
      assert(isOneLine(message) && (hint === undefined || isOneLine(hint)), message);
      const [longest = ""] = new TextDecoder().decode(text).match(/[A-Za-z0-9_-]{12,}/g) ?? [];
      assert(longest === "" || !message.includes(longest), message);
    });
    if (key === null) return;
    assertEquals(parseKeyFile(formatKey(key), "/k"), key);
  });
});

Deno.test("fuzz: a request is read, or answered with one of the codes", () => {
  const seeds = [
    '{"jsonrpc":"2.0","id":1,"method":"users.list"}',
    '{"jsonrpc":"2.0","id":"a","method":"users.set","params":{"name":"bob","field":"uid","value":1}}',
    '{"jsonrpc":"2.0","method":"login","params":{"user":"bob"}}',
  ].map(utf8);
  const member = fc.oneof(
    fc.json(),
    fc.constantFrom('"2.0"', "1", "null", "[]", "{}", "1e400", "-0"),
  );
  const shaped = fc.record({ jsonrpc: member, id: member, method: member, params: member }, {
    requiredKeys: [],
  }).map((members) =>
    utf8(`{${Object.entries(members).map(([name, value]) => `"${name}":${value}`).join(",")}}`)
  );
  const codes: readonly number[] = Object.values(RpcCode);
  forAny(fc.oneof(mutated(seeds), shaped, anyBytes), (bytes) => {
    const line = new TextDecoder().decode(bytes);
    const request = unless(RequestError, () => parseRequest(line), (error) => {
      assert(codes.includes(error.code), String(error.code));
      assertEquals(JSON.stringify(error).includes("\n"), false);
    });
    if (request === null) return;
    // What is answered names the request.
    assertEquals(JSON.parse(JSON.stringify({ id: request.id })).id, request.id);
    assertEquals(typeof request.params, "object");
  });
});

Deno.test("fuzz: lines are the same, wherever the stream is cut", () => {
  const limit = 64;
  forAny(fc.tuple(fc.oneof(anyBytes, anyText.map(utf8)), cuts), ([bytes, places]) => {
    const read = (pieces: readonly Uint8Array[]) => {
      const splitter = new LineSplitter(limit);
      const lines: (string | null)[] = [];
      const whole = unless(LineError, () => {
        for (const piece of pieces) for (const line of splitter.push(piece)) lines.push(line);
        return splitter.rest();
      }, ({ message }) => assert(isOneLine(message)));
      return [...lines, whole];
    };
    const lines = read(inPieces(bytes, places));
    // A line that is too long may be known as such before the bytes of the next ones.
    assertEquals(lines, read([bytes]));
    assert(lines.every((line) => line === null || utf8(line).length <= limit));
  });
});

Deno.test("fuzz: an address that is read is written so that it is read as the same", () => {
  const piece = fc.constantFrom(
    ...["unix:", "tcp:", "/run/x", "//", "..", "localhost", "127.0.0.1", "[::1]", "[fe80::1%eth0]"],
    ...[":4569", ":0", ":65536", ":", "[", "]", "%", "@", "0x7f.1", "LOCALHOST.", "1.2.3.4.", "ü"],
  );
  const text = fc.oneof(fc.array(piece, { maxLength: 5 }).map((parts) => parts.join("")), anyText);
  forAny(text, (text) => {
    const target = parseTarget(text);
    if (target === null) return;
    const address = listenerAddress(target);
    const again = parseTarget(address);
    if (again === null) throw new Error(`${address} cannot be read again`);
    assertEquals(listenerAddress(again), address);
  }, 2);
});

const WORDS = [
  ...["serve", "connect", "run-as", "gen-key", "users", "groups", "keys", "config", "status"],
  ...["help", "completions", "list", "add", "set", "check", "show", "bob", "579", "--", "-", "-c"],
  ...[
    "--unix",
    "--unix=",
    "--tcp=localhost:1",
    "--tcp",
    "--key",
    "--uid",
    "--uid=-1",
    "--gid=none",
  ],
  ...[
    "--config=/x",
    "--config",
    "--color=never",
    "--color=x",
    "--log-level",
    "--json",
    "--forward",
  ],
  ...[
    "unix:/x",
    "--identity=proxy-v2",
    "--exec",
    "true",
    "-h",
    "--help",
    "--version",
    "-V",
    "--pipe",
  ],
  ...[
    "--listen",
    "--listen=tcp:127.0.0.1:1",
    "--user",
    "--force",
    "--not-after=2030-01-01T00:00:00Z",
  ],
  ...[
    "",
    " ",
    "--no-",
    "---",
    "--=",
    "-cwho",
    "--allow-tty-input",
    "--drop-to",
    "0:0",
    "\u{1b}[2J",
  ],
];

Deno.test("fuzz: a command line is a command, or a mistake with a hint", () => {
  const word = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...WORDS) }, anyText);
  forAny(fc.array(word, { maxLength: 7 }), (argv) => {
    const invocation = unless(Failure, () => parseCommandLine(argv), ({ exit, message, hint }) => {
      assert(exit === 64 || exit === 125 && argv.includes("run-as"), `${exit}: ${message}`);
      assert(message !== "" && hint !== undefined && hint !== "", message);
    });
    if (invocation !== null) assertEquals(typeof invocation.command.kind, "string");
  }, 4);
});

const CONSOLE_WORDS = [
  ...["show", "users", "user", "sessions", "set", "add", "remove", "allow", "deny", "check", "|"],
  ...[
    "include",
    "exclude",
    "count",
    "json",
    "no-more",
    "config",
    "listeners",
    "log",
    "bob",
    "true",
  ],
  ...['"', "'", "?", "#", "  ", "(", "[a", "\\", "local_ipc_access", "579", "who", "help", "clear"],
];

Deno.test("fuzz: a line of the console is a command, or a mistake; Tab and ? never fail", async () => {
  const word = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...CONSOLE_WORDS) }, anyText);
  const line = fc.array(word, { maxLength: 8 }).map((words) => words.join(" "));
  const names = ["bob", "a b", 'q"x', "-c", "東"];
  const data = {
    users: () => Promise.resolve(names),
    groups: () => Promise.resolve(names),
    sessions: () => Promise.resolve(["1", "2"]),
  };
  await forAnyAsync(line, async (line) => {
    unless(ParseError, () => parseLine(line), ({ message }) => assert(message !== ""));
    const [first, ...filters] = splitLine(line).parts;
    assert(first !== undefined);
    unless(ParseError, () => parseFilters(filters), ({ message }) => assert(message !== ""));
    assert(explain(line, GRAMMAR).endsWith("\n"));
    const [offers, begun] = await complete(line, data);
    assert(line.endsWith(begun));
    for (const offer of offers) assert(offer.startsWith(begun), `${line}: ${offer}`);
  }, 2);
});

Deno.test("fuzz: a word in quotes is read as the word", () => {
  forAny(anyText, (text) => {
    // Nothing quotes both marks, and no line holds a newline.
    if (/["']/.test(text) && text.includes('"') && text.includes("'")) return;
    assertEquals(splitLine(`a ${quoteWord(text)} b`).parts, [["a", text, "b"]]);
  });
});

Deno.test("fuzz: keys are the same, wherever the bytes of a terminal are cut", () => {
  const piece = fc.constantFrom(
    ...["a", "bob", "\r", "\t", "?", "\x03", "\x1a", "\x1b[A", "\x1b[1;5C", "\x1bOP"],
    ...["\x1b[200~", "\x1b[201~", "\x1b", "\x1b[", "東", "\x7f", "é", "\0"],
  );
  const bytes = fc.array(piece, { maxLength: 20 }).map((parts) => utf8(parts.join("")));
  forAny(fc.tuple(bytes, cuts), ([bytes, places]) => {
    const read = (pieces: readonly Uint8Array[]) => {
      const splitter = new KeySplitter();
      const keys = pieces.flatMap((piece) => splitter.push(piece));
      // Text may come in several parts, which are as one.
      return [true, false].map((wanted) =>
        keys.map(({ text, pasted }) => pasted === wanted ? text : "|").join("")
          .replaceAll(/\|+/g, "|")
      );
    };
    assertEquals(read(inPieces(bytes, places)), read([bytes]));
  }, 2);
});

Deno.test("fuzz: LISTEN_* that are no numbers pass no socket, and are no crash", () => {
  const numbers = ["", "0", "-1", "1.5", "1e3", "0x3", " 1", "1 ", "99999999999999", "٣"];
  const value = fc.oneof(fc.constantFrom(...numbers), anyText)
    .filter((text) => !/^[0-9]{1,8}$/.test(text) || Number(text) === 0);
  forAny(fc.tuple(fc.constantFrom("77", "78", ""), value, value), ([pid, fds, names]) => {
    const variables = { LISTEN_PID: pid, LISTEN_FDS: fds, LISTEN_FDNAMES: names };
    const found = unless(Failure, () => inheritedSockets(variables, 77), ({ exit, message }) => {
      assert(exit === 78 && isOneLine(message), message);
      // The variables of another process are not even read.
      assertEquals(pid, "77");
    });
    assertEquals(found ?? [], []);
  });
});
