/**
 * A directory that the test controls, in the place of nslcd(8): the module `ldap` of the name
 * service asks it (nss-pam-ldapd, nslcd.h, version 2 of its protocol).
 */

const VERSION = 2;
const ACTIONS = {
  groupByName: 0x00040001,
  groupsOfMember: 0x00040006,
  accountByName: 0x00080001,
  accountByUid: 0x00080002,
} as const;
const RESULT_BEGIN = 1;
const RESULT_END = 2;

/** What the directory does with a question. */
export type Behaviour = "answer" | "fail" | "hang";

/** The entries of a directory, and how it answers. */
export class FakeDirectory implements Disposable {
  /** Groups by name. */
  readonly groups = new Map<string, { readonly gid: number; readonly members: string[] }>();
  /** Uids by name. */
  readonly accounts = new Map<string, number>();
  behaviour: Behaviour = "answer";
  /** What is awaited before an answer. */
  until: Promise<void> = Promise.resolve();
  /** Called for each question, such as `group staff`, `uid 578` and `member alice`. */
  onQuestion: (question: string) => void = () => {};
  /** How many questions were asked, and how many at the same time at most. */
  asked = 0;
  most = 0;
  #open = 0;
  readonly #path: string;
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.Conn>();

  /** @param path The socket of the daemon. */
  constructor(path: string) {
    this.#path = path;
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o666);
    void this.#serve();
  }

  /** Ends the connections that hang: the module learns that the daemon is gone. */
  release(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#connections.add(connection);
      void this.#answer(connection).catch(() => {}).finally(() => {
        if (this.#connections.delete(connection)) connection.close();
      });
    }
  }

  async #answer(connection: Deno.Conn): Promise<void> {
    this.asked++;
    this.most = Math.max(this.most, ++this.#open);
    try {
      const buffer = new Uint8Array(4096);
      let length = 0;
      // A question is written at once, of at most a name and its length.
      while (length < 12) length += await connection.read(buffer.subarray(length)) ?? 4096;
      const view = new DataView(buffer.buffer);
      const action = view.getUint32(4);
      const number = view.getUint32(8);
      const name = new TextDecoder().decode(buffer.subarray(12, Math.min(length, 12 + number)));
      this.onQuestion(questionOf(action, name, number));
      if (this.behaviour === "fail") return;
      if (this.behaviour === "hang") return void await connection.read(buffer);
      await this.until;
      const reply = new Reply(action);
      for (const add of this.#results(action, name, number)) {
        reply.number(RESULT_BEGIN);
        add(reply);
      }
      reply.number(RESULT_END);
      await connection.write(Uint8Array.from(reply.bytes));
    } finally {
      this.#open--;
    }
  }

  #results(action: number, name: string, uid: number): ((reply: Reply) => void)[] {
    const groups = [...this.groups];
    switch (action) {
      case ACTIONS.groupByName:
        return groups.filter(([group]) => group === name).map(groupResult);
      case ACTIONS.groupsOfMember:
        return groups.filter(([, { members }]) => members.includes(name)).map(groupResult);
      case ACTIONS.accountByName:
        return [...this.accounts].filter(([account]) => account === name).map(accountResult);
      case ACTIONS.accountByUid:
        return [...this.accounts].filter(([, own]) => own === uid).map(accountResult);
      default:
        return [];
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.release();
    try {
      Deno.removeSync(this.#path);
    } catch {
      // The runtime has removed it.
    }
  }
}

function questionOf(action: number, name: string, uid: number): string {
  switch (action) {
    case ACTIONS.groupByName:
      return `group ${name}`;
    case ACTIONS.groupsOfMember:
      return `member ${name}`;
    case ACTIONS.accountByUid:
      return `uid ${uid}`;
    default:
      return `name ${name}`;
  }
}

function groupResult([name, { gid, members }]: [string, { gid: number; members: string[] }]) {
  return (reply: Reply) => {
    reply.text(name).text("*").number(gid).number(members.length);
    members.forEach((member) => reply.text(member));
  };
}

function accountResult([name, uid]: [string, number]) {
  return (reply: Reply) =>
    void reply.text(name).text("*").number(uid).number(uid).text("").text("/").text("/bin/sh");
}

class Reply {
  readonly bytes: number[] = [];

  constructor(action: number) {
    this.number(VERSION).number(action);
  }

  number(value: number): this {
    this.bytes.push(value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255);
    return this;
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.number(bytes.length).bytes.push(...bytes);
    return this;
  }
}
