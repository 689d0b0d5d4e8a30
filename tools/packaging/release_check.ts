/**
 * Whether a tag may be released. The first job of the release workflow runs it; anyone can run it
 * before a tag is pushed.
 *
 *     deno task release-check TAG
 *
 * It prints the section of `CHANGELOG.md`, which becomes the text of the release.
 */
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import program from "../../lib/cli/version.json" with { type: "json" };
import { runProgram } from "../build/run_program.ts";
import { ROOT } from "../build/root.ts";

/** What must be true of a tag. */
export interface ReleaseFacts {
  readonly tag: string;
  /** The version in `deno.json`. */
  readonly version: string;
  /** The version that the program prints. */
  readonly programVersion: string;
  /** Whether the tag's commit is the tree's, and on the main branch. */
  readonly isCheckedOut: boolean;
  readonly isOnMain: boolean;
  readonly changelog: string;
  /** The documents that say which releases there are, by their names. */
  readonly documents: Readonly<Record<string, string>>;
}

/** As in Semantic Versioning; the only kind of pre-release is a candidate. */
const VERSION = /^\d+\.\d+\.\d+(?:-rc\.\d+)?$/;

/** Sentences that are true only until the first release. */
const UNRELEASED = /no release has been published|none has been published/i;

/** Each reason why the tag may not be released. */
export function whyNotReleased(facts: ReleaseFacts): string[] {
  const { tag, version, changelog, documents } = facts;
  const reasons: string[] = [];
  if (!VERSION.test(version)) reasons.push(`deno.json: ${version} is neither X.Y.Z nor X.Y.Z-rc.N`);
  if (tag !== `v${version}`) reasons.push(`the tag is ${tag}, and deno.json says ${version}`);
  if (facts.programVersion !== version) {
    reasons.push(`lib/cli/version.json says ${facts.programVersion}, and deno.json ${version}`);
  }
  if (!facts.isCheckedOut) reasons.push(`the tree is not that of the tag ${tag}`);
  if (!facts.isOnMain) reasons.push(`the commit of ${tag} is not on origin/main`);
  if (changelogSection(changelog, version) === null) {
    reasons.push(`CHANGELOG.md has no section "## ${version} - YYYY-MM-DD" with text`);
  }
  for (const [name, text] of Object.entries(documents)) {
    const found = UNRELEASED.exec(text.replaceAll(/\s+/g, " "));
    if (found !== null) reasons.push(`${name} says: "${found[0]}"`);
  }
  return reasons;
}

/**
 * The text of a version in `CHANGELOG.md`, without its heading. A candidate may use the section of
 * the version that it is a candidate of.
 *
 * @returns Null where there is no section, or it is empty.
 */
export function changelogSection(changelog: string, version: string): string | null {
  const headings = [version, version.replace(/-rc\.\d+$/, "")];
  for (const heading of headings) {
    const start = new RegExp(`^## ${RegExp.escape(heading)} - \\d{4}-\\d\\d-\\d\\d$`, "m").exec(
      changelog,
    );
    if (start === null) continue;
    const rest = changelog.slice(start.index + start[0].length);
    const end = /^## /m.exec(rest);
    const text = rest.slice(0, end?.index).trim();
    if (text !== "") return `${text}\n`;
  }
  return null;
}

/** Reads the facts of a tree. */
async function readFacts(root: string, tag: string): Promise<ReleaseFacts> {
  const git = (...args: string[]) =>
    runProgram("git", args, root).then((text) => text.trim(), () => null);
  const commit = await git("rev-parse", "--verify", "--quiet", `refs/tags/${tag}^{commit}`);
  const head = await git("rev-parse", "HEAD");
  const main = await git("rev-parse", "--verify", "--quiet", "refs/remotes/origin/main");
  const isOnMain = commit !== null && main !== null &&
    await git("merge-base", "--is-ancestor", commit, main) !== null;
  const read = (name: string) => Deno.readTextFile(join(root, name));
  return {
    tag,
    version: manifest.version,
    programVersion: program.version,
    isCheckedOut: commit !== null && commit === head,
    isOnMain,
    changelog: await read("CHANGELOG.md"),
    documents: { "README.md": await read("README.md"), "SECURITY.md": await read("SECURITY.md") },
  };
}

if (import.meta.main) {
  const [tag] = Deno.args;
  if (tag === undefined || Deno.args.length > 1) {
    console.error("release-check: error: it needs a tag\nhint: deno task release-check v0.1.0");
    Deno.exit(64);
  }
  const facts = await readFacts(ROOT, tag);
  const reasons = whyNotReleased(facts);
  for (const reason of reasons) console.error(`release-check: error: ${reason}`);
  if (reasons.length > 0) Deno.exit(1);
  console.log(changelogSection(facts.changelog, facts.version)!.trimEnd());
}
