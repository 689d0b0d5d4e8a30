/** The way of a connection on a Unix socket, in this process, with the kernel's credentials. */
import { assert, assertEquals } from "@std/assert";
import { pipe } from "../../lib/libc/pipe.ts";
import { UnixListener } from "../../lib/net/unix_listener.ts";
import { UnixEndpoint } from "../../lib/session/unix_endpoint.ts";
import { type EndpointClient, EndpointPlace } from "../support/endpoints.ts";
import { isRoot } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
groups:
  - { name: netops, gid: 2000, local_ipc_access: true }
`;

class UnixPlace extends EndpointPlace {
  readonly endpoint: UnixEndpoint;

  constructor(rest = "", users = USERS) {
    super((place) => `listeners:\n  - { unix: ${place.at("s")}, mode: "0666" }\n${users}${rest}`);
    const listener = UnixListener.open(this.unix, Deno.uid()!);
    this.endpoint = new UnixEndpoint(this.context, listener, this.unix, this.service);
  }

  get name(): string {
    return `unix:${this.at("s")}`;
  }

  override [Symbol.dispose](): void {
    this.endpoint.close();
    super[Symbol.dispose]();
  }

  assertDenied(client: EndpointClient, ...expected: unknown[]): void {
    this.assertRefused(client);
    assertEquals(this.fields("deny", "reason", "user", "message").at(-1), expected);
    assertEquals([this.opened.length, this.admissions.countByUid(579)], [0, 0]);
  }
}

function test(name: string, run: (place: UnixPlace) => void, rest?: string, users?: string): void {
  Deno.test({
    name: `${name} (needs root)`,
    ignore: !isRoot,
    fn: () => {
      using place = new UnixPlace(rest, users);
      run(place);
      assertEquals([place.errors, place.fields("error", "message")], [[], []]);
    },
  });
}

test("a user with access gets a session with the kernel's credentials", (place) => {
  const client = place.connectUnix(579, 579, [5]);
  place.until(() => place.opened.length === 1);
  const { session, connection } = place.opened[0]!;
  const { facts } = session;
  assertEquals(facts.origin, {
    kind: "unix",
    credentials: { pid: Deno.pid, uid: 579, gid: 579 },
    groups: [5],
  });
  assertEquals([facts.user, facts.identity.uid, facts.identity.trusted], ["bob", 579, false]);
  assertEquals([facts.listener, facts.service, facts.config], [place.name, "recorder", place.unix]);
  assertEquals([connection.kind, connection.seal, connection.received], ["unix", null, null]);
  assertEquals(place.fields("allow", "reason", "user", "session"), [["user", "bob", session.id]]);
  assertEquals([place.admissions.countByUid(579), client.received.length], [1, 0]);
  // The program that the peer runs is looked up for the log.
  assertEquals(session.executable.exe, Deno.execPath());
  session.terminate("closed");
  assertEquals(place.admissions.countByUid(579), 0);
  assertEquals(place.fields("close", "reason"), [["closed"]]);
});

test("a peer who is denied reads end-of-file and not one byte", (place) => {
  place.assertDenied(place.connectUnix(578), "user-denied", "alice", undefined);
  place.assertDenied(place.connectUnix(700), "unknown-uid", null, undefined);
  const [[peer]] = place.fields("deny", "peer") as [[Record<string, unknown>]];
  assertEquals(peer, {
    pid: Deno.pid,
    uid: 578,
    gid: 578,
    exe: Deno.execPath(),
    ...programOf(peer),
  });
  assertEquals(place.fields("deny", "listener"), [[place.name], [place.name]]);
});

function programOf({ program }: Record<string, unknown>): { program?: unknown } {
  return program === undefined ? {} : { program };
}

test("a peer without credentials is denied, and nothing is guessed of it", (place) => {
  // No socket, so that SO_PEERCRED fails.
  const { reader, writer } = pipe();
  place.endpoint.onConnection(reader);
  assertEquals([reader.isOpen, place.opened.length, place.admissions.countByUid(0)], [false, 0, 0]);
  const denial = place.fields("deny", "reason", "peer", "user", "listener");
  assertEquals(denial, [["no-credentials", null, null, place.name]]);
  writer.close();
});

test("what a denied peer has sent is not read before end-of-file", (place) => {
  const client = place.connectUnix(578);
  client.write(new Uint8Array(1000));
  place.assertDenied(client, "user-denied", "alice", undefined);
});

test("a peer is denied while the configuration cannot be read, root as well", (place) => {
  Object.defineProperty(place.liveConfig, "isUnreadable", { value: true });
  place.assertDenied(place.connectUnix(), "unreadable", null, undefined);
  place.assertDenied(place.connectUnix(579), "unreadable", "bob", undefined);
});

test("a suspended endpoint denies everyone, until it has a service again", (place) => {
  assert(place.endpoint.isAccepting);
  place.endpoint.suspend();
  assert(!place.endpoint.isAccepting);
  place.assertDenied(place.connectUnix(), "not-on-listener", null, undefined);
  place.assertDenied(place.connectUnix(579), "not-on-listener", "bob", undefined);
  place.endpoint.setService({ ...place.unix, mode: 0o600 }, place.service);
  assertEquals([place.endpoint.isAccepting, place.endpoint.config.mode], [true, 0o600]);
  place.connectUnix(579);
  place.until(() => place.opened.length === 1);
});

test("the configuration is refreshed before each batch, and after what a change denies", (place) => {
  place.connectUnix(579);
  place.until(() => place.opened.length === 1);
  assert(place.refreshes > 0);
  place.edit("579, local_ipc_access: true", "579, local_ipc_access: false");
  const client = place.connectUnix(579);
  place.assertRefused(client);
  assertEquals(place.fields("deny", "reason", "user"), [["user-denied", "bob"]]);
  const { revocationOf } = place.context.authorizer;
  const [{ session }] = place.opened as [typeof place.opened[0]];
  assertEquals(revocationOf.call(place.context.authorizer, session), "user-denied");
});

test("a batch waits for a file that is being written", (place) => {
  place.wait = 30;
  const client = place.connectUnix(579);
  place.turns(3);
  assertEquals([place.opened.length, client.end], [0, "open"]);
  place.wait = null;
  place.until(() => place.opened.length === 1);
});

test("an error on the way to a decision denies the connection", (place) => {
  const errors = place.errors.length;
  place.context.authorizer.authorizeUnix = () => {
    throw new Error("a bug");
  };
  const client = place.connectUnix(579);
  place.assertRefused(client);
  assertEquals(place.events.splice(0).map(({ event }) => event), ["error"]);
  assertEquals(place.errors.length, errors);
});

test("a session whose service fails ends, and gives its place back", (place) => {
  place.onOpen = ({ connection }) => {
    connection.descriptor.close();
    throw new Error("no service");
  };
  const client = place.connectUnix(579);
  place.assertRefused(client);
  assertEquals(place.events.splice(0).map(({ event }) => event), ["allow", "close", "error"]);
  assertEquals([place.admissions.countByUid(579), place.context.sessions.size], [0, 0]);
});

test("a service that fails leaves no client waiting", (place) => {
  place.onOpen = () => {
    throw new Error("no service");
  };
  place.assertRefused(place.connectUnix(579));
  assertEquals(place.events.splice(0).map(({ event }) => event), ["allow", "close", "error"]);
  assertEquals([place.admissions.countByUid(579), place.context.sessions.size], [0, 0]);
});

test("a session is followed by what its account leaves from its start on", (place) => {
  const account = { name: "carol", uid: 700, gid: 700, home: "/", shell: "/bin/sh" };
  const answer = { kind: "account", uid: 700, account, problem: null } as const;
  place.knownNames.update([{ ...answer, groups: [2000] } as never]);
  place.connectUnix(700, 700, [2000]);
  place.until(() => place.opened.length === 1);
  const { session } = place.opened[0]!;
  assertEquals(place.context.authorizer.revocationOf(session), null);
  place.knownNames.update([{ ...answer, groups: [] } as never]);
  assertEquals(place.context.authorizer.revocationOf(session), "unknown-uid");
});

test("each of a user's connections counts, up to the limit", (place) => {
  const clients = [0, 1, 2].map(() => place.connectUnix(579));
  place.until(() => clients.some(({ end }) => end === "end"));
  assertEquals(place.opened.length, 2);
  assertEquals(place.fields("deny", "reason", "user"), [["over-limit", "bob"]]);
  place.opened[0]!.session.terminate("closed");
  place.connectUnix(579);
  place.until(() => place.opened.length === 3);
}, "limits: { max_connections_per_user: 2 }\n");

test("trusted peers have a reserve: 8 places on a console, above the limit", (place) => {
  place.connectUnix(579);
  place.until(() => place.opened.length === 1);
  place.assertRefused(place.connectUnix(2222, 2000));
  assertEquals(place.fields("deny", "reason"), [["over-limit"]]);
  for (let count = 2; count <= 9; count++) {
    place.connectUnix();
    place.until(() => place.opened.length === count);
  }
  place.assertRefused(place.connectUnix());
  assertEquals(place.fields("deny", "reason"), [["over-limit"], ["over-limit"]]);
}, "limits: { max_connections: 1 }\n");

test("the reserve of another service has 4 places", (place) => {
  place.endpoint.reconfigure({
    ...place.unix,
    service: { kind: "exec", argv: ["/bin/true"] } as never,
  });
  place.connectUnix(579);
  for (let count = 1; count <= 5; count++) {
    place.until(() => place.opened.length === count);
    place.connectUnix();
  }
  place.until(() => place.fields("deny", "reason").length === 1);
  assertEquals(place.opened.length, 5);
}, "limits: { max_connections: 1 }\n");

const NAMED = `groups: [{ name: netops, local_ipc_access: true }]\n`;

test(
  "a peer whose group's gid is not known yet waits for the answer",
  (place) => {
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    const client = place.connectUnix(700, 2000);
    place.turns(20);
    assertEquals([place.opened.length, client.end], [0, "open"]);
    place.knownNames.update([{ kind: "group", name: "netops", gid: 2000, problem: null }]);
    place.context.authorizer.onNamesChanged();
    place.until(() => place.opened.length === 1);
    assertEquals(place.opened[0]!.session.facts.identity.uid, 700);
  },
  "",
  NAMED,
);

test(
  "a peer whose group's gid stays unknown is denied, with the reason",
  (place) => {
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    place.knownNames.update([{ kind: "group", name: "netops", gid: null, problem: "down" }]);
    const detail = "the gid of the group netops is not known";
    place.assertDenied(place.connectUnix(700, 2000), "unknown-uid", null, detail);
  },
  "",
  NAMED,
);

test(
  "no more peers wait for an answer than may be connected",
  (place) => {
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    const clients = [0, 1, 2].map(() => place.connectUnix(700, 2000));
    place.until(() => clients.some(({ end }) => end === "end"));
    place.turns(20);
    assertEquals(clients.map(({ end }) => end), ["open", "open", "end"]);
    place.knownNames.update([{ kind: "group", name: "netops", gid: 3000, problem: null }]);
    place.context.authorizer.onNamesChanged();
    place.until(() => clients.every(({ end }) => end === "end"));
    // All have waited and gone, so others may wait again.
    place.knownNames.use([]);
    place.knownNames.use([{ kind: "group", name: "other" }]);
    place.knownNames.update([{ kind: "group", name: "netops", gid: null, problem: "down" }]);
    place.context.authorizer.onNamesChanged();
    const next = place.connectUnix(700, 2000);
    place.turns(20);
    assertEquals(next.end, "open");
  },
  "limits: { max_connections: 2 }\n",
  NAMED,
);

test("a group's member waits for its name without a place, and is decided again", (place) => {
  place.unnamedUid = ({ uid }) => place.knownNames.isNamed(uid) ? null : uid;
  const client = place.connectUnix(700, 2000);
  place.until(() => place.requests.length === 1);
  assertEquals(place.requests, [{ kind: "account", uid: 700 }]);
  assertEquals([place.opened.length, place.admissions.countByUid(700)], [0, 0]);
  const before = place.refreshes;
  place.knownNames.update([{
    kind: "account",
    uid: 700,
    account: null,
    groups: [],
    problem: null,
  }]);
  place.until(() => place.opened.length === 1);
  assertEquals(place.refreshes, before + 1);
  assertEquals([place.admissions.countByUid(700), client.end], [1, "open"]);
  place.turns(5);
  assertEquals(place.opened.length, 1);
});

test("a group's member waits for its name once, known or not", (place) => {
  place.unnamedUid = ({ uid }) => uid;
  place.connectUnix(700, 2000);
  place.until(() => place.requests.length === 1);
  const answer = { kind: "account", uid: 700, account: null, groups: [], problem: null } as const;
  place.knownNames.update([answer]);
  place.until(() => place.opened.length === 1);
  assertEquals([place.requests.length, place.admissions.countByUid(700)], [1, 1]);
});

test(
  "a question for a name that fails denies the connection, and leaves no one waiting",
  (place) => {
    const { ask } = place.knownNames;
    place.unnamedUid = ({ uid }) => place.knownNames.isNamed(uid) ? null : uid;
    place.knownNames.ask = () => {
      throw new Error("a bug");
    };
    place.assertRefused(place.connectUnix(700, 2000));
    assertEquals(place.events.splice(0).map(({ event }) => event), ["error"]);
    // The only place for one that waits is free.
    place.knownNames.ask = ask;
    place.connectUnix(700, 2000);
    place.until(() => place.requests.length === 1);
    place.turns(5);
    assertEquals(place.opened.length, 0);
  },
  "limits: { max_connections: 1 }\n",
);

test("a group's member that is denied meanwhile gets no session", (place) => {
  place.unnamedUid = ({ uid }) => place.knownNames.isNamed(uid) ? null : uid;
  const client = place.connectUnix(700, 2000);
  place.until(() => place.requests.length === 1);
  place.edit("2000", "2001");
  place.knownNames.update([{
    kind: "account",
    uid: 700,
    account: null,
    groups: [],
    problem: null,
  }]);
  place.assertRefused(client);
  assertEquals(place.fields("deny", "reason"), [["unknown-uid"]]);
});

test(
  "an error after a wait denies the connection",
  (place) => {
    const fail = () => {
      throw new Error("a bug");
    };
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    const client = place.connectUnix(700, 2000);
    place.turns(3);
    place.onRefresh = fail;
    place.until(() => place.events.length > 0);
    assertEquals(place.events.splice(0).map(({ event }) => event), ["error"]);
    assertEquals(place.opened.length, 0);
    client.close();
  },
  "",
  NAMED,
);

for (const isDecided of [false, true]) {
  const where = isDecided ? "at the decision" : "before the decision";
  test(
    `an error after a wait gives its place among the waiting back, ${where}`,
    (place) => {
      Object.assign(place.context, { planes: 2 });
      const { authorizer } = place.context;
      const { authorizeUnix } = authorizer;
      const fail = () => {
        throw new Error("a bug");
      };
      place.knownNames.use([{ kind: "group", name: "netops" }]);
      for (let round = 0; round < 2; round++) {
        const client = place.connectUnix(700, 2000);
        place.turns(3);
        assertEquals([client.end, place.events], ["open", []]);
        if (isDecided) authorizer.authorizeUnix = fail;
        else place.onRefresh = fail;
        place.assertRefused(client);
        assertEquals(place.events.splice(0).map(({ event }) => event), ["error"]);
        authorizer.authorizeUnix = authorizeUnix;
        place.onRefresh = () => {};
      }
      // One place: the half of 2 that this plane has.
      const clients = [0, 1].map(() => place.connectUnix(700, 2000));
      place.until(() => clients.some(({ end }) => end === "end"));
      place.turns(5);
      assertEquals(clients.map(({ end }) => end), ["open", "end"]);
    },
    "limits: { max_connections: 2 }\n",
    NAMED,
  );
}

test(
  "a peer that has waited for a gid waits for its name as well",
  (place) => {
    place.unnamedUid = ({ uid }) => place.knownNames.isNamed(uid) ? null : uid;
    place.knownNames.use([{ kind: "group", name: "netops" }]);
    place.connectUnix(700, 2000);
    place.turns(3);
    place.knownNames.update([{ kind: "group", name: "netops", gid: 2000, problem: null }]);
    place.context.authorizer.onNamesChanged();
    place.until(() => place.requests.some(({ kind }) => kind === "account"));
    place.turns(5);
    assertEquals(place.opened.length, 0);
  },
  "",
  NAMED,
);

test("an error after a wait for a name denies the connection", (place) => {
  place.unnamedUid = ({ uid }) => place.knownNames.isNamed(uid) ? null : uid;
  const client = place.connectUnix(700, 2000);
  place.until(() => place.requests.length === 1);
  place.onRefresh = () => {
    throw new Error("a bug");
  };
  place.knownNames.update([{
    kind: "account",
    uid: 700,
    account: null,
    groups: [],
    problem: null,
  }]);
  place.assertRefused(client);
  assertEquals(place.events.splice(0).map(({ event }) => event), ["error"]);
  assertEquals([place.opened.length, place.admissions.countByUid(700)], [0, 0]);
});

test("the name of a group's member is waited for 1 s at most, and once", (place) => {
  place.unnamedUid = ({ uid }) => uid;
  const start = performance.now();
  place.connectUnix(700, 2000);
  place.until(() => place.opened.length === 1);
  assert(performance.now() - start >= 990);
  // The name service hangs: the next connection of the user does not wait.
  place.connectUnix(700, 2000);
  place.until(() => place.opened.length === 2);
  assertEquals(place.requests.length, 1);
});

test("no more peers wait for a name than may be connected", (place) => {
  place.unnamedUid = ({ uid }) => uid;
  place.connectUnix(700, 2000);
  place.until(() => place.requests.length === 1);
  place.connectUnix(701, 2000);
  place.until(() => place.opened.length === 1);
  assertEquals(place.opened[0]!.session.facts.identity.uid, 701);
}, "limits: { max_connections: 1 }\n");

test("a connection that no descriptor is left for is closed and logged", (place) => {
  place.endpoint.suspend();
  const client = place.connectUnix(579);
  const onConnection = place.endpoint.onConnection;
  place.endpoint.onConnection = (connection) => place.endpoint.onResourceExhausted(connection);
  place.assertDenied(client, "over-limit", "bob", undefined);
  place.endpoint.onConnection = onConnection;
});

test("a closed endpoint has no socket any more", (place) => {
  assertEquals([place.endpoint.isRemoved, place.endpoint.madeDirectory], [false, null]);
  const size = place.reactor.size;
  place.endpoint.close();
  assertEquals([place.reactor.size, place.names().includes("s")], [size - 1, false]);
  assertEquals([place.endpoint.isAccepting, place.knownNames.isAwaited], [false, false]);
  assertEquals(place.knownNames.isNamed(0), false);
});

test("an endpoint takes no configuration of another kind", (place) => {
  const { config } = place.endpoint;
  place.endpoint.reconfigure({ ...config, kind: "tcp" } as never);
  assertEquals(place.endpoint.config, config);
});

test("a peer whose denial lacks no answer is denied at once, whatever others wait for", (place) => {
  place.knownNames.use([{ kind: "group", name: "other" }]);
  assert(place.knownNames.isAwaited);
  place.assertDenied(place.connectUnix(578), "user-denied", "alice", undefined);
});
