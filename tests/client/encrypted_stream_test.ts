/** An encrypted stream that fails before its user listens to it. */
import { assertEquals, assertRejects } from "@std/assert";
import { EncryptedStream } from "../../lib/client/encrypted_stream.ts";
import { RpcClient } from "../../lib/client/rpc_client.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { unixSocketPair } from "../../lib/libc/sockets.ts";
import { adoptSocket } from "../../lib/net/adopted_socket.ts";
import { connected } from "../support/conversation.ts";

/** A stream whose server has sent a malformed record behind ACCEPT; its failure was reported. */
async function failedStream(): Promise<EncryptedStream> {
  const [near, far] = unixSocketPair();
  const socket = adoptSocket(near.release());
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const stream = new EncryptedStream(socket, connected().client, Uint8Array.of(0, 0));
  far.close();
  // An `error` without a listener would have ended the process by now.
  await closed;
  assertEquals(stream.destroyed, true);
  return stream;
}

Deno.test("a console that is cut right after ACCEPT is a failure with a sentence", async () => {
  const stream = await failedStream();
  const failure = await assertRejects(() => RpcClient.open(stream, "127.0.0.1:1", 578), Failure);
  assertEquals(failure.exit, ExitCode.data);
});
