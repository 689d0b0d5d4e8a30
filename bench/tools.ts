/** The programs that the benchmark starts, and where they come from. */

/** A side cannot be measured on this machine. The message says what is missing. */
export class MissingTool extends Error {}

/** The Debian package of each program. */
export const PACKAGES: Readonly<Record<string, string>> = {
  "cc": "gcc",
  "gosu": "gosu",
  "haproxy": "haproxy",
  "node": "nodejs",
  "openssl": "openssl",
  "/usr/bin/python3": "python3-minimal",
  "s6-ipcserver": "s6",
  "setpriv": "util-linux",
  "socat": "socat",
  "spiped": "spiped",
};

/** @throws {MissingTool} Where a program is not on PATH. */
export async function requireTool(tool: string): Promise<void> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", 'command -v "$0"', tool],
    stdout: "null",
  }).output();
  if (!success) {
    throw new MissingTool(`${tool} is not installed (Debian package ${PACKAGES[tool]})`);
  }
}
