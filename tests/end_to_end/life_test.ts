/** A server's life: listeners that come and go, signals, service managers, logs, and root given up. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { activation } from "../support/activation.ts";
import { Backend, echo } from "../support/backend.ts";
import { drain, freePort, writeKey } from "../support/keys.ts";
import { isRoot, Lines, Program, RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };
const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

async function hear(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return new TextDecoder().decode((await drain(connection)).bytes);
}

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

Deno.test("listeners come, go and change while others and their sessions go on", async (test) => {
  await using program = await Program.install();
  const [a, b, c] = ["a.sock", "b.sock", "c.sock"].map((name) => program.path(name)) as [
    string,
    string,
    string,
  ];
  using _backend = new Backend(program.path("backend.sock"), echo);
  const forward = `service: { forward: "unix:${program.path("backend.sock")}" }`;
  const says = (word: string) => `service: { exec: [/bin/echo, ${word}] }`;
  const write = (...listeners: string[]) =>
    program.write(
      "config.yaml",
      `listeners:\n${listeners.map((one) => `  - ${one}\n`).join("")}${USERS}`,
    );
  const config = await write(
    `{ unix: ${a}, ${forward} }`,
    `{ unix: ${b}, ${says("one")} }`,
  );
  await using server = await program.serve(["--config", config]);
  await server.events("listen", 2);
  using session = await Deno.connect({ transport: "unix", path: a });
  const ping = async () => {
    await session.write(new TextEncoder().encode("ping"));
    const answer = new Uint8Array(4);
    assertEquals(await session.read(answer), 4);
    return new TextDecoder().decode(answer);
  };
  assertEquals(await ping(), "ping");

  await test.step("a new one opens", async () => {
    await write(
      `{ unix: ${a}, ${forward} }`,
      `{ unix: ${b}, ${says("one")} }`,
      `{ unix: ${c}, ${says("new")} }`,
    );
    await server.event("listen", ({ listener }) => listener === `unix:${c}`);
    assertEquals(await hear(c), "new\n");
    assertEquals(await ping(), "ping");
  });
  await test.step("another service stands behind the same socket", async () => {
    const before = (await Deno.lstat(b)).ino;
    await write(
      `{ unix: ${a}, ${forward} }`,
      `{ unix: ${b}, ${says("two")} }`,
      `{ unix: ${c}, ${says("new")} }`,
    );
    // Nobody who connects after the change finds the old one.
    assertEquals(await hear(b), "two\n");
    assertEquals((await Deno.lstat(b)).ino, before);
    assertEquals(await ping(), "ping");
  });
  await test.step("one that is gone is closed, and its sessions go on", async () => {
    await write(`{ unix: ${b}, ${says("two")} }`);
    await server.event("stop", ({ listener }) => listener === `unix:${a}`);
    await server.event("stop", ({ listener }) => listener === `unix:${c}`);
    assertEquals([await exists(a), await exists(c), await exists(`${a}.lock`)], [
      false,
      false,
      false,
    ]);
    assertEquals(await ping(), "ping");
    assertEquals(await hear(b), "two\n");
  });
  await test.step("another mode is another socket", async () => {
    await write(`{ unix: ${b}, mode: "0600", ${says("two")} }`);
    await server.event("stop", ({ listener }) => listener === `unix:${b}`);
    while (!await exists(b));
    assertEquals((await Deno.lstat(b)).mode! & 0o777, 0o600);
    assertEquals(await hear(b), "two\n");
  });
  await test.step("one that cannot be opened is told once, and opened when it can be", async () => {
    const port = freePort();
    const key = await writeKey(program, "bob.key");
    const blocker = Deno.listen({ hostname: "127.0.0.1", port });
    await write(
      `{ unix: ${b}, mode: "0600", ${says("two")} }`,
      `{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], ${says("tcp")} }`,
    );
    const { message } = await server.event("error");
    assertStringIncludes(String(message), `already running on 127.0.0.1:${port}`);
    blocker.close();
    await server.event("listen", ({ listener }) => listener === `tcp:127.0.0.1:${port}`);
    const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    assertEquals((await program.run(["connect", ...where], { input: "" })).stdout, "tcp\n");
    assertEquals(server.log.filter(({ event }) => event === "error").length, 1);
  });
  await test.step("a bad file changes nothing, and is audited once", async () => {
    await write(`{ unix: ${b}, mode: 0600 }`, `{ unix: ${c} }`);
    await server.event("reload", ({ reason }) => reason === "bad-config");
    assertEquals(await hear(b), "two\n");
    assertEquals(await hear(b), "two\n");
    assertEquals(await ping(), "ping");
    const bad = server.log.filter(({ reason }) => reason === "bad-config");
    assertEquals(bad.length, 1);
    assertEquals(await exists(c), false);
  });
  assertEquals(await server.stop("SIGTERM"), 0);
});

Deno.test("whoever comes right after a listener was taken away is refused, and does not get its old service", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const stays = `{ unix: ${program.path("stays.sock")} }`;
  const goes = `{ unix: ${path}, service: { exec: [/bin/echo, old] } }`;
  const write = (...listeners: string[]) =>
    program.write("config.yaml", `listeners: [${listeners.join(", ")}]\n${USERS}`);
  await using server = await program.serve(["--config", await write(stays)]);
  for (let round = 1; round <= 8; round++) {
    await write(stays, goes);
    await server.events("listen", 1 + round);
    assertEquals(await hear(path), "old\n");
    await write(stays);
    // The server may have seen it by itself already; then there is no socket any more.
    const heard = await hear(path).catch(() => "nobody there");
    assertEquals(heard === "" || heard === "nobody there", true, heard);
    await server.events("stop", round);
  }
  await server.event("deny", ({ reason }) => reason === "not-on-listener");
  assertEquals(server.log.filter(({ event }) => event === "error"), []);
});

Deno.test("a console reloads, says since when the file is bad, and counts", async (test) => {
  await using program = await Program.install();
  const [a, b] = [program.path("a.sock"), program.path("b.sock")];
  const config = await program.write("config.yaml", `listeners: [{ unix: ${a} }]\n${USERS}`);
  await using server = await program.serve(["--config", config]);
  const say = (...commands: string[]) =>
    program.run(["connect", `--unix=${a}`, ...commands.flatMap((one) => ["-c", one])]);
  await test.step("reload", async () => {
    await program.write("config.yaml", `listeners: [{ unix: ${a} }, { unix: ${b} }]\n${USERS}`);
    assertEquals((await say("reload")).stdout, `path ${config}\n`);
    await server.event("listen", ({ listener }) => listener === `unix:${b}`);
  });
  await test.step("since when", async () => {
    const before = new Date().toISOString();
    await program.write(
      "config.yaml",
      "users: [{ name: bob, uid: 579 }, { name: eve, uid: 579 }]\n",
    );
    const { stdout, code } = await say("show config", "reload");
    const [, since] = stdout.match(/^problem\.since (\S+)$/m)!;
    assert(since! >= before && since! <= new Date().toISOString(), since);
    assertMatch(stdout, /^problem\.message .*:1:\d+: /m);
    assertEquals(code, 65);
    // The running configuration is the one that was good.
    assertStringIncludes((await say("show users")).stdout, "bob");
  });
  await test.step("metrics are the counts of the audit log", async () => {
    const { stdout } = await say("show metrics");
    const allowed = server.log.filter(({ event }) => event === "allow").length;
    assertStringIncludes(stdout, `ipcauth_allowed_total ${allowed}\n`);
    assertStringIncludes(stdout, "ipcauth_sessions 1\n");
    assert(stdout.endsWith("# EOF\n"));
  });
});

Deno.test("sockets that a service manager has opened are served", async (test) => {
  await using program = await Program.install();
  const activate = activation(program);
  await test.step("with what the configuration says of their addresses", async () => {
    const [path, port] = [program.path("passed.sock"), freePort()];
    const key = await writeKey(program, "bob.key");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${path}, service: { exec: [/bin/echo, passed] } }
  - { unix: ${program.path("own.sock")}, service: { exec: [/bin/echo, own] } }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], service: { exec: [/bin/echo, tcp] } }
${USERS}`,
    );
    const sockets = `unix:${path},tcp:127.0.0.1:${port}`;
    await using server = new RunningServer(activate(sockets, ["--config", config]).spawn());
    await server.events("listen", 3);
    assertEquals(await hear(path), "passed\n");
    assertEquals(await hear(program.path("own.sock")), "own\n");
    const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--pipe"];
    assertEquals((await program.run(["connect", ...where], { input: "" })).stdout, "tcp\n");
    assertEquals(await server.stop(), 0);
    // It is the manager's, who will start us again.
    assertEquals([await exists(path), await exists(program.path("own.sock"))], [true, false]);
  });
  await test.step("and no others, where nobody names an address", async () => {
    const path = program.path("only.sock");
    const config = await program.write("only.yaml", USERS);
    const serve = ["--config", config, "--exec", "--", "/bin/echo", "only"];
    await using server = new RunningServer(activate(`unix:${path}`, serve).spawn());
    await server.event("listen");
    assertEquals(await hear(path), "only\n");
    await server.stop();
    assertEquals(server.log.filter(({ event }) => event === "listen").length, 1);
  });
  await test.step("those of another process are none of ours", async () => {
    const own = program.path("mine.sock");
    const command = activate(`unix:${program.path("x.sock")}`, [`--unix=${own}`], { pid: "1" });
    await using server = new RunningServer(command.spawn());
    const { listener } = await server.event("listen");
    assertEquals(listener, `unix:${own}`);
  });
  await test.step("what cannot be served is refused", async () => {
    for (
      const [sockets, what] of [
        ["abstract:ipcauth-test-socket", "an abstract socket"],
        ["quiet:127.0.0.1:0", "it does not listen"],
      ] as const
    ) {
      const { code, stderr } = await activate(sockets).output();
      assertEquals(code, 78);
      assertStringIncludes(new TextDecoder().decode(stderr), what);
    }
  });
});

/** A service manager that prints what it is told. */
const MANAGER = `
import os, socket, sys
name = sys.argv[1]
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind("\\0" + name[1:] if name.startswith("@") else name)
print("ready", flush=True)
while True:
    print(ear.recv(4096).decode().replace("\\n", "|"), flush=True)
`;

for (const abstract of [false, true]) {
  Deno.test(`a service manager hears of a server's life, on ${abstract ? "an abstract" : "a"} socket`, async () => {
    await using program = await Program.install();
    const name = abstract ? `@ipcauth-${crypto.randomUUID()}` : program.path("notify.sock");
    const manager = program.command(["python3", "-c", MANAGER, name]).spawn();
    try {
      const lines = new Lines(manager.stdout);
      assertEquals(await lines.next(), "ready");
      const path = program.path("a.sock");
      const config = await program.write("config.yaml", USERS);
      await using server = await program.serve([`--unix=${path}`, "--config", config], {
        env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: "100000" },
      });
      const until = async (wanted: RegExp) => {
        for (;;) {
          const line = await lines.next();
          if (line === null) throw new Error("the manager has ended");
          if (wanted.test(line)) return line;
          assertMatch(line, /^(WATCHDOG=1|READY=1\|STATUS=.*)$/);
        }
      };
      assertEquals(await until(/^READY/), `READY=1|STATUS=Listening on unix:${path}`);
      await until(/^WATCHDOG=1$/);
      server.child.kill("SIGHUP");
      assertMatch(await until(/^RELOADING/), /^RELOADING=1\|MONOTONIC_USEC=[0-9]{5,}$/);
      await until(/^READY=1/);
      await program.write("config.yaml", "nonsense: 1\n");
      server.child.kill("SIGHUP");
      await until(/^RELOADING/);
      assertStringIncludes(await until(/^READY=1/), "the configuration on disk is bad");
      assertEquals(await server.stop(), 0);
      await until(/^STOPPING=1/);
    } finally {
      manager.kill("SIGKILL");
      await manager.status;
      await manager.stderr.cancel();
    }
  });
}

for (const allows of ["18446744073709551615", "soon"]) {
  Deno.test(`a watchdog that allows ${allows} microseconds is not told all the time`, async () => {
    await using program = await Program.install();
    const name = program.path("notify.sock");
    const manager = program.command(["python3", "-c", MANAGER, name]).spawn();
    try {
      const lines = new Lines(manager.stdout);
      assertEquals(await lines.next(), "ready");
      await using server = await program.serve([`--unix=${program.path("a.sock")}`], {
        env: { NOTIFY_SOCKET: name, WATCHDOG_USEC: allows },
      });
      assertMatch(await lines.next() ?? "", /^READY=1/);
      // A console that answers has let the server's timers run.
      const where = [`--unix=${program.path("a.sock")}`, "-c", "who"];
      assertEquals((await program.run(["connect", ...where])).code, 0);
      assertEquals(await server.stop(), 0);
      assertMatch(await lines.next() ?? "", /^STOPPING=1/);
      assertEquals(server.text, "");
    } finally {
      manager.kill("SIGKILL");
      await manager.status;
      await manager.stderr.cancel();
    }
  });
}

Deno.test("the log goes to a file, is opened again at SIGHUP, and survives a full disk", async (test) => {
  await using program = await Program.install();
  const [path, log] = [program.path("a.sock"), program.path("audit.log")];
  const write = (file: string) =>
    program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }]\nlog: { file: ${file} }\n`,
    );
  const config = await write(log);
  const child = program.command(["ipcauth", "serve", "--config", config]).spawn();
  await using server = new RunningServer(child);
  const text = async (file: string) => await Deno.readTextFile(file).catch(() => "");
  const until = async (fits: () => Promise<boolean>) => {
    while (!await fits()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await test.step("it is made for its owner and group", async () => {
    await until(async () => (await text(log)).includes('"event":"listen"'));
    assertEquals((await Deno.stat(log)).mode! & 0o777, 0o640);
    await hear(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("moved away, it is written to until it is opened again", async () => {
    await Deno.rename(log, `${log}.1`);
    await hear(path);
    await until(async () => (await text(`${log}.1`)).match(/"event":"close"/g)?.length === 2);
    server.child.kill("SIGHUP");
    await until(() => exists(log));
    await until(async () => (await text(log)).includes('"event":"reload"'));
    await hear(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("what does not fit on a disk goes to standard error", async () => {
    await write("/dev/full");
    await hear(path);
    await server.event("close");
    assertStringIncludes(server.text, "Cannot write to the log file /dev/full: no space left");
  });
  await test.step("one that cannot be opened leaves the old one in use", async () => {
    await write(log);
    await hear(path);
    await write(program.path("no", "such", "directory"));
    await until(async () => (await text(log)).includes("Cannot open the log file"));
  });
  await test.step("at the start it is refused", async () => {
    const { code, stderr } = await program.run(["serve", "--config", config]);
    assertEquals(code, 71);
    assertStringIncludes(stderr, "Cannot open the log file");
  });
  await server.stop();
});

Deno.test(
  "--drop-to: listens as root, and serves as somebody else for good (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const directory = `/run/ipcauth-test-${crypto.randomUUID().slice(0, 8)}`;
    const path = `${directory}/a.sock`;
    try {
      const config = await program.write(
        "config.yaml",
        `listeners: [{ unix: ${path}, service: { exec: [/bin/sh, -c, "id -u; id -G; cat /proc/$PPID/status"] } }]\n${USERS}`,
      );
      const nobody = (await program.execute(["id", "-u", "nobody"])).stdout.trim();
      await using server = await program.serve(["--config", config, "--drop-to", "nobody"]);
      await test.step("no thread is root any more, and none can be", async () => {
        const said = await hear(path);
        assertMatch(said, new RegExp(`^${nobody}\\n`));
        assertMatch(
          said,
          new RegExp(`^Uid:\\t${nobody}\\t${nobody}\\t${nobody}\\t${nobody}$`, "m"),
        );
        assertMatch(said, /^CapPrm:\t0{16}$/m);
        const threads = await program.execute([
          "sh",
          "-c",
          `cat /proc/${server.pid}/task/*/status`,
        ]);
        const uids = new Set(threads.stdout.match(/^Uid:.*$/gm));
        assertEquals([...uids], [`Uid:\t${[nobody, nobody, nobody, nobody].join("\t")}`]);
      });
      await test.step("a listed user is let in, and a change is seen", async () => {
        const as = (uid: number) => program.execute(["socat", "-u", `UNIX:${path}`, "-"], { uid });
        assertMatch((await as(579)).stdout, new RegExp(`^${nobody}\\n`));
        assertEquals((await as(578)).stdout, "");
        await program.run(["users", "deny", "bob", "--config", config]);
        assertEquals((await as(579)).stdout, "");
      });
      await test.step("a client finds root's socket, and it is taken away at the end", async () => {
        assertEquals(await server.stop(), 0);
        assertEquals([await exists(path), await exists(`${path}.lock`)], [false, false]);
      });
    } finally {
      await Deno.remove(directory, { recursive: true }).catch(() => {});
    }
  },
);

Deno.test(
  "--drop-to is refused where root would be needed again (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const path = program.path("a.sock");
    const refused = async (service: string, ...args: string[]) => {
      const config = await program.write(
        "c.yaml",
        `listeners: [{ unix: ${path}, service: ${service} }]\n`,
      );
      return await program.run(["serve", "--config", config, ...args]);
    };
    for (
      const [service, why] of [
        [`{ forward: "unix:/x", identity: impersonate }`, "identity: impersonate"],
        ["{ exec: [/bin/true], run_as: peer }", "run_as"],
      ] as const
    ) {
      await test.step(why, async () => {
        const { code, stderr } = await refused(service, "--drop-to", "nobody");
        assertEquals(code, 78);
        assertStringIncludes(stderr, `${why} of the listener in line 1 needs it`);
        assertStringIncludes(stderr, "hint: ");
      });
    }
    await test.step("root is nobody to drop to, and strangers are nobody", async () => {
      assertEquals((await refused("console", "--drop-to", "root")).code, 64);
      const { code, stderr } = await refused("console", "--drop-to", "no-such-user");
      assertEquals([code, stderr.includes("there is no user")], [64, true]);
    });
    await test.step("who cannot read the configuration would never see a change", async () => {
      const config = await program.write("secret.yaml", `listeners: [{ unix: ${path} }]\n`, 0o600);
      const { code, stderr } = await program.run([
        "serve",
        "--config",
        config,
        "--drop-to",
        "nobody",
      ]);
      assertEquals(code, 78);
      assertStringIncludes(stderr, `cannot read ${config}`);
      assertEquals(await exists(path), false);
    });
    await test.step("who cannot read a key would let nobody in once it is touched", async () => {
      const [key, port] = [await writeKey(program, "k.key"), freePort()];
      const config = await program.write(
        "keyed.yaml",
        `listeners:
  - { unix: ${path}, service: { exec: [/bin/true] } }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], service: { exec: [/bin/true] } }
${USERS}`,
      );
      for (
        const args of [
          ["--config", config],
          [
            `--tcp=127.0.0.1:${port}`,
            `--key=${key}`,
            "--config",
            await program.write("n.yaml", ""),
          ],
        ]
      ) {
        const serve = ["serve", ...args, "--drop-to", "nobody"];
        const { code, stderr } = await program.run(serve);
        assertEquals(code, 78);
        assertStringIncludes(stderr, `cannot read ${key}`);
        assertEquals(await exists(path), false);
        // Its hint is the way out.
        const command = stderr.match(/^hint: (.*)$/m)![1]!;
        assertEquals((await program.execute(["sh", "-c", command])).code, 0);
        await using server = await program.serve(serve.slice(1));
        const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`];
        await program.execute(["touch", key]);
        const outcome = await program.run(["connect", ...where, "--pipe"], { input: "" });
        assertEquals(outcome.code, 0, outcome.stderr);
        assertEquals(await server.stop(), 0);
        await Deno.chmod(key, 0o600);
        // In our directory nobody may take it away.
        await Deno.remove(path).catch(() => {});
      }
    });
    await test.step("only root can", async () => {
      const { code } = await program.run(["serve", "--unix=/tmp/x/y", "--drop-to", "nobody"], {
        uid: 579,
      });
      assertEquals(code, 77);
    });
  },
);
