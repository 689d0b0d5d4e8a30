/** Run by a test many times at once: adds a user to a file. `add_one_user.ts PATH UID` */
import { addUser } from "../../lib/config/edit.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import { editConfigFile } from "../../lib/config/edit_file.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const path = Deno.args[0]!;
const uid = Number(Deno.args[1]);
const hostFacts = loadHostFacts(effectiveUid());
const machine = { overflowUid: hostFacts.overflowUid };
await editConfigFile(path, hostFacts, (text) =>
  addUser(
    text,
    { name: `process${uid}`, uid, gid: null, localIpcAccess: true, admin: false },
    { path, reserved: machine },
  ));
