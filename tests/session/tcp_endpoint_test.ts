/** The way of a connection on TCP, in this process: the access check, the policy, the answer. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { keyId } from "../../lib/keys/key_id.ts";
import { KeyRing } from "../../lib/keys/key_ring.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { localAddress } from "../../lib/libc/inet_address.ts";
import { receive } from "../../lib/libc/sockets.ts";
import { listenTcp, resetOnClose } from "../../lib/libc/tcp_socket.ts";
import { resolveHost } from "../../lib/libc/inet_address.ts";
import { FIRST_ANSWER_MS } from "../../lib/names/known_names.ts";
import { TcpListener } from "../../lib/net/tcp_listener.ts";
import { type ClientEvent, ClientHandshake } from "../../lib/protocol/client_handshake.ts";
import type { PeerOrigin, Session } from "../../lib/session/session.ts";
import { TcpEndpoint } from "../../lib/session/tcp_endpoint.ts";
import { isWiped, keyedDuring } from "../support/ciphers.ts";
import { HELLO, joined, KEY, only, OTHER_KEY } from "../support/conversation.ts";
import { type EndpointClient, EndpointPlace } from "../support/endpoints.ts";

const ID = keyId(KEY);
const TRUSTED_KEY = new Uint8Array(32).fill(7);

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
`;

interface Options {
  /** Fields of the listener. */
  readonly listener?: string;
  readonly rest?: string;
  readonly now?: () => number;
}

class TcpPlace extends EndpointPlace {
  readonly endpoint: TcpEndpoint;
  readonly port: number;

  constructor({ listener = "", rest = "", now }: Options = {}) {
    super((place) => {
      place.writeKey("bob.key", KEY);
      place.writeKey("trusted.key", TRUSTED_KEY);
      const bob = `{ file: ${place.at("bob.key")}, user: bob, not_after: 2030-01-01T00:00:00Z }`;
      const keys = `[${bob}, { file: ${place.at("trusted.key")} }]`;
      return `listeners:\n  - { tcp: "127.0.0.1:1", keys: ${keys}${listener} }\n${USERS}${rest}`;
    }, now);
    const inherited = listenTcp(resolveHost("127.0.0.1", 0)[0]!, 64);
    this.port = localAddress(inherited).port;
    const listeners = TcpListener.openAll(this.tcp, { inherited });
    this.endpoint = new TcpEndpoint(this.context, listeners, this.tcp, this.service);
  }

  override [Symbol.dispose](): void {
    this.endpoint.close();
    super[Symbol.dispose]();
    this.endpoint.wipe();
  }

  /** A client that has sent HELLO. */
  greet(key = KEY, user: string | null = null): [EndpointClient, ClientHandshake] {
    const client = this.connectTcp(this.port);
    const handshake = new ClientHandshake(key, { client: "test/1", user });
    this.sendHello(client, handshake);
    return [client, handshake];
  }

  /** A client that has sent its first message, and its HELLO, once the answer has come. */
  open(user: string | null = null): [EndpointClient, () => Uint8Array<ArrayBuffer>] {
    const client = this.connectTcp(this.port);
    const handshake = new ClientHandshake(KEY, { ...HELLO, user });
    client.write(handshake.start());
    return [client, () => {
      this.until(() => client.received.length === 50);
      return new Uint8Array(only(handshake.push(client.take()), "send").bytes);
    }];
  }

  /** The internal errors so far, which are expected. */
  takeErrors(): string[] {
    return this.errors.splice(0).map(String);
  }

  /** The server's answer to HELLO. */
  answer([client, handshake]: [EndpointClient, ClientHandshake]): ClientEvent {
    this.until(() => client.received.length > 0 || client.end !== "open");
    return handshake.push(client.take())[0]!;
  }

  /** Asserts that a client is told a reason and nothing else, and that it is logged. */
  assertRejected(key: Uint8Array, reason: string, user: string | null, actsAs?: string): void {
    const [client, handshake] = this.greet(key, actsAs ?? null);
    assertEquals(this.answer([client, handshake]), { kind: "rejected", reason });
    this.until(() => client.end === "end");
    const logged = this.fields("deny", "reason", "key", "user", "peer").at(-1);
    assertEquals(logged, [reason, keyId(key), user, null]);
    assertEquals([this.opened.length, this.context.handshakes.size], [0, 0]);
    // It is not decided again.
    assertEquals(this.reactor.waiting, 0);
  }
}

function test(name: string, run: (place: TcpPlace) => void, options?: Options): void {
  Deno.test(name, () => {
    using place = new TcpPlace(options);
    run(place);
    assertEquals([place.errors, place.fields("error", "message")], [[], []]);
  });
}

test("the holder of a key gets a session as the key's user", (place) => {
  const [client, handshake] = place.greet();
  const accepted = only([place.answer([client, handshake])], "accepted");
  assertEquals([accepted.user, accepted.service], ["bob", "recorder"]);
  const [{ session, connection }] = place.opened as [typeof place.opened[0]];
  const { identity, user, service, listener, config } = session.facts;
  const origin = session.facts.origin as PeerOrigin & { kind: "tcp" };
  assertEquals([origin.keyId, origin.actsAs, origin.remote.host], [ID, null, "127.0.0.1"]);
  assertEquals([user, identity.uid, identity.trusted, service], ["bob", 579, false, "recorder"]);
  assertEquals([listener, config], [`tcp:127.0.0.1:${place.port}`, place.tcp]);
  assertEquals([connection.kind, connection.unsent], ["tcp", null]);
  assertEquals(place.fields("allow", "reason", "key", "user"), [["key", ID, "bob"]]);
  assert(place.endpoint.authenticated(session));
  assertEquals(place.context.handshakes.size, 0);
  // What was received belongs to the channel of this connection.
  assertEquals(connection.received?.length, 0);
  const sealed = new Uint8Array(accepted.channel.sealedLength(3));
  accepted.channel.sealData(Uint8Array.of(1, 2, 3), sealed);
  const plain = new Uint8Array(100);
  assertEquals(connection.seal!.open(sealed, plain).length, 3);
  assertEquals(plain.subarray(0, 3), Uint8Array.of(1, 2, 3));
});

test("what follows HELLO at once belongs to the session", (place) => {
  const client = place.connectTcp(place.port);
  const handshake = new ClientHandshake(KEY, HELLO);
  client.write(handshake.start());
  place.until(() => client.received.length >= 50);
  const hello = only(handshake.push(client.take()), "send").bytes;
  client.write(joined(hello, Uint8Array.of(9, 8, 7)));
  place.until(() => place.opened.length === 1);
  assertEquals(place.opened[0]!.connection.received, Uint8Array.of(9, 8, 7));
});

test("what follows HELLO is kept while the decision waits for a file", (place) => {
  const client = place.connectTcp(place.port);
  const handshake = new ClientHandshake(KEY, HELLO);
  client.write(handshake.start());
  place.until(() => client.received.length >= 50);
  place.wait = 20;
  const hello = only(handshake.push(client.take()), "send").bytes;
  client.write(joined(hello, Uint8Array.of(9, 8, 7)));
  place.turns(5);
  assertEquals([place.opened.length, place.context.handshakes.size], [0, 1]);
  place.context.buffers.read.fill(0);
  place.wait = null;
  place.until(() => place.opened.length === 1);
  assertEquals(place.opened[0]!.connection.received, Uint8Array.of(9, 8, 7));
});

test("the key is looked up when no file is being written any more", (place) => {
  place.wait = 20;
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(KEY, HELLO).start());
  place.turns(5);
  assertEquals([client.received.length, client.end], [0, "open"]);
  // The shortest wait is one, too.
  place.wait = 0.5;
  place.turns(40);
  assertEquals([client.received.length, client.end], [0, "open"]);
  place.wait = null;
  place.until(() => client.received.length === 50);
});

test("a client that leaves while its access check waits is denied", (place) => {
  place.wait = 10_000;
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(KEY, HELLO).start());
  place.turns(5);
  resetOnClose(client.descriptor);
  client.close();
  place.until(() => place.fields("deny", "reason").length === 1);
  assertEquals(place.fields("deny", "reason", "key", "message"), [["bad-key", ID, "truncated"]]);
  assertEquals(place.context.handshakes.size, 0);
});

test("a client without a key reads end-of-file and not one byte", (place) => {
  for (const first of [new ClientHandshake(OTHER_KEY, HELLO).start(), new Uint8Array(66)]) {
    const client = place.connectTcp(place.port);
    client.write(first);
    place.assertRefused(client);
  }
  assertEquals(place.fields("deny", "reason", "key", "user", "message"), [
    ["bad-key", keyId(OTHER_KEY), null, undefined],
    ["bad-key", undefined, null, "malformed"],
  ]);
  assertEquals(place.context.handshakes.size, 0);
});

test("a client with the id of a key and another key is refused like one without", (place) => {
  const client = place.connectTcp(place.port);
  const [mine, other] = [KEY, OTHER_KEY].map((key) => new ClientHandshake(key, HELLO).start());
  client.write(joined(mine!.subarray(0, 16), other!.subarray(16)));
  place.assertRefused(client);
  assertEquals(place.fields("deny", "reason", "key"), [["bad-key", ID]]);
});

test("a client that ends in the middle is denied, before or after its first message", (place) => {
  const first = place.connectTcp(place.port);
  first.write(new ClientHandshake(KEY, HELLO).start().subarray(0, 30));
  first.shutdown();
  place.assertRefused(first);
  const second = place.connectTcp(place.port);
  second.write(new ClientHandshake(KEY, HELLO).start());
  place.until(() => second.received.length === 50);
  second.shutdown();
  place.until(() => second.end === "end");
  assertEquals(place.fields("deny", "reason", "key", "message"), [
    ["bad-key", ID, "truncated"],
    ["bad-key", ID, "truncated"],
  ]);
  assertEquals([second.received.length, place.context.handshakes.size], [50, 0]);
});

test("an access check that takes too long is reset", (place) => {
  const start = performance.now();
  const client = place.connectTcp(place.port);
  place.assertRefused(client, "reset");
  assert(performance.now() - start >= 95);
  assertEquals(place.fields("deny", "reason", "key", "message"), [
    ...[["handshake-timeout", undefined, undefined]],
  ]);
}, { rest: "limits: { handshake_timeout: 100ms }\n" });

test("a session outlives the time limit of its access check", (place) => {
  place.greet();
  place.until(() => place.opened.length === 1);
  const until = performance.now() + 550;
  place.until(() => performance.now() > until);
  assertEquals(place.fields("deny", "reason"), []);
  assert(place.opened[0]!.connection.descriptor.isOpen);
}, { rest: "limits: { handshake_timeout: 500ms }\n" });

test("access checks are bounded, and those of a key's holder go before others", (place) => {
  const silent = [0, 1, 2, 3].map(() => {
    const client = place.connectTcp(place.port);
    place.turns(3);
    return client;
  });
  place.until(() => silent.filter(({ end }) => end === "reset").length === 2);
  assertEquals(place.context.handshakes.size, 2);
  const holder = place.connectTcp(place.port);
  holder.write(new ClientHandshake(KEY, HELLO).start());
  place.until(() => holder.received.length === 50);
  place.connectTcp(place.port);
  place.turns(5);
  assertEquals([holder.end, silent.filter(({ end }) => end === "reset").length], ["open", 4]);
  assertEquals(place.fields("deny", "reason").flat(), Array(4).fill("over-limit"));
}, { rest: "limits: { max_pending_handshakes: 2 }\n" });

test("a key whose user has no access is told so", (place) => {
  place.assertRejected(KEY, "user-denied", "bob", "alice");
  place.assertRejected(TRUSTED_KEY, "user-denied", null, "alice");
  place.assertRejected(TRUSTED_KEY, "user-denied", null, "nobody");
});

test("a trusted key acts as itself or as a user", (place) => {
  const itself = place.answer(place.greet(TRUSTED_KEY));
  assertEquals([itself.kind, place.opened[0]!.session.facts.identity], [
    "accepted",
    { user: null, uid: 0, gid: 0, trusted: true },
  ]);
  const bob = place.answer(place.greet(TRUSTED_KEY, "bob"));
  const { facts: { identity, origin } } = place.opened[1]!.session;
  assertEquals([bob.kind, identity.uid, identity.trusted], ["accepted", 579, false]);
  assertEquals(origin.kind === "tcp" && origin.actsAs, "bob");
  assertEquals([place.admissions.countByUid(0), place.admissions.countByUid(579)], [1, 1]);
});

const PAST = { now: () => Date.parse("2031-01-01T00:00:00Z") };
test("an expired key is told so, and admits no one", (place) => {
  place.assertRejected(KEY, "expired-key", "bob");
}, PAST);

test("a key that expires while a session is open revokes it", (place) => {
  place.greet();
  place.until(() => place.opened.length === 1);
  const { session } = place.opened[0]!;
  const { authorizer } = place.context;
  assertEquals(authorizer.revocationOf(session), null);
  now += 10 * 365 * 86_400_000;
  assertEquals(authorizer.revocationOf(session), "expired-key");
}, { now: () => now });
let now = Date.parse("2026-06-01T00:00:00Z");

test("a key that the listener no longer names ends its sessions and admits no one", (place) => {
  place.greet();
  place.until(() => place.opened.length === 1);
  const { session } = place.opened[0]!;
  place.edit(`{ file: ${place.at("bob.key")}, user: bob, not_after: 2030-01-01T00:00:00Z },`, "");
  place.until(() => place.endpoint.refreshKeys() === 0);
  assertEquals(place.endpoint.grant(ID), null);
  assertEquals(place.context.authorizer.revocationOf(session), "bad-key");
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(KEY, HELLO).start());
  place.assertRefused(client);
});

test("a key that is given to another user ends the sessions of the first", (place) => {
  place.greet();
  place.until(() => place.opened.length === 1);
  const { authorizer } = place.context;
  const { session } = place.opened[0]!;
  place.edit("user: bob", "user: alice");
  place.until(() => place.endpoint.refreshKeys() === 0);
  assertEquals(authorizer.revocationOf(session), "user-denied");
  place.edit("user: alice,", "");
  place.until(() => place.endpoint.refreshKeys() === 0);
  assertEquals(authorizer.revocationOf(session), "identity-changed");
});

test("each client is told that nothing can be read, before and after its key is known", (place) => {
  let isUnreadable = false;
  Object.defineProperty(place.liveConfig, "isUnreadable", { get: () => isUnreadable });
  const client = place.connectTcp(place.port);
  const handshake = new ClientHandshake(KEY, HELLO);
  client.write(handshake.start());
  place.until(() => client.received.length === 50);
  isUnreadable = true;
  client.write(only(handshake.push(client.take()), "send").bytes);
  assertEquals(place.answer([client, handshake]), { kind: "rejected", reason: "unreadable" });
  assertEquals(place.fields("deny", "reason", "user"), [["unreadable", "bob"]]);
  assertEquals(place.reactor.waiting, 0);
  // Nothing is known of a key now: a reset, and no end-of-file, which would say that it is wrong.
  for (const key of [KEY, OTHER_KEY]) {
    const next = place.connectTcp(place.port);
    next.write(new ClientHandshake(key, HELLO).start());
    place.assertRefused(next, "reset");
    assertEquals(place.fields("deny", "reason", "key").at(-1), ["unreadable", keyId(key)]);
  }
  const malformed = place.connectTcp(place.port);
  malformed.write(new Uint8Array(66));
  place.assertRefused(malformed);
  assertEquals(place.fields("deny", "reason").at(-1), ["bad-key"]);
  const cut = place.connectTcp(place.port);
  cut.write(new ClientHandshake(KEY, HELLO).start().subarray(0, 30));
  cut.shutdown();
  place.assertRefused(cut);
  assertEquals(place.fields("deny", "reason", "key", "message").at(-1), [
    ...["bad-key", ID, "truncated"],
  ]);
});

test("a suspended endpoint rejects every holder of a key, without waiting", (place) => {
  assert(place.endpoint.isAccepting);
  const greeting = place.connectTcp(place.port);
  const handshake = new ClientHandshake(KEY, HELLO);
  greeting.write(handshake.start());
  place.until(() => greeting.received.length === 50);
  place.endpoint.suspend();
  place.wait = 10_000;
  greeting.write(only(handshake.push(greeting.take()), "send").bytes);
  assertEquals(place.answer([greeting, handshake]), {
    kind: "rejected",
    reason: "not-on-listener",
  });
  place.wait = null;
  assert(!place.endpoint.isAccepting);
  place.assertRejected(KEY, "not-on-listener", "bob");
  place.endpoint.setService(place.tcp, place.service);
  assertEquals(place.answer(place.greet()).kind, "accepted");
});

test("the listener's list holds for a key's user, by name and by group", (place) => {
  const groups = place.tcp.allow!;
  assertEquals([groups.users.size, groups.gids.size], [0, 1]);
  const detail = "the groups of the user are not known";
  place.assertRejected(KEY, "not-on-listener", "bob");
  assertEquals(place.fields("deny", "message").at(-1), [detail]);
  assertEquals(place.requests, [{ kind: "account", uid: 579 }]);
  const account = { name: "bob", uid: 579, gid: 579, home: "/", shell: "/bin/sh" };
  const answer = { kind: "account", uid: 579, account, problem: null } as const;
  place.knownNames.update([{ ...answer, groups: [5] } as never]);
  place.assertRejected(KEY, "not-on-listener", "bob");
  assertEquals(place.fields("deny", "message").at(-1), [undefined]);
  place.knownNames.update([{ ...answer, groups: [2000] } as never]);
  assertEquals(place.answer(place.greet()).kind, "accepted");
  const { session } = place.opened[0]!;
  const { authorizer } = place.context;
  assertEquals(authorizer.revocationOf(session), null);
  // A name service that fails ends no session, and admits no one.
  place.knownNames.update([{ ...answer, account: null, groups: [], problem: "down" } as never]);
  assertEquals(authorizer.revocationOf(session), null);
  place.opened.length = 0;
  place.assertRejected(KEY, "not-on-listener", "bob");
  place.knownNames.update([{ ...answer, groups: [] } as never]);
  assertEquals(authorizer.revocationOf(session), "not-on-listener");
  // The account's own group counts, too, and trusted keys need none.
  place.knownNames.update([{ ...answer, account: { ...account, gid: 2000 }, groups: [] } as never]);
  assertEquals(authorizer.revocationOf(session), null);
  assertEquals(place.answer(place.greet(TRUSTED_KEY)).kind, "accepted");
}, {
  listener: `, allow: ["@netops"]`,
  rest: "groups: [{ name: netops, gid: 2000, local_ipc_access: true }]\n",
});

test("a client waits for the first answer about a group of the list", (place) => {
  place.knownNames.use([{ kind: "group", name: "netops" }]);
  const account = { name: "bob", uid: 579, gid: 2000, home: "/", shell: "/bin/sh" };
  place.knownNames.update([
    { kind: "account", uid: 579, account, groups: [], problem: null } as never,
  ]);
  const greeting = place.greet();
  place.turns(20);
  assertEquals([place.opened.length, greeting[0].received.length], [0, 0]);
  place.knownNames.update([{ kind: "group", name: "netops", gid: 2000, problem: null }]);
  place.context.authorizer.onNamesChanged();
  assertEquals(place.answer(greeting).kind, "accepted");
}, {
  listener: `, allow: ["@netops"]`,
  rest: "groups: [{ name: netops, local_ipc_access: true }]\n",
});

const NETOPS = {
  listener: `, allow: ["@netops"]`,
  rest: "groups: [{ name: netops, gid: 2000, local_ipc_access: true }]\n",
};
const BOBS = { kind: "account", uid: 579, groups: [] as number[], problem: null } as const;

for (const [what, key, actsAs] of [["its", KEY, null], ["another", TRUSTED_KEY, "bob"]] as const) {
  test(`a client waits for the groups of ${what} user`, (place) => {
    const account = { name: "bob", uid: 579, gid: 2000, home: "/", shell: "/bin/sh" };
    const greeting = place.greet(key, actsAs);
    place.turns(20);
    assertEquals([place.opened.length, greeting[0].received.length], [0, 0]);
    assertEquals(place.requests, [{ kind: "account", uid: 579 }]);
    place.knownNames.update([{ ...BOBS, account }]);
    assertEquals(place.answer(greeting).kind, "accepted");
  }, NETOPS);
}

test("a client does not wait again after an answer that has said nothing", (place) => {
  const greeting = place.greet();
  const until = performance.now() + 40;
  place.until(() => performance.now() > until);
  assertEquals(greeting[0].received.length, 0);
  place.knownNames.update([{ ...BOBS, account: null, problem: "down" } as never]);
  assertEquals(place.answer(greeting), { kind: "rejected", reason: "not-on-listener" });
  // It was asked for again, for the next client.
  assertEquals(place.requests.length, 2);
  assert(place.knownNames.pendingFor(579) < FIRST_ANSWER_MS);
}, NETOPS);

test(
  "a client whose denial lacks no answer is denied at once, whatever others wait for",
  (place) => {
    let decisions = 0;
    const { authorizer } = place.context;
    const { authorizeKeyed } = authorizer;
    authorizer.authorizeKeyed = (...args) => {
      decisions++;
      return authorizeKeyed.apply(authorizer, args);
    };
    place.knownNames.use([{ kind: "group", name: "other" }]);
    assert(place.knownNames.isAwaited);
    place.assertRejected(KEY, "user-denied", "bob", "alice");
    assertEquals(decisions, 1);
    // Nor is one that lacks an answer which has come and has said nothing.
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    place.knownNames.update([
      { kind: "group", name: "netops", gid: null, problem: "down" },
      { ...BOBS, account: { name: "bob", uid: 579, gid: 579, home: "/", shell: "/bin/sh" } },
    ]);
    place.assertRejected(KEY, "not-on-listener", "bob");
    assertEquals(decisions, 2);
  },
  { ...NETOPS, rest: "groups: [{ name: netops, local_ipc_access: true }]\n" },
);

test("the sessions of a key's user count, and trusted keys have a reserve", (place) => {
  assertEquals(place.answer(place.greet()).kind, "accepted");
  const second = place.greet();
  assertEquals(place.answer(second), { kind: "rejected", reason: "over-limit" });
  assertEquals(place.answer(place.greet(TRUSTED_KEY)).kind, "accepted");
}, { rest: "limits: { max_connections: 1 }\n" });

test("a connection that no descriptor is left for is reset and logged", (place) => {
  place.endpoint.onConnection = (connection) => place.endpoint.onResourceExhausted(connection);
  const client = place.connectTcp(place.port);
  place.assertRefused(client, "reset");
  const [[reason, remote]] = place.fields("deny", "reason", "remote") as [[string, string]];
  assertEquals([reason, remote.startsWith("127.0.0.1:")], ["over-limit", true]);
});

test("an error on the way to a decision denies the connection", (place) => {
  place.context.authorizer.authorizeKeyed = () => {
    throw new Error("a bug");
  };
  const [client] = place.greet();
  place.until(() => client.end !== "open");
  assertEquals([client.end, client.received.length, place.opened.length], ["end", 0, 0]);
  assertEquals(place.fields("deny", "reason"), [["bad-key"]]);
  assertEquals(place.takeErrors(), ["Error: a bug"]);
});

test("an error at the lookup of a key denies the connection, at once or after a wait", (place) => {
  const fail = () => {
    throw new Error("a bug");
  };
  place.onRefresh = fail;
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(KEY, HELLO).start());
  place.assertRefused(client);
  // The error is one of the acceptor's.
  assertEquals(place.events.splice(0).map(({ event }) => event), ["deny", "error"]);
  place.onRefresh = () => {};
  place.wait = 20;
  const waiting = place.connectTcp(place.port);
  waiting.write(new ClientHandshake(KEY, HELLO).start());
  place.turns(3);
  place.onRefresh = fail;
  place.assertRefused(waiting);
  assertEquals(place.fields("deny", "reason", "key"), [["bad-key", ID]]);
  assertEquals([place.takeErrors(), place.context.handshakes.size], [["Error: a bug"], 0]);
});

test("an error after the answer is no second denial, at once or after a wait", (place) => {
  const { logDeny } = place.context.events;
  let calls = 0;
  place.context.events.logDeny = () => {
    calls++;
    throw new Error("a bug");
  };
  for (const wait of [null, 20]) {
    const [client, hello] = place.open("alice");
    const bytes = hello();
    place.wait = wait;
    client.write(bytes);
    place.turns(5);
    place.wait = null;
    place.until(() => client.end === "end");
    place.turns(3);
    assertEquals([calls, place.takeErrors()], [1, ["Error: a bug"]]);
    calls = 0;
  }
  place.context.events.logDeny = logDeny;
});

test("no key outlives an access check that is ended", (place) => {
  const ciphers = keyedDuring(() => place.open()[1]());
  assertEquals(ciphers.every(isWiped), false);
  place.context.handshakes.clear();
  // Those of the client, which has sent HELLO, are in use still.
  assertEquals(ciphers.filter((cipher) => !isWiped(cipher)).length, 2);
  assertEquals(place.fields("deny", "reason"), [["handshake-timeout"]]);
});

test("a session that cannot be opened or accepted gives its place back", (place) => {
  place.service.name = "not\na name";
  const [refused] = place.greet();
  place.until(() => refused.end !== "open");
  assertEquals([refused.received.length, place.opened.length], [0, 0]);
  // The end of a session follows its start, and nothing else is said of it.
  assertEquals(place.events.map(({ event }) => event), ["allow", "close"]);
  assertEquals(place.fields("close", "reason"), [["error"]]);
  assertEquals([place.admissions.countByUid(579), place.takeErrors().length], [0, 1]);
  Object.assign(place.context, {
    nameOf: () => {
      throw new Error("a bug");
    },
  });
  const [client] = place.greet();
  place.until(() => client.end !== "open");
  assertEquals([place.admissions.countByUid(579), place.context.sessions.size], [0, 0]);
  assertEquals(place.takeErrors(), ["Error: a bug"]);
});

test("a session whose groups cannot be followed ends, with its place", (place) => {
  place.context.authorizer.followGroups = () => {
    throw new Error("a bug");
  };
  const [client] = place.greet();
  place.until(() => client.end !== "open");
  assertEquals([client.received.length, place.opened.length], [0, 0]);
  assertEquals(place.events.slice(0, 2).map(({ event }) => event), ["allow", "close"]);
  assertEquals([place.admissions.countByUid(579), place.context.sessions.size], [0, 0]);
  assertEquals(place.takeErrors(), ["Error: a bug"]);
});

test("a service that fails ends the connection, and no key outlives it", (place) => {
  const { onOpen } = place;
  place.onOpen = (opened) => {
    onOpen(opened);
    throw new Error("no service");
  };
  const ciphers = keyedDuring(() => {
    const [client] = place.greet();
    place.until(() => client.end !== "open");
  });
  assertEquals([place.opened.length, place.context.sessions.size], [1, 0]);
  assertEquals(place.fields("close", "reason"), [["error"]]);
  assertEquals([place.admissions.countByUid(579), place.takeErrors()], [0, ["Error: no service"]]);
  assertEquals(place.opened[0]!.connection.descriptor.isOpen, false);
  // Those of the client are in use still.
  assertEquals(ciphers.filter((cipher) => !isWiped(cipher)).length, 2);
});

test("nothing of an access check that has waited stays in the reactor", (place) => {
  const silent = place.connectTcp(place.port);
  place.until(() => place.context.handshakes.size === 1);
  const size = place.reactor.size - 1;
  const [client, hello] = place.open();
  client.write(hello());
  place.until(() => place.opened.length === 1);
  assertEquals([place.reactor.size, place.reactor.waiting], [size + 1, 1]);
  // The service watches the connection for itself.
  const { descriptor } = place.opened[0]!.connection;
  const watch = { onEvents: () => {}, onFault: () => {} };
  const registration = place.reactor.watch(descriptor, 0, watch);
  silent.close();
  place.until(() => place.fields("deny", "reason").length === 1);
  assertEquals([place.reactor.size, place.reactor.waiting], [size + 1, 0]);
  registration.close();
  assertEquals(place.reactor.size, size);
});

test("an access check that ends while it is decided is neither let in nor answered", (place) => {
  const { authorizer, handshakes } = place.context;
  const { authorizeKeyed } = authorizer;
  authorizer.authorizeKeyed = (...args) => {
    const decision = authorizeKeyed.apply(authorizer, args);
    handshakes.clear();
    return decision;
  };
  const [denied] = place.greet(KEY, "alice");
  place.assertRefused(denied, "reset");
  const [allowed] = place.greet();
  place.assertRefused(allowed, "reset");
  assertEquals([place.opened.length, place.context.sessions.size], [0, 0]);
  const refusal = "Error: a client was answered before it was known";
  assertEquals([place.admissions.countByUid(579), place.takeErrors()], [0, [refusal, refusal]]);
});

test("bytes that come while nothing can be decided are read afterwards", (place) => {
  place.wait = 20;
  const [client, hello] = place.open();
  place.turns(3);
  place.wait = null;
  const bytes = hello();
  place.wait = 20;
  client.write(bytes);
  place.turns(3);
  client.write(Uint8Array.of(1, 2, 3));
  place.turns(3);
  assertEquals([client.end, place.opened.length], ["open", 0]);
  place.wait = 1;
  place.turns(40);
  assertEquals([client.end, place.opened.length], ["open", 0]);
  place.wait = null;
  place.until(() => place.opened.length === 1);
  const read = new Uint8Array(10);
  assertEquals(receive(place.opened[0]!.connection.descriptor, read), 3);
});

test("a client that sends more while its key is looked up is not cut", (place) => {
  place.wait = 20;
  const [client] = place.open();
  place.turns(3);
  client.write(Uint8Array.of(0));
  place.turns(5);
  assertEquals([client.end, place.context.handshakes.size], ["open", 1]);
});

test("what does not fit into one read stays for the session, waiting or not", (place) => {
  for (const wait of [null, 20]) {
    const [client, hello] = place.open();
    const start = hello();
    place.wait = wait;
    client.write(joined(start, new Uint8Array(5_000).fill(8)));
    place.turns(5);
    place.wait = null;
    place.until(() => place.opened.length === 1);
    const { received, descriptor } = place.opened.pop()!.connection;
    assertEquals(received?.length, 4_096 - start.length);
    assertEquals(received?.every((byte) => byte === 8), true);
    assertEquals(receive(descriptor, new Uint8Array(9_000)), 5_000 - received!.length);
  }
});

test("a client that resets its connection has cut it, wherever", (place) => {
  for (const length of [0, 30, 66]) {
    const client = place.connectTcp(place.port);
    if (length > 0) client.write(new ClientHandshake(KEY, HELLO).start().subarray(0, length));
    place.turns(3);
    resetOnClose(client.descriptor);
    client.close();
    place.until(() => place.fields("deny", "reason").length === 1);
    const denials = place.fields("deny", "reason", "message");
    assertEquals(denials, [["bad-key", "truncated"]]);
    place.events.length = 0;
  }
});

test("a client that leaves while it waits is not looked at again", (place) => {
  place.wait = 20;
  const [client] = place.open();
  place.turns(3);
  resetOnClose(client.descriptor);
  client.close();
  place.until(() => place.fields("deny", "reason").length === 1);
  const { refreshes } = place;
  const until = performance.now() + 60;
  place.until(() => performance.now() > until);
  assertEquals(place.refreshes, refreshes);
});

for (const [when, isLate] of [["late", true], ["before it is accepted", false]] as const) {
  test(`a client whose first message comes ${when} has opened, and is not pushed out`, (place) => {
    const client = place.connectTcp(place.port);
    if (isLate) {
      place.turns(3);
      assertEquals(place.context.handshakes.size, 1);
    }
    client.write(new ClientHandshake(KEY, HELLO).start());
    place.until(() => client.received.length === 50);
    for (let count = 0; count < 20; count++) {
      place.connectTcp(place.port);
      place.turns(2);
    }
    assertEquals(client.end, "open");
  }, { rest: "limits: { max_pending_handshakes: 2 }\n" });
}

test("a client that has reset its connection before it was accepted is logged", (place) => {
  const { endpoint } = place;
  const { onConnection } = endpoint;
  const accepted: Descriptor[] = [];
  endpoint.onConnection = (connection) => {
    accepted.push(connection);
    onConnection.call(endpoint, connection);
  };
  const client = place.connectTcp(place.port);
  resetOnClose(client.descriptor);
  client.close();
  place.until(() => place.fields("deny", "reason").length === 1);
  assertEquals(place.fields("deny", "reason", "remote", "key", "message"), [
    ["bad-key", undefined, undefined, "truncated"],
  ]);
  // A flood of these takes no descriptor.
  assertEquals(accepted.map(({ isOpen }) => isOpen), [false]);
});

test("keys are made current one by one and all at once, and what is reported is logged", (place) => {
  assertEquals(place.endpoint.config, place.tcp);
  place.wait = 7;
  assertEquals([place.endpoint.refreshKey(ID), place.endpoint.refreshKeys()], [7, 7]);
  place.wait = 0;
  place.until(() => place.endpoint.refreshKey(ID) === 0);
  place.writeKey("bob.key", OTHER_KEY);
  assert(place.endpoint.refreshKey(ID) > 0);
  place.until(() => place.endpoint.refreshKey(ID) === 0);
  assertEquals(place.endpoint.grant(ID), null);
  assertEquals(place.endpoint.grant(keyId(OTHER_KEY))?.user, "bob");
  place.endpoint.onError(new Error("a bug"));
  const [event] = place.events.splice(0);
  assertEquals([event?.event, place.endpoint.beforeBatch()], ["error", 0]);
});

test("a key file that has changed counts at the next connection", (place) => {
  place.writeKey("bob.key", OTHER_KEY);
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(KEY, HELLO).start());
  place.assertRefused(client);
  assertEquals(place.answer(place.greet(OTHER_KEY)).kind, "accepted");
  assertEquals(place.fields("allow", "key", "user"), [[keyId(OTHER_KEY), "bob"]]);
  // One that cannot be used any more admits no one, and is reported.
  Deno.chmodSync(place.at("trusted.key"), 0o644);
  const next = place.connectTcp(place.port);
  next.write(new ClientHandshake(TRUSTED_KEY, HELLO).start());
  place.assertRefused(next);
  assertEquals(place.problems.map((text) => text.includes("trusted.key")), [true]);
});

test("a closed endpoint names the keys that others have", (place) => {
  place.endpoint.close();
  const grant = { user: "alice", notAfter: null, at: { line: 1, column: 1 } };
  place.endpoint.retire((id) => id === ID ? grant : null);
  assertEquals(place.endpoint.grant(ID), grant);
  assertEquals(place.endpoint.isAccepting, false);
  place.assertRefused(place.connectTcp(place.port), "reset");
  place.endpoint.retire(() => null);
  assertEquals(place.endpoint.grant(ID)?.user, "bob");
  place.endpoint.wipe();
  assertEquals(place.endpoint.grant(ID), null);
});

test("a key file that cannot be used stops the start, and later its key alone", (place) => {
  const listeners = TcpListener.openAll({ host: "127.0.0.1", port: 0 });
  Deno.chmodSync(place.at("trusted.key"), 0o644);
  const { wipe } = KeyRing.prototype;
  const wiped: KeyRing[] = [];
  KeyRing.prototype.wipe = function () {
    assert(this.key(ID) !== null);
    wipe.call(this);
    wiped.push(this);
  };
  try {
    assertThrows(
      () => new TcpEndpoint(place.context, listeners, place.tcp, place.service),
      Error,
      "trusted.key",
    );
  } finally {
    KeyRing.prototype.wipe = wipe;
  }
  // Nothing is left of it: no key, and no socket.
  assertEquals(wiped.map((ring) => ring.key(ID)), [null]);
  assertEquals(listeners.map(({ socket }) => socket.isOpen), [false]);
  place.until(() => place.endpoint.refreshKeys() === 0 && place.problems.length === 1);
  const client = place.connectTcp(place.port);
  client.write(new ClientHandshake(TRUSTED_KEY, HELLO).start());
  place.assertRefused(client);
  assertEquals(place.answer(place.greet()).kind, "accepted");
});

test("a bad file in a directory of keys is reported, and keeps no endpoint from its start", (place) => {
  Deno.mkdirSync(place.at("keys.d"), { mode: 0o700 });
  place.write("keys.d/bob.key", "half", 0o600);
  const { at } = place.tcp;
  const config = {
    ...place.tcp,
    keys: [],
    keyDirectories: [{ directory: place.at("keys.d"), at }],
    pinned: true,
  };
  const listeners = TcpListener.openAll({ host: "127.0.0.1", port: 0 });
  const endpoint = new TcpEndpoint(place.context, listeners, config, place.service);
  endpoint.close();
  endpoint.wipe();
  assertEquals(place.problems.map((text) => text.includes(place.at("keys.d/bob.key"))), [true]);
});

test("a suspended endpoint reports no problem with its keys", (place) => {
  place.endpoint.suspend();
  Deno.chmodSync(place.at("trusted.key"), 0o644);
  place.until(() => place.endpoint.refreshKeys() === 0);
  place.turns();
  assertEquals([place.endpoint.refreshKeys(), place.problems], [0, []]);
});

test("a key whose file cannot be read is not decided about, and no unknown one either", (place) => {
  const [client, hello] = place.open();
  const bytes = hello();
  const descriptor = Object.getOwnPropertyDescriptor(KeyRing.prototype, "hasUnreadable")!;
  const { isUnreadable } = KeyRing.prototype;
  Object.defineProperty(KeyRing.prototype, "hasUnreadable", {
    get: () => true,
    configurable: true,
  });
  KeyRing.prototype.isUnreadable = () => true;
  try {
    client.write(bytes);
    place.until(() => client.end === "end");
    for (const key of [KEY, OTHER_KEY]) {
      const next = place.connectTcp(place.port);
      next.write(new ClientHandshake(key, HELLO).start());
      place.assertRefused(next, "reset");
    }
  } finally {
    Object.defineProperty(KeyRing.prototype, "hasUnreadable", descriptor);
    KeyRing.prototype.isUnreadable = isUnreadable;
  }
  const denials = place.fields("deny", "reason", "user", "key");
  assertEquals(denials, [
    ["unreadable", "bob", ID],
    ["unreadable", null, ID],
    ["unreadable", null, keyId(OTHER_KEY)],
  ]);
});

test("an endpoint knows its own sessions, and takes no configuration of another kind", (place) => {
  place.greet();
  place.until(() => place.opened.length === 1);
  const { session } = place.opened[0]!;
  const { facts } = session;
  const like = (origin: unknown) => ({ facts: { ...facts, origin } }) as unknown as Session;
  assertEquals(place.endpoint.authenticated(session), true);
  assertEquals(place.endpoint.authenticated(like({ ...facts.origin, kind: "unix" })), false);
  assertEquals(place.endpoint.authenticated(like({ ...facts.origin, ring: null })), false);
  const { config } = place.endpoint;
  place.endpoint.reconfigure({ ...config, kind: "unix" } as never);
  assertEquals(place.endpoint.config, config);
  place.endpoint.reconfigure({ ...config, keys: [], pinned: true });
  place.until(() => place.endpoint.refreshKeys() === 0);
  assertEquals(place.endpoint.grant(ID), null);
  const narrow = { ...config, port: 2 };
  place.endpoint.setService(narrow, place.service);
  assertEquals(place.endpoint.config, narrow);
});
