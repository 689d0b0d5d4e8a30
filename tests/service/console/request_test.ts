import { assertEquals, assertThrows } from "@std/assert";
import { Params } from "../../../lib/service/console/params.ts";
import { parseRequest, RequestError } from "../../../lib/service/console/request.ts";

function code(run: () => unknown): number {
  return (assertThrows(run, RequestError) as RequestError).code;
}

Deno.test("parseRequest() reads a request and a notification", () => {
  assertEquals(parseRequest('{"jsonrpc":"2.0","id":"x","method":"a","params":{"b":1}}'), {
    id: "x",
    method: "a",
    params: { b: 1 },
  });
  assertEquals(parseRequest('{"jsonrpc":"2.0","method":"a"}').id, undefined);
});

for (
  const [line, expected] of [
    ["", -32700],
    ["{", -32700],
    ["[]", -32600],
    ["1", -32600],
    ["null", -32600],
    ['{"id":1,"method":"a"}', -32600],
    ['{"jsonrpc":"1.0","id":1,"method":"a"}', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"a"}', -32600],
    ['{"jsonrpc":"2.0","id":1e999,"method":"a"}', -32600],
    ['{"jsonrpc":"2.0","id":12345678901234567890,"method":"a"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":1}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}', -32602],
  ] as const
) {
  Deno.test(`parseRequest() answers ${line || "nothing"} with ${expected}`, () => {
    assertEquals(code(() => parseRequest(line)), expected);
  });
}

Deno.test("parseRequest() keeps the id for the error, and none for a notification", () => {
  const id = (line: string) =>
    (assertThrows(() => parseRequest(line), RequestError) as RequestError).id;
  assertEquals(id('{"jsonrpc":"2.0","id":7,"method":"a","params":[1]}'), 7);
  assertEquals(id('{"jsonrpc":"2.0","method":"a","params":[1]}'), undefined);
  assertEquals(id('{"jsonrpc":"2.0","id":1e999,"method":"a"}'), null);
  assertEquals(id("{"), null);
});

Deno.test("Params refuses a parameter that the method does not know", () => {
  assertEquals(code(() => new Params({ nmae: "x" }, "name")), -32602);
  assertEquals(code(() => new Params({ name: "x" })), -32602);
});

Deno.test("Params checks the type of each value", () => {
  const params = new Params({ a: 5, b: "5", c: -1, d: 1.5, e: 4294967295, f: true }, ..."abcdefg");
  assertEquals(params.id("a"), 5);
  for (const name of "bcdefg") assertEquals(code(() => params.id(name)), -32602);
  assertEquals(params.flag("f"), true);
  assertEquals(params.flag("g"), false);
  assertEquals(code(() => params.flag("b")), -32602);
  assertEquals(params.text("b"), "5");
  assertEquals(code(() => params.text("a")), -32602);
  assertEquals(code(() => params.value("g")), -32602);
  assertEquals(code(() => params.count("c")), -32602);
});
