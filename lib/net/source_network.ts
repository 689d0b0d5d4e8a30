/**
 * The network that the connections of one client are counted by.
 *
 * @module
 */

/** How many of the 8 groups of an IPv6 address one host is usually given: a /64 (RFC 4291). */
const GROUPS_OF_A_HOST = 4;

/**
 * The source of a connection: an IPv4 address, or the /64 of an IPv6 address, because one host may
 * use every address of its /64.
 *
 * @param host An address as `inet_ntop(3)` writes it.
 * @example
 * ```ts
 * sourceNetwork("192.0.2.7"); // "192.0.2.7"
 * sourceNetwork("2001:db8::1:2"); // "2001:db8:0:0"
 * ```
 */
export function sourceNetwork(host: string): string {
  if (!host.includes(":")) return host;
  const [before, after] = host.split("::").map(groupsOf);
  const groups = before ?? [];
  // "::" stands for as many zeros as are missing.
  while (after !== undefined && groups.length + after.length < 8) groups.push("0");
  return [...groups, ...after ?? []].slice(0, GROUPS_OF_A_HOST).join(":");
}

/** The first word of an IPv4 source: that of `ffff:ffff::`, which is no host (RFC 4291). */
const IPV4 = -1;

/**
 * A source in two words of 32 bits.
 *
 * @param source Of {@linkcode sourceNetwork}.
 */
export function sourceWords(source: string): readonly [number, number] {
  if (source.includes(":")) {
    const [first, second, third, fourth] = source.split(":").map((one) => Number.parseInt(one, 16));
    return [first! << 16 | second!, third! << 16 | fourth!];
  }
  return [IPV4, source.split(".").reduce((word, byte) => word << 8 | Number(byte), 0)];
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}
