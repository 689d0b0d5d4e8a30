/** A new key for bob on every host, while his clients go on. */
import { join } from "@std/path";
import { print, printHeading } from "../authenticated-ipc/print.ts";
import { type Host, StepError, stepOnEach } from "./host.ts";

/** Rotates the key, and counts what the clients are answered meanwhile. */
export async function rotateKey(hosts: readonly Host[], share: string): Promise<void> {
  printHeading("bob uses a service of another host from each host, all the time:");
  const clients = [];
  for (const [index, host] of hosts.entries()) {
    const next = hosts[(index + 1) % hosts.length]!;
    await host.run("install -o bob -m 600 /srv/fleet/keys.d/bob.key /home/bob/");
    await host.open(
      `ipcauth run-as bob -- ipcauth connect --tcp=${next.name}:4569 --key=/home/bob/bob.key ` +
        "--listen unix:/home/bob/service.sock",
      "listening on",
    );
    clients.push(
      await host.open(
        "ipcauth run-as bob -- use-service /home/bob/service.sock",
        `hello bob, this is ${next.name}`,
      ),
    );
  }

  printHeading("A new key of his comes to every host, beside the old one:");
  const [host1] = hosts as [Host];
  const made = await host1.step("ipcauth gen-key /srv/fleet/keys.d/bob+2.key | head -n 1");
  await stepOnEach(hosts, "take-keys && ipcauth keys | grep bob", { contains: ["bob+2"] });

  printHeading("His clients take it, and every host has seen it:");
  await stepOnEach(
    hosts,
    "install -o bob -m 600 /srv/fleet/keys.d/bob+2.key /home/bob/.new && " +
      "mv /home/bob/.new /home/bob/bob.key",
  );
  const [id] = /[0-9a-f]{16}/.exec(made)!;
  await stepOnEach(hosts, `awaited ipcauth ${id} | grep -o '"event":"allow"'`);

  printHeading("The old one gets an end, and then goes:");
  await host1.run("install -o bob -m 600 /srv/fleet/keys.d/bob.key /home/bob/old.key");
  await host1.step("date -u +%FT%TZ | tee /srv/fleet/keys.d/bob.not-after");
  await stepOnEach(hosts, "take-keys");
  await host1.step(
    "ipcauth run-as bob -- ipcauth connect --tcp=host2:4569 --key=/home/bob/old.key --pipe",
    { code: 77, contains: ["Failed to connect to server"] },
  );
  await host1.step("rm /srv/fleet/keys.d/bob.key /srv/fleet/keys.d/bob.not-after");
  await stepOnEach(hosts, "take-keys");
  await host1.step(
    "ipcauth run-as bob -- ipcauth connect --tcp=host2:4569 --key=/home/bob/old.key --pipe",
    { code: 77, contains: ["Failed to connect to server"] },
  );

  printHeading("What his clients were answered in that time:");
  await Deno.writeTextFile(join(share, "stop"), "");
  for (const [index, client] of clients.entries()) {
    const { output } = await client.ended;
    print(`${hosts[index]!.name}: ${output}`);
    const [, answered, refused] = /(\d+) answered, (\d+) refused/.exec(output) ?? [];
    if (Number(answered) < 2 || refused !== "0") throw new StepError("a client was refused");
  }
}
