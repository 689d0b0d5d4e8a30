/** What is seen of all hosts together: the metrics, the status, and a session across hosts. */
import { printHeading } from "../authenticated-ipc/print.ts";
import type { Host } from "./host.ts";

/** Reads the metrics of all hosts through tunnels, and follows a session over two logs. */
export async function monitor(hosts: readonly [Host, Host, Host]): Promise<void> {
  const [host1, , host3] = hosts;
  printHeading("alice's session on host3 began at a tunnel on host1. Both logs have its trace:");
  const line = await host1.step('awaited report-tunnel \'"event":"allow"\'', {
    contains: ['"host":"host1"'],
  });
  const [, trace] = /"trace":"([0-9a-f]{16})"/.exec(line) ?? [];
  await host3.step(`awaited ipcauth ${trace}`, {
    contains: ['"host":"host3"', '"user":"alice"', '"event":"allow"'],
  });
  printHeading("One Prometheus reads the metrics of all hosts, each through a tunnel:");
  await host1.step(
    "install -o prometheus -m 600 /srv/fleet/keys.d/monitoring.key /etc/prometheus/ && " +
      "systemctl start metrics-of@1 metrics-of@2 metrics-of@3 prometheus",
  );
  // A scrape is no event that another process hears of: it is asked for until there is one.
  await host1.step(
    "until [ \"$(promtool query instant http://127.0.0.1:9090 'up == 1' 2>&1 | grep -c host)\"" +
      " = 3 ]; do sleep 0.2; done; " +
      "promtool query instant http://127.0.0.1:9090 'ipcauth_sessions'",
    { contains: ["host1", "host2", "host3"] },
  );
  printHeading("And each host says how it is:");
  for (const host of hosts) {
    await host.step("ipcauth status --json --server-user ipcauth", { contains: ["{"] });
  }
}
