/** The documents and examples that a package holds, in the same directories as in the source. */
import { dirname, join } from "@std/path";
import { runProgram } from "../build/run_program.ts";
import { ROOT } from "../build/root.ts";

/** Files, and directories that are copied whole. */
const DOCUMENTS = [
  ...["LICENSE", "THIRD-PARTY-NOTICES"],
  ...["README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"],
  ...["docs", "examples/clients", "examples/postgresql", "examples/run-one-command"],
  "examples/systemd",
  // Its programs run from a clone alone.
  ...["README.md", "config.yaml"].map((name) => `examples/authenticated-ipc/${name}`),
  "examples/fleet",
];

/**
 * Copies the documents.
 *
 * @param directory An existing directory.
 */
export async function copyDocuments(directory: string): Promise<void> {
  for (const name of DOCUMENTS) {
    const target = join(directory, name);
    await Deno.mkdir(dirname(target), { recursive: true });
    await runProgram("cp", ["-R", join(ROOT, name), target], ROOT);
  }
}
