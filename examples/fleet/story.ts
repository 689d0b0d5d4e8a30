/** The steps, in their order. */
import { join } from "@std/path";
import { print, printHeading } from "../authenticated-ipc/print.ts";
import { type Host, type OpenCommand, StepError, stepOnEach } from "./host.ts";
import { rotateKey } from "./rotation.ts";
import { monitor } from "./monitoring.ts";

/** The greatest age of an answer of the directory: `directory: { refresh: 10s }`. */
const REFRESH_S = 10;

const console = "ipcauth connect --server-user ipcauth";

/** Runs every step, and checks its outcome. */
export async function tell(hosts: readonly [Host, Host, Host], share: string): Promise<void> {
  const [host1, host2, host3] = hosts;

  printHeading("Two directory servers, each a copy of the other:");
  for (const host of [host1, host2]) await host.step("systemctl start slapd");
  await host1.step("getent passwd alice; getent group netops", {
    contains: ["alice:", "netops:*:5000:bob"],
  });

  printHeading("The same file on every host, and in it no name of a member of netops:");
  await host1.step("sed 1,2d /etc/ipcauth/config.yaml");
  await stepOnEach(hosts, "sha256sum /etc/ipcauth/config.yaml | cut -c 1-16");
  await stepOnEach(hosts, "systemctl reload ipcauth");

  printHeading("Keys of alice, bob and the monitoring, which a tool copies to every host:");
  await Deno.mkdir(join(share, "keys.d"), { mode: 0o700 });
  for (const name of ["alice", "bob", "monitoring"]) {
    await host1.step(`ipcauth gen-key /srv/fleet/keys.d/${name}.key | head -n 1`);
  }
  await stepOnEach(hosts, "take-keys && ipcauth keys | grep 4569", {
    contains: ["alice.key", "bob.key"],
  });

  printHeading("alice is not in netops, and no host lets her in:");
  await stepOnEach(hosts, `ipcauth run-as alice -- ${console} -c who`, {
    code: 77,
    contains: ["Failed to connect to server"],
  });

  printHeading("She joins at one server of the directory. The other has it, and every host:");
  await host1.step("netops add alice host2");
  await host1.step(
    "timeout 10 stdbuf -oL ldapsearch -LLLx -H ldap://host1/ -b dc=example,dc=net " +
      "-E sync=rp cn=netops memberUid 2>&1 | grep -m1 alice",
    { contains: ["memberUid: alice"] },
  );
  await stepOnEach(hosts, `ipcauth run-as alice -- ${console} -c who`, { contains: ["alice"] });

  printHeading("She stays: at a console of host2, and from host1 at a service of host3:");
  const atConsole = await host2.open(
    `ipcauth run-as alice -- ${console} --pipe`,
    '"method":"welcome"',
  );
  await host1.run("install -o alice -m 600 /srv/fleet/keys.d/alice.key /home/alice/");
  await host1.step(
    "systemd-run --quiet --unit=report-tunnel --uid=alice ipcauth connect --log-format json " +
      "--tcp=host3:4569 --key=/home/alice/alice.key --listen unix:/home/alice/report.sock && " +
      'awaited report-tunnel \'"event":"listen"\'',
  );
  const atService = await host1.open(
    "ipcauth run-as alice -- socat - UNIX:/home/alice/report.sock",
    "hello alice, this is host3",
  );

  await rotateKey(hosts, share);
  await monitor(hosts);

  printHeading("One directory server dies, and nothing changes:");
  await host1.step("systemctl kill --signal=KILL slapd; getent group netops", {
    contains: ["alice"],
  });
  for (const name of ["alice", "bob"]) {
    await stepOnEach(hosts, `ipcauth run-as ${name} -- ${console} -c 'show users' | head -n 1`, {
      contains: ["NAME"],
    });
  }

  printHeading(`alice leaves. What she has open ends within ${REFRESH_S} s:`);
  const start = performance.now();
  await host1.step("netops delete alice host2");
  await stepOnEach(hosts, `ipcauth run-as alice -- ${console} -c who`, {
    code: 77,
    contains: ["Failed to connect to server"],
  });
  await Promise.all([
    isEnded("at the console of host2", atConsole, start),
    isEnded("at the service of host3", atService, start),
  ]);
  for (const host of [host2, host3]) {
    await host.step('awaited ipcauth \'"event":"revoke"\'', { contains: ['"user":"alice"'] });
  }
  await host1.step(
    "ipcauth run-as alice -- ipcauth connect --tcp=host3:4569 --key=/home/alice/alice.key --pipe",
    { code: 77, contains: ["not-on-listener"] },
  );

  printHeading("The other server comes back, and knows it:");
  await host1.step("systemctl start slapd");
  const members = "ldapsearch -LLLx -H ldap://host1/ -b dc=example,dc=net cn=netops memberUid";
  await host1.step(`while ${members} | grep -q alice; do sleep 0.1; done; ${members}`, {
    contains: ["memberUid: bob"],
  });
}

/** Waits for the end of a session. @param start On the clock of `performance.now()`. */
async function isEnded(where: string, { ended }: OpenCommand, start: number): Promise<void> {
  const { output } = await within(2 * REFRESH_S, where, ended);
  const seconds = (performance.now() - start) / 1000;
  print(`${output}# her session ${where} has ended after ${seconds.toFixed(1)} s\n`);
  if (seconds > REFRESH_S) throw new StepError(`that is more than ${REFRESH_S} s`);
}

/** Waits, but not for ever. */
async function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StepError(`after ${seconds} s, ${what}, it goes on`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer!);
  }
}
