/**
 * Questions to the name service and its answers, as plain data: they pass between threads.
 *
 * @module
 */
import type { Account } from "../libc/ids.ts";
import type { SocketAddress } from "../libc/inet_address.ts";

/** A question to the name service. */
export type LookupRequest =
  | { readonly kind: "group"; readonly name: string }
  | { readonly kind: "account"; readonly uid: number }
  | { readonly kind: "user"; readonly name: string }
  | { readonly kind: "host"; readonly name: string };

/** The gid of a group name. */
export interface GroupResult {
  readonly kind: "group";
  readonly name: string;
  /** Null when there is no such group, and when that is not known. */
  readonly gid: number | null;
  /** Why it is not known; null when the name service has answered. */
  readonly problem: string | null;
}

/** The account of a uid. */
export interface AccountResult {
  readonly kind: "account";
  readonly uid: number;
  /**
   * Null when there is no such account, and when that is not known. With a `problem` only its name
   * counts: the groups are not known.
   */
  readonly account: Account | null;
  /** The supplementary groups of the account. */
  readonly groups: readonly number[];
  /** Why it is not known; null when the name service has answered. */
  readonly problem: string | null;
}

/** The account of a user name. */
export interface UserResult {
  readonly kind: "user";
  readonly name: string;
  readonly account: Account | null;
  /** Why it is not known; null when the name service has answered. */
  readonly problem: string | null;
}

/** The addresses of a host name. */
export interface HostResult {
  readonly kind: "host";
  readonly name: string;
  /**
   * With port 0, in the order to try them in. None when there is no such host, and when that is not
   * known.
   */
  readonly addresses: readonly SocketAddress[];
  /** Why it is not known; null when the name service has answered. */
  readonly problem: string | null;
}

/** The answer to a {@linkcode LookupRequest}. */
export type LookupResult = GroupResult | AccountResult | UserResult | HostResult;

/** Something that the name service does not have, or does not say. */
export interface MissingName {
  readonly request: LookupRequest;
  /** What is missing, and what follows from it, without a full stop. */
  readonly sentence: string;
  /** What can be done about it, or null. */
  readonly hint: string | null;
}

/** A text that stands for a question: two questions with one text have one answer. */
export function requestKey(request: LookupRequest): string {
  return request.kind === "account" ? `account ${request.uid}` : `${request.kind} ${request.name}`;
}

/** The answer to a question that the name service has not answered. */
export function unknown(request: LookupRequest, problem: string): LookupResult {
  switch (request.kind) {
    case "group":
      return { ...request, gid: null, problem };
    case "account":
      return { ...request, account: null, groups: [], problem };
    case "user":
      return { ...request, account: null, problem };
    case "host":
      return { ...request, addresses: [], problem };
  }
}
