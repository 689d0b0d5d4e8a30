/**
 * The thread that reads long configurations, for all planes of a server.
 *
 * @module
 */
import { bugText, Failure } from "../errors.ts";
import type { ConfigFile } from "./load.ts";
import type { ReservedId } from "./names.ts";
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

/** Reads a text once for all planes, a bad one, too. */
class TextReader {
  #last: { readonly file: ConfigFile; readonly read: SentConfig | Failure } | null = null;

  read({ file, reserved, before }: ReadRequest): ReadOutcome {
    const { path, text } = file;
    if (this.#last?.file.path !== path || this.#last.file.text !== text) {
      this.#last = { file, read: this.#parse(file, reserved) };
    }
    const { read } = this.#last;
    if (read instanceof Failure) {
      return { kind: "bad", lines: read.lines, exit: read.exit, hint: read.hint };
    }
    const access = sharedAccess(read.users, [], noPlace);
    const changes = userChanges(sharedAccess(before, [], noPlace), access);
    return { kind: "read", config: read, changes };
  }

  #parse({ path, text }: ConfigFile, reserved: ReservedId): SentConfig | Failure {
    try {
      return toSent(parseConfig(text, path, reserved));
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }
}

/** Changes are named without their places. */
function noPlace(): { line: number; column: number } {
  return { line: 1, column: 1 };
}
