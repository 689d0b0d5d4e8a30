/** Random identities of peers: what the kernel says of a connection is the one that made it. */
import { assertEquals } from "@std/assert";
import { peerCredentials, peerGroups, ucred } from "../../lib/libc/peer_credentials.ts";
import { accept, connect, unixSocket } from "../../lib/libc/sockets.ts";
import { ThreadImpersonation } from "../../lib/libc/thread_impersonation.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { ListeningSocket } from "../support/listening_socket.ts";
import { isRoot } from "../support/processes.ts";
import { fc, forAny } from "./fuzz.ts";

/** Any id but the one that means "as it is", and often one at an edge. */
const id = fc.oneof(
  fc.constantFrom(0, 1, 579, 65_533, 65_534, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000),
  fc.integer({ min: 0, max: 0xffff_fffe }),
);
const identity = fc.record({
  ...{ uid: id, gid: id },
  groups: fc.oneof(fc.array(id, { maxLength: 20 }), fc.uniqueArray(id, { maxLength: 600 })),
});

Deno.test({
  name:
    "fuzz: a peer is who connected, whatever its ids are, and the server is root again (needs root)",
  ignore: !isRoot,
  fn() {
    using listener = new ListeningSocket();
    const thread = new ThreadImpersonation();
    const address = unixAddress(listener.path);
    const open = () => {
      const socket = unixSocket();
      return { socket, error: connect(socket, address) };
    };
    const identityOf = (peer: ReturnType<typeof open>) => {
      using _client = peer.socket;
      assertEquals(peer.error, 0);
      using accepted = accept(listener.descriptor)!;
      assertEquals(peerCredentials(accepted), true);
      return [ucred.pid, ucred.uid, ucred.gid, ...peerGroups(accepted)!];
    };
    const own = identityOf(open());
    forAny(identity, ({ uid, gid, groups }) => {
      const sorted = [...new Set(groups)].sort((a, b) => a - b);
      assertEquals(
        identityOf(thread.run({ uid, gid, groups }, open)),
        [Deno.pid, uid, gid, ...sorted],
      );
      assertEquals(identityOf(open()), own);
    });
  },
});
