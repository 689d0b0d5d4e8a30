import { assertEquals } from "@std/assert";
import { renderMetrics } from "../../../lib/service/metrics/open_metrics.ts";

Deno.test("renderMetrics() renders OpenMetrics: types, units, totals, reasons, and the end", () => {
  const text = renderMetrics({
    uptime: 12,
    sessions: 2,
    allowed: 5,
    denied: 3,
    revoked: 1,
    closed: 3,
    bytes_in: 100,
    bytes_out: 200,
    denied_user_denied: 2,
    denied_bad_key: 1,
  });
  assertEquals(
    text,
    `# TYPE ipcauth_uptime_seconds gauge
# UNIT ipcauth_uptime_seconds seconds
# HELP ipcauth_uptime_seconds seconds since the server was started
ipcauth_uptime_seconds 12
# TYPE ipcauth_sessions gauge
# HELP ipcauth_sessions open sessions
ipcauth_sessions 2
# TYPE ipcauth_allowed counter
# HELP ipcauth_allowed connections that were let in
ipcauth_allowed_total 5
# TYPE ipcauth_revoked counter
# HELP ipcauth_revoked sessions that were ended because they would be refused now
ipcauth_revoked_total 1
# TYPE ipcauth_closed counter
# HELP ipcauth_closed sessions that have ended
ipcauth_closed_total 3
# TYPE ipcauth_bytes_in counter
# HELP ipcauth_bytes_in bytes from peers, of sessions that have ended
ipcauth_bytes_in_total 100
# TYPE ipcauth_bytes_out counter
# HELP ipcauth_bytes_out bytes to peers, of sessions that have ended
ipcauth_bytes_out_total 200
# TYPE ipcauth_denied counter
# HELP ipcauth_denied connections that were refused, by reason
ipcauth_denied_total{reason="user-denied"} 2
ipcauth_denied_total{reason="bad-key"} 1
# EOF
`,
  );
});

Deno.test("renderMetrics() lets no name of the server add a line or a label", () => {
  const text = renderMetrics({ 'denied_x"} 1\nevil 2': 1, sessions: Infinity });
  assertEquals(text.includes('ipcauth_denied_total{reason="x-evil"} 1\n'), false);
  assertEquals(text.split("\n").filter((line) => line.includes("evil")), [
    'ipcauth_denied_total{reason="xevil"} 1',
  ]);
  assertEquals(text.includes("Infinity"), false);
});
