/**
 * A private mount namespace for commands whose result depends on the accounts and the default paths
 * of the machine. In the namespace the uids and gids of the tests have no account, and there is
 * neither a configuration in `/etc/ipcauth` nor a socket in `/run/ipcauth`. Nothing outside of it
 * changes.
 */

/** Whether this process may make such a namespace: root may, but not in every container. */
export const hasPrivateSystem = Deno.uid() === 0 &&
  new Deno.Command("unshare", { args: ["--mount", "true"], stdout: "null", stderr: "null" })
    .outputSync().success;

/** An account that exists in the namespace alone: a primary group and two supplementary ones. */
export const MEMBER = { name: "ipcauth-member", uid: 800, gids: [800, 801, 802] } as const;

const MEMBER_USER = `${MEMBER.name}:x:${MEMBER.uid}:${MEMBER.gids[0]}::/nonexistent:/bin/sh\n`;
const MEMBER_GROUPS = MEMBER.gids.map((gid, index) =>
  `${MEMBER.name}-${gid}:x:${gid}:${index === 0 ? "" : MEMBER.name}\n`
).join("");

/** Only files are asked: another source, an LDAP directory for example, may know any uid. */
const SOURCES = "passwd: files\ngroup: files\ninitgroups: files\nhosts: files dns\n";

/** The names that tests give to users and groups of a configuration. */
const NAMES = ["alice", "bob", "carol", "dora", "netops", "interns", MEMBER.name];

/** Whether tests use an id as one that has no account. */
function isFree(id: number): boolean {
  return (id >= 577 && id <= 899) || [1234, 2000, 2001, 3000].includes(id);
}

/** Leaves out the lines of a file like `/etc/passwd` that would give a name to a free id. */
function withoutFree(text: string): string {
  const lines = text.split("\n").filter((line) => {
    const [name, , id] = line.split(":");
    return line !== "" && !NAMES.includes(name!) && !isFree(Number(id));
  });
  return lines.join("\n") + "\n";
}

/** The paths that are hidden, where they exist: a configuration, a socket, a cache of names. */
const HIDDEN = ["/etc/ipcauth", "/run/ipcauth", "/run/nscd"];

/** Mounts, then becomes the command. `$1` is the directory of {@link preparePrivateSystem}. */
const ENTER = `
for name in passwd group nsswitch.conf hosts; do
  [ ! -e "/etc/$name" ] || [ ! -e "$1/$name" ] || mount --bind "$1/$name" "/etc/$name" || exit 125
done
for path in ${HIDDEN.join(" ")}; do
  [ ! -e "$path" ] || mount -t tmpfs -o mode=755 tmpfs "$path" || exit 125
done
shift
exec "$@"
`;

/**
 * Writes the account files of the namespace.
 *
 * @param directory An existing directory that every user may read.
 * @returns The beginning of a command line; the command that follows runs in a new namespace, in
 * the same process.
 */
export async function preparePrivateSystem(directory: string): Promise<readonly string[]> {
  const files = {
    "passwd": withoutFree(await Deno.readTextFile("/etc/passwd")) + MEMBER_USER,
    "group": withoutFree(await Deno.readTextFile("/etc/group")) + MEMBER_GROUPS,
    "nsswitch.conf": SOURCES,
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/${name}`, text);
    await Deno.chmod(`${directory}/${name}`, 0o644);
  }
  const unshare = ["unshare", "--mount", "--propagation", "private", "--"];
  return [...unshare, "sh", "-c", ENTER, "sh", directory];
}
