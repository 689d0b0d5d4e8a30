/** A relay reports each byte that it has read and that has not arrived, and no other one. */
import { assertEquals } from "@std/assert";
import { CHUNK } from "../../lib/net/relay_buffers.ts";
import { type Kind, type RelayFixture, RelayHarness } from "../support/relay_harness.ts";

/** More than the sockets of a relay hold, in bytes. */
const LONG = 8 << 20;

/** Both directions of a relay: who sends, who receives, and what the relay says of the bytes. */
function direction({ client, backend, outcomes }: RelayFixture, isToBackend: boolean) {
  const [sender, receiver] = isToBackend ? [client, backend] : [backend, client];
  const said = () => {
    const { bytesIn, bytesOut, unconfirmedIn, unconfirmedOut } = outcomes[0]!;
    const [bytes, lost] = isToBackend ? [bytesIn, unconfirmedIn] : [bytesOut, unconfirmedOut];
    return { bytes, lost, others: isToBackend ? unconfirmedOut : unconfirmedIn };
  };
  return { sender, receiver, said };
}

for (const kind of ["unix", "tcp", "sealed"] as const) {
  for (const isToBackend of [true, false]) {
    const name = isToBackend ? `${kind} → unix` : `unix ← ${kind}`;
    const join = (harness: RelayHarness) =>
      harness.join(...(isToBackend ? [kind, "unix"] : ["unix", kind]) as [Kind, Kind]);

    Deno.test(`what a peer that stops reading does not take is lost: ${name}`, () => {
      using harness = new RelayHarness();
      const fixture = join(harness);
      const { sender, receiver, said } = direction(fixture, isToBackend);
      sender.send("taken");
      harness.until(() => receiver.text === "taken");
      receiver.refuse();
      sender.send("lost");
      harness.untilIdle();
      // A Unix peer has got an error; another one sends on.
      const more = kind === "unix" ? "" : " as well";
      sender.send(more);
      sender.finish();
      harness.untilIdle();
      receiver.finish();
      harness.until(() => fixture.isClosed);
      assertEquals(said(), { bytes: 9 + more.length, lost: 4 + more.length, others: 0 });
    });
  }
}

for (const kind of ["tcp", "sealed"] as const) {
  Deno.test(`what a client sends to a backend that has gone is lost: ${kind}`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join(kind, "unix");
    fixture.client.send(new Uint8Array(LONG));
    // At once, also where a program that another test starts has a copy of the descriptor.
    fixture.backend.refuse();
    fixture.backend.close();
    harness.until(() => fixture.client.unsent === 0);
    fixture.client.finish();
    harness.until(() => fixture.isClosed);
    const lost = { bytesIn: LONG, unconfirmedIn: LONG, bytesOut: 0, unconfirmedOut: 0 };
    assertEquals(fixture.outcomes, [{ ...lost, reason: "end", brokenEnd: null }]);
  });
}

/**
 * Sends more than a peer takes, which stops reading when the relay is about to move bytes without
 * copying them.
 *
 * @param space How many bytes that it does not take can be kept.
 * @returns How many bytes have left the sender in each such call, until the relay was closed.
 */
function sendLong(
  harness: RelayHarness,
  { sender, receiver }: ReturnType<typeof direction>,
  space: number = CHUNK,
): number[] {
  receiver.onData = () => {};
  sender.send(new Uint8Array(LONG));
  harness.untilIdle([]);
  const { pipe } = harness.buffers;
  const move = pipe.move.bind(pipe);
  const moved: number[] = [];
  pipe.move = (from, to, rest) => {
    receiver.refuse();
    try {
      return move(from, to, rest.subarray(0, space));
    } finally {
      moved.push(pipe.moved);
    }
  };
  return moved;
}

for (const isToBackend of [true, false]) {
  const name = isToBackend ? "to the backend" : "to the client";

  Deno.test(`what a peer does not take of a stream that is not copied is lost: ${name}`, () => {
    using harness = new RelayHarness();
    const fixture = harness.join("unix", "unix");
    const way = direction(fixture, isToBackend);
    const moved = sendLong(harness, way);
    harness.until(() => way.sender.broken);
    way.sender.finish();
    way.receiver.finish();
    harness.until(() => fixture.isClosed && way.receiver.end === "end");
    const { bytes, lost, others } = way.said();
    assertEquals([moved, bytes - lost, others], [[lost], way.receiver.received, 0]);
  });
}

Deno.test("what is kept for a peer is lost with it", () => {
  using harness = new RelayHarness();
  const fixture = harness.join("unix", "unix");
  const { sender, receiver, said } = direction(fixture, true);
  receiver.onData = () => {};
  sender.send(new Uint8Array(LONG));
  harness.untilIdle([]);
  receiver.refuse();
  sender.close();
  receiver.finish();
  harness.until(() => fixture.isClosed && receiver.end === "end");
  const { bytes, lost } = said();
  assertEquals([lost > 0, bytes - lost], [true, receiver.received]);
});

Deno.test("what is lost in a pipe that fails is reported", () => {
  const errors: unknown[] = [];
  using harness = new RelayHarness(undefined, (error) => errors.push(error));
  const fixture = harness.join("unix", "unix");
  const way = direction(fixture, true);
  const moved = sendLong(harness, way, 1);
  harness.until(() => fixture.isClosed && way.receiver.end !== "open");
  const { bytes, lost } = way.said();
  assertEquals(errors.map(String), [`RangeError: ${lost} bytes for a buffer of 1`]);
  assertEquals([moved, bytes - lost], [[lost], way.receiver.received]);
});
