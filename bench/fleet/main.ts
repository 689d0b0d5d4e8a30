/**
 * Measures one host of a fleet with a directory of 100,000 users and 1,000 groups:
 *
 *   deno task bench-fleet [USERS]
 *
 * Needs what `deno task fleet` needs. `docs/fleet.md` has the figures.
 */
import { join } from "@std/path";
import { Fleet } from "../../examples/fleet/fleet.ts";
import type { Host } from "../../examples/fleet/host.ts";
import { needsOfMachine } from "../../examples/fleet/needs.ts";

const USERS = 100_000;
const GROUPS = 1_000;
const FIRST_UID = 100_000;
const FIRST_GID = 50_000;
const SESSIONS = 8_000;
/** How many of the users have the sessions. */
const CONNECTED = Number(Deno.args[0] ?? 400);
/** How long the processor time is counted, in seconds: the time of one `refresh`. */
const PERIOD_S = 30;

/** A directory in which every user is in one group. */
function directory(): string {
  const entries: string[] = [];
  for (let number = 0; number < USERS; number++) {
    entries.push(
      `dn: uid=u${number},ou=users,dc=example,dc=net\nobjectClass: account\n` +
        `objectClass: posixAccount\nuid: u${number}\ncn: u${number}\n` +
        `uidNumber: ${FIRST_UID + number}\ngidNumber: 100\nhomeDirectory: /\n`,
    );
  }
  for (let number = 0; number < GROUPS; number++) {
    const members: string[] = [];
    for (let user = number; user < USERS; user += GROUPS) members.push(`memberUid: u${user}\n`);
    entries.push(
      `dn: cn=g${number},ou=groups,dc=example,dc=net\nobjectClass: posixGroup\n` +
        `cn: g${number}\ngidNumber: ${FIRST_GID + number}\n${members.join("")}`,
    );
  }
  return entries.join("\n");
}

/** A configuration that names the first groups. */
function configuration(groups: number): string {
  const names = Array.from({ length: groups }, (_, number) => `g${number}`);
  const entries = names.map((name) => `  - { name: ${name}, local_ipc_access: true }\n`);
  return "listeners: [{ unix: /run/ipcauth/ipc.sock, service: console }]\n" +
    `groups:\n${entries.join("")}` +
    "limits: { max_connections: 12000, max_connections_per_user: 12000 }\n";
}

async function elapsed(part: () => Promise<unknown>): Promise<string> {
  const start = performance.now();
  await part();
  return ((performance.now() - start) / 1000).toFixed(2);
}

/** The processor time of services in a period, and the memory of ipcauth. */
async function load(host: Host, what: string): Promise<void> {
  const units = ["ipcauth", "nslcd", "slapd"];
  const times = async () =>
    (await host.run(`systemctl show --property=CPUUsageNSec --value ${units.join(" ")}`))
      .split("\n").filter((line) => line !== "").map(Number);
  const before = await times();
  await new Promise((resolve) => setTimeout(resolve, PERIOD_S * 1000));
  const after = await times();
  const used = units.map((unit, index) =>
    `${unit} ${((after[index]! - before[index]!) / 1e9 / PERIOD_S * 100).toFixed(1)} %`
  );
  const pid = "$(systemctl show --property=MainPID --value ipcauth)";
  const memory = await host.run(`sed -n 's/^RssAnon: *//p' /proc/${pid}/status`);
  console.log(`${what}: processor ${used.join(", ")}; memory of ipcauth ${memory.trim()}`);
}

const machine = needsOfMachine();
if ("error" in machine) {
  console.error(`error: ${machine.error}\nhint: ${machine.hint}`);
  Deno.exit(machine.code);
}
const fleet = await Fleet.open(machine.temporary);
Deno.addSignalListener("SIGINT", () => void fleet.close().finally(() => Deno.exit(130)));
try {
  await fleet.makeImage(machine);
  const [host] = await fleet.boot();
  await Deno.writeTextFile(join(fleet.share, "more.ldif"), directory());
  await Deno.copyFile(
    new URL("sessions.pl", import.meta.url),
    join(fleet.share, "sessions.pl"),
  );
  await host.run(
    "systemctl stop ipcauth.socket ipcauth nslcd && " +
      "rm -r /etc/systemd/system/ipcauth.socket.d && systemctl daemon-reload && " +
      "sed -i 's/^directory .*/&\\nmaxsize 2147483648/' /etc/ldap/slapd.conf && " +
      "slapadd -q -w -S 1 -f /etc/ldap/slapd.conf -l /srv/fleet/more.ldif && " +
      "chown -R openldap: /var/lib/ldap && systemctl start slapd nslcd",
  );
  console.log(`one look-up: ${await elapsed(() => host.run("id u77777"))} s (the whole id(1))`);
  for (const groups of [1, GROUPS]) {
    const file = join(fleet.share, "config.yaml");
    await Deno.writeTextFile(file, configuration(groups));
    await host.run("cp /srv/fleet/config.yaml /etc/ipcauth/config.yaml; systemctl stop ipcauth");
    await host.run("systemctl start ipcauth.socket");
    const start = await elapsed(() => host.run("systemctl start ipcauth"));
    console.log(`${groups} groups: started in ${start} s`);
    await load(host, `${groups} groups, no session`);
  }
  const client = (count: number) =>
    `ulimit -n 16384; perl /srv/fleet/sessions.pl /run/ipcauth/ipc.sock ${count} ${CONNECTED} ` +
    `${FIRST_UID} ${FIRST_GID} ${GROUPS}`;
  // Where a first byte is waited for, a look-up of its user is.
  const holder = await host.open(`${client(SESSIONS)} wait`, "opened ");
  await load(host, `${GROUPS} groups, ${SESSIONS} sessions of ${CONNECTED} users`);
  console.log(`more sessions of the same users: ${await host.run(client(500))}`);
  const left = await elapsed(async () => {
    await host.run(
      "ldapmodify -x -H ldap://host1/ -D cn=admin,dc=example,dc=net -w example <<END\n" +
        "dn: cn=g0,ou=groups,dc=example,dc=net\nchangetype: modify\ndelete: memberUid\n" +
        "memberUid: u0\nEND",
    );
    await holder.ended;
  });
  console.log(`u0 leaves its group: its session has ended after ${left} s`);
} finally {
  await fleet.close();
}
Deno.exit(0);
