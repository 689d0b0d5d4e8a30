/** Random trees of directories and links, and users who try to put another file at their end. */
import { lchownSync } from "node:fs";
import { assert } from "@std/assert";
import { pathFacts } from "../../lib/files/path_facts.ts";
import { checkConfigFile, checkKeyFile } from "../../lib/files/permissions.ts";
import { fileStatus } from "../../lib/libc/file_status.ts";
import { checkTrustedFile } from "../../lib/files/trusted_file.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { fc, forAny } from "./fuzz.ts";

/** Root, the user who relies on the path, and two others, each with a group of the same number. */
const RELIER = 578;
const IDS = [0, RELIER, 579, 580];

/** Owner and mode of a file or directory. */
interface Facts {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A uid that is mostly one of the two who may own what is relied on. */
const uid = fc.oneof(
  { arbitrary: fc.constantFrom(0, RELIER), weight: 6 },
  fc.constantFrom(...IDS),
);
const gid = fc.constantFrom(...IDS);
const directoryMode = fc.oneof(
  { arbitrary: fc.constantFrom(0o755, 0o711, 0o2755), weight: 4 },
  fc.constantFrom(0o775, 0o757, 0o777, 0o1777, 0o1775, 0o3777, 0o700, 0o750, 0o770, 0o707),
);
const fileMode = fc.constantFrom(0o600, 0o640, 0o644, 0o664, 0o646, 0o660);

/** A directory or the file, as it is or behind a link: to a name beside it, or a whole path. */
const partOf = (mode: fc.Arbitrary<number>) =>
  fc.record({
    facts: fc.record({ uid, gid, mode }),
    link: fc.constantFrom("none", "none", "beside", "whole", "above"),
    linkUid: uid,
  });
const tree = fc.record({
  parts: fc.tuple(
    fc.array(partOf(directoryMode), { minLength: 1, maxLength: 3 }),
    partOf(fileMode),
  ).map(([directories, file]) => [...directories, file]),
  relier: fc.constantFrom(0, RELIER),
});
type Tree = typeof tree extends fc.Arbitrary<infer T> ? T : never;

/** A part of the path: a name in a directory, and what stands behind it up to the file. */
interface Place {
  readonly directory: string;
  readonly name: string;
  readonly rest: readonly string[];
}

const EVIL = "of another user";

/** A tree that stands on the disk. */
class StandingTree implements Disposable {
  readonly #base = new TemporaryDirectory();
  /** Where others may try something, the file first. */
  readonly places: Place[] = [];
  readonly path: string;

  constructor({ parts }: Tree) {
    Deno.chmodSync(this.#base.path, 0o755);
    const names = parts.map((_, index) => `part${index}`);
    this.path = [this.#base.path, ...names].join("/");
    let directory = this.#base.path;
    const made: string[] = [];
    for (const [index, { link, linkUid }] of parts.entries()) {
      const name = names[index]!;
      const rest = names.slice(index + 1);
      const real = link === "none" ? name : `real${index}`;
      this.places.unshift({ directory, name: real, rest });
      const path = `${directory}/${real}`;
      if (rest.length === 0) Deno.writeTextFileSync(path, "");
      else Deno.mkdirSync(path);
      if (link !== "none") {
        this.places.unshift({ directory, name, rest });
        Deno.symlinkSync(targetOf(link, directory, real), `${directory}/${name}`);
        lchownSync(`${directory}/${name}`, linkUid, linkUid);
      }
      directory = path;
      made.push(path);
    }
    made.forEach((path, index) => set(path, parts[index]!.facts));
  }

  /** Whether what the path leads to is there, and no one else's. */
  get isWhole(): boolean {
    try {
      return Deno.readTextFileSync(this.path) !== EVIL;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    this.#base[Symbol.dispose]();
  }
}

function targetOf(link: string, directory: string, real: string): string {
  if (link === "whole") return `${directory}/${real}`;
  return link === "above" ? `../${directory.split("/").at(-1)}/./${real}` : real;
}

function set(path: string, { uid, gid, mode }: Facts): void {
  Deno.chownSync(path, uid, gid);
  Deno.chmodSync(path, mode);
}

/** Does all that another user might, to have the path lead to another file. */
function replace({ places }: StandingTree): void {
  for (const { directory, name, rest } of places) {
    const path = `${directory}/${name}`;
    for (const one of [path, directory]) attempt(() => Deno.chmodSync(one, 0o777));
    attempt(() => Deno.renameSync(path, `${path}.before`));
    attempt(() => {
      const all = [path, ...rest];
      for (let count = 1; count < all.length; count++) {
        Deno.mkdirSync(all.slice(0, count).join("/"));
      }
      Deno.writeTextFileSync(all.join("/"), EVIL, { createNew: true });
    });
  }
}

/** Does all that another user might, to have the file hold something else. */
function write({ path }: StandingTree): void {
  attempt(() => Deno.chmodSync(path, 0o666));
  attempt(() => Deno.writeTextFileSync(path, EVIL, { create: false }));
}

/** @returns Whether it was permitted. */
function attempt(call: () => unknown): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}

/** Every other user, as a member of all groups and of none. */
function othersOf(relier: number) {
  return IDS.filter((uid) => uid !== 0 && uid !== relier).flatMap((uid) => [
    { uid, gid: uid, groups: IDS },
    { uid, gid: 65_534, groups: [] },
  ]);
}

Deno.test({
  name:
    "fuzz: no other user puts a file where a path is relied on, and none reads a key (needs root)",
  ignore: !isRoot,
  fn() {
    const thread = new ThreadImpersonation();
    const seen = { trusted: 0, replaced: 0 };
    forAny(tree, (input) => {
      using standing = new StandingTree(input);
      const { path } = standing;
      const options = { ownUid: input.relier };
      const problemOf = (check: typeof checkConfigFile) =>
        checkTrustedFile(path, fileStatus(path), { ...options, check });
      const isTrusted = problemOf(checkConfigFile) === null;
      if (problemOf(checkKeyFile) === null) {
        assert(isTrusted, "a key is trusted where a configuration is not");
        for (const other of othersOf(input.relier).filter(({ groups }) => groups.length === 0)) {
          const isRead = thread.run(other, () => attempt(() => Deno.readFileSync(path)));
          assert(!isRead, `uid ${other.uid} reads the key`);
        }
      }
      const { owners, shared } = pathFacts(path, input.relier)!;
      for (const other of othersOf(input.relier)) {
        thread.run(other, () => replace(standing));
        if (!standing.isWhole) {
          assert(shared !== null || owners.has(other.uid), `uid ${other.uid} is not named`);
        } else thread.run(other, () => write(standing));
        if (!standing.isWhole) {
          assert(!isTrusted, `uid ${other.uid} replaces the file`);
          seen.replaced++;
          return;
        }
      }
      if (isTrusted) seen.trusted++;
    }, 0.4);
    // Both happened often enough to say something.
    assert(Math.min(seen.trusted, seen.replaced) > 50, JSON.stringify(seen));
  },
});
