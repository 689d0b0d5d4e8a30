import { assertEquals } from "@std/assert";
import {
  accountByName,
  accountByUid,
  effectiveUid,
  gidByName,
  groupsOf,
  hostName,
} from "../../lib/libc/ids.ts";
import { output } from "../support/processes.ts";

async function database(name: string): Promise<string[][]> {
  const text = await output(["getent", name]);
  return text.trim().split("\n").map((line) => line.split(":"));
}

Deno.test("accountByName() agrees with getent for every account", async () => {
  for (const [name, _password, uid, gid, _comment, home, shell] of await database("passwd")) {
    const account = { name: name!, uid: Number(uid), gid: Number(gid), home: home!, shell: shell! };
    assertEquals(accountByName(name!), account);
  }
});

Deno.test("accountByUid() returns the first account of a uid", async () => {
  for (const [_name, _password, uid] of await database("passwd")) {
    const [first] = (await output(["getent", "passwd", uid!])).split(":");
    assertEquals(accountByUid(Number(uid))?.name, first);
  }
});

Deno.test("groupsOf() agrees with id for every account", async () => {
  const accounts = await database("passwd");
  await Promise.all(accounts.map(async ([name, _password, _uid, gid]) => {
    const own = (await output(["id", "-G", name!])).trim().split(" ").map(Number);
    assertEquals(groupsOf(name!, Number(gid)).toSorted(), own.toSorted());
  }));
});

Deno.test("groupsOf() returns the primary group only for an unknown user", () => {
  assertEquals(groupsOf("no-such-user", 12345), [12345]);
});

Deno.test("gidByName() agrees with getent for every group", async () => {
  for (const [name, _password, gid] of await database("group")) {
    assertEquals(gidByName(name!), Number(gid));
  }
});

Deno.test("an unknown name or uid is null, never uid 0", () => {
  for (const name of ["no-such-user", "", "0", "root:", "root\0", " root", "ROOT"]) {
    assertEquals(accountByName(name), null);
    assertEquals(gidByName(name), null);
  }
  assertEquals(accountByUid(0xffff_fffe), null);
  assertEquals(accountByUid(0xffff_ffff), null);
});

Deno.test("effectiveUid() and hostName() agree with the system", async () => {
  assertEquals(effectiveUid(), Deno.uid());
  assertEquals(hostName(), (await output(["uname", "-n"])).trim());
});
