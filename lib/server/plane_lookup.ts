/**
 * Questions to the data plane about its listeners and sessions, one at a time.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";

/** How long the data plane may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** A question that has not been answered. */
interface Question<Answer> {
  readonly answer: Promise<Answer>;
  resolve(answer: Answer): void;
  reject(error: Failure): void;
}

/**
 * Asks one question. However many sessions ask, one question is on its way, and
 * one waits: an answer is never older than the question, and a client cannot keep the data plane
 * busy with its listing.
 */
export class PlaneLookup<Answer> {
  readonly #post: () => void;
  #asked: Question<Answer> | null = null;
  #next: Question<Answer> | null = null;

  /** @param post Sends the question. */
  constructor(post: () => void) {
    this.#post = post;
  }

  /** @throws {Failure} 71 when the data plane does not answer in time. */
  ask(): Promise<Answer> {
    this.#next ??= question();
    const { answer } = this.#next;
    if (this.#asked === null) this.#send();
    return answer;
  }

  /** The answer. */
  onAnswer(answer: Answer): void {
    const asked = this.#asked;
    this.#asked = null;
    asked?.resolve(answer);
    this.#send();
  }

  #send(): void {
    const asked = this.#next;
    if (asked === null) return;
    this.#asked = asked;
    this.#next = null;
    this.#post();
    const timer = setTimeout(() => {
      if (this.#asked !== asked) return;
      this.#asked = null;
      asked.reject(new Failure("The data plane does not answer", { exit: ExitCode.os }));
      this.#send();
    }, ANSWER_TIMEOUT_MS);
    const clear = () => clearTimeout(timer);
    asked.answer.then(clear, clear);
  }
}

function question<Answer>(): Question<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  return { answer: promise, resolve, reject };
}
