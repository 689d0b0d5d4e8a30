/**
 * The thread that reads long configurations, for all planes of a server.
 *
 * @module
 */
import { bugText, Failure } from "../errors.ts";
import type { ConfigFile } from "./load.ts";
import type { ReadOutcome, ReadRequest, ReadResult } from "./reading_messages.ts";
import { parseConfig } from "./schema.ts";
import { type SentConfig, toSent } from "./sent_config.ts";
import { sharedAccess } from "./shared_users.ts";
import { userChanges } from "./user_changes.ts";

/** The part of a Worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

/** Answers the requests on each port that it is given, until the process ends. */
export function runReadingWorker(): void {
  const scope = self as unknown as WorkerScope;
  const reader = new TextReader();
  scope.onmessage = ({ ports }) => {
    for (const port of ports) {
      port.onmessage = ({ data }: MessageEvent<ReadRequest>) => {
        const answer = (outcome: ReadOutcome) =>
          port.postMessage({ id: data.id, ...outcome } satisfies ReadResult);
        try {
          answer(reader.read(data));
        } catch (error) {
          // Nothing is thrown: the runtime would print a stack trace.
          answer({ kind: "failed", message: bugText(error) });
        }
      };
    }
  };
  // A message to a Worker whose modules are still loading is lost.
  scope.postMessage("ready");
}

/** Reads a text once for all planes. */
class TextReader {
  #last: { readonly file: ConfigFile; readonly config: SentConfig } | null = null;

  read({ file, reserved, before }: ReadRequest): ReadOutcome {
    try {
      const { config } = this.#last = this.#known(file) ??
        { file, config: toSent(parseConfig(file.text, file.path, reserved)) };
      const access = sharedAccess(config.users, [], noPlace);
      const changes = userChanges(sharedAccess(before, [], noPlace), access);
      return { kind: "read", config, changes };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      const { lines, exit, hint } = error;
      return { kind: "bad", lines, exit, hint };
    }
  }

  #known({ path, text }: ConfigFile): { file: ConfigFile; config: SentConfig } | null {
    return this.#last?.file.path === path && this.#last.file.text === text ? this.#last : null;
  }
}

/** Changes are named without their places. */
function noPlace(): { line: number; column: number } {
  return { line: 1, column: 1 };
}
