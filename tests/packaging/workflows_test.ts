/**
 * The rules of this project for its workflows. That they are valid is checked by actionlint, in the
 * first job of `ci.yml`.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { parse } from "@std/yaml";

const DIRECTORY = fromFileUrl(new URL("../../.github/workflows/", import.meta.url));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly needs?: string | readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly environment?: string;
  readonly "timeout-minutes"?: number;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly permissions?: unknown;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const texts = new Map(
  [...Deno.readDirSync(DIRECTORY)].map(({ name }) => [
    name,
    Deno.readTextFileSync(join(DIRECTORY, name)),
  ]),
);
const workflows = new Map(
  [...texts].map(([name, text]) => [name, parse(text) as Workflow]),
);

Deno.test("every action is pinned to a commit, with its version beside it", () => {
  const versions = new Map<string, string>();
  for (const [name, text] of texts) {
    const lines = text.split("\n").filter((line) => line.includes("uses:"));
    assert(lines.length > 0, name);
    for (const line of lines) {
      const found = /uses: (actions\/[a-z-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/.exec(line);
      assert(found !== null, `${name}: ${line}`);
      const [, action, commit, version] = found!;
      const other = versions.get(action!);
      assertEquals(other ?? `${commit} ${version}`, `${commit} ${version}`);
      versions.set(action!, `${commit} ${version}`);
    }
  }
});

Deno.test("no job may write, but the one that publishes", () => {
  for (const [name, { permissions, jobs }] of workflows) {
    assertEquals(permissions, { contents: "read" }, name);
    for (const [job, { permissions }] of Object.entries(jobs)) {
      if (`${name} ${job}` !== "release.yml publish") assertEquals(permissions, undefined, job);
    }
  }
});

Deno.test("no checkout leaves its token behind, and every job has a limit of time", () => {
  for (const { jobs } of workflows.values()) {
    for (const [name, job] of Object.entries(jobs)) {
      assert(job["timeout-minutes"]! <= 60, name);
      for (const step of job.steps) {
        if (!step.uses?.startsWith("actions/checkout@")) continue;
        assertEquals(step.with?.["persist-credentials"], false, name);
      }
    }
  }
});

Deno.test("the job that publishes only downloads, compares, attests and uploads", () => {
  const { concurrency, jobs } = workflows.get("release.yml")!;
  assertEquals(concurrency, { group: "release", "cancel-in-progress": false });
  const publish = jobs["publish"]!;
  assertEquals(publish.environment, "release");
  assertEquals(publish.permissions, {
    "contents": "write",
    "id-token": "write",
    "attestations": "write",
  });
  const steps = publish.steps.map(({ uses, run }) => uses?.split("@")[0] ?? run!.trim());
  assertEquals(steps.slice(0, 4), [
    "actions/download-artifact",
    "actions/download-artifact",
    "sha256sum --check --strict SHA256SUMS",
    "actions/attest-build-provenance",
  ]);
  assertMatch(steps[4]!, /gh release create .* --verify-tag/);
  assertMatch(steps[4]!, /\*-\*\) kind=\(--prerelease\)/);
  assertEquals(/npx|npm|deno|node |curl|git /.test(steps[4]!), false);
  assertEquals(steps.length, 5);
});

Deno.test("what is published was tested as it is, on both machines", () => {
  const { jobs } = workflows.get("release.yml")!;
  const needs = (name: string): string[] => {
    const direct = [jobs[name]!.needs ?? []].flat();
    return [...direct, ...direct.flatMap(needs)];
  };
  assertEquals([...new Set(needs("publish"))].sort(), ["build", "check", "ci", "test"]);
  const runs = (name: string) => jobs[name]!.steps.map(({ run }) => run ?? "").join("\n");
  assertMatch(runs("check"), /release-check "\$GITHUB_REF_NAME"/);
  assertMatch(runs("ci"), /bash \.ci\/run$/m);
  assertMatch(runs("test"), /\.ci\/try-release dist\n/);
  assertMatch(runs("test"), /\.ci\/run compiled unpacked\n?$/);
  // The runtime that builds is the one whose hash stands in the repository.
  assertMatch(runs("build"), /\.ci\/deno task release /);
  assertEquals(/npx/.test(runs("build") + runs("check")), false);
  // Each change is built and tried in the same way.
  const ci = workflows.get("ci.yml")!.jobs["release"]!.steps.map(({ run }) => run ?? "").join("\n");
  assertMatch(ci, /\.ci\/deno task release\n/);
  assertMatch(ci, /\.ci\/try-release dist$/);
});
