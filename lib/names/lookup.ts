/**
 * Asking the name service, in a way that tells "there is none" from "it cannot be known now". Each
 * call blocks the thread, with a directory on the network for as long as its module waits.
 *
 * @module
 */
import { Errno, SystemError } from "../libc/errno.ts";
import { linkStatus } from "../libc/file_status.ts";
import { accountByName, accountByUid, gidByName, supplementaryGroups } from "../libc/ids.ts";
import { NameError, resolveHost, type SocketAddress } from "../libc/inet_address.ts";
import { type AccountResult, type LookupRequest, type LookupResult, unknown } from "./results.ts";

/** A user that every source knows, or says at once that it does not. */
const PROBE_USER = "root";

/**
 * Asks the name service.
 *
 * @returns Its answer; with a `problem` when one of its sources has failed.
 */
export function lookUp(request: LookupRequest): LookupResult {
  try {
    return ask(request);
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof NameError)) throw error;
    return unknown(request, error.message);
  }
}

function ask(request: LookupRequest): LookupResult {
  const absent = absentErrors();
  switch (request.kind) {
    case "group": {
      const gid = gidByName(request.name, absent);
      if (gid === null) requireSources();
      return { ...request, gid, problem: null };
    }
    case "account": {
      const account = accountByUid(request.uid, absent);
      if (account === null) {
        requireSources();
        return { ...request, account, groups: [], problem: null };
      }
      return { ...request, account, ...knownGroups(account.name) };
    }
    case "user": {
      const account = accountByName(request.name, absent);
      if (account === null) requireSources();
      return { ...request, account, problem: null };
    }
    case "host":
      return { ...request, addresses: addressesOf(request.name), problem: null };
  }
}

function knownGroups(user: string): Pick<AccountResult, "groups" | "problem"> {
  try {
    return { groups: groupsOf(user), problem: null };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { groups: [], problem: error.message };
  }
}

/** @throws {NameError} When the name service has failed. */
function addressesOf(host: string): readonly SocketAddress[] {
  try {
    return resolveHost(host, 0);
  } catch (error) {
    if (error instanceof NameError && !error.isTemporary) return [];
    throw error;
  }
}

/**
 * The error numbers that mean "there is none". The C library answers 0 when a source says so; an
 * error number is that of a source that has failed (glibc, nss/getXXbyYY_r.c). Without
 * nsswitch.conf local files are the only source, and a file that is missing has no entries.
 */
function absentErrors(): readonly number[] {
  return linkStatus("/etc/nsswitch.conf") === null ? [0, Errno.ENOENT] : [0];
}

/**
 * Requires that no source of groups has failed.
 *
 * `getgrnam_r(3)` reports the answer of the last source alone: with `group: ldap files`, "there is
 * none" can mean that the directory did not answer. `getgrouplist(3)` asks every source and leaves
 * the error number of one that has failed.
 *
 * @throws {SystemError} When one has failed.
 */
function requireSources(): void {
  groupsOf(PROBE_USER);
}

/** @throws {SystemError} When a source has failed. */
function groupsOf(user: string): readonly number[] {
  // The first call loads the modules, which leaves error numbers of its own.
  let found = supplementaryGroups(user);
  if (found.errno !== 0) found = supplementaryGroups(user);
  const absent = absentErrors();
  if (absent.includes(found.errno)) return found.groups;
  // nss-systemd(8) says so of a user that it does not know, and hides an earlier source's error.
  if (found.errno !== Errno.ESRCH) throw new SystemError("getgrouplist", found.errno);
  if (user !== PROBE_USER) requireSources();
  return found.groups;
}
