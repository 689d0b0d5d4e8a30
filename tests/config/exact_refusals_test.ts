/**
 * What is wrong in a configuration is refused at its place, in these words and no others; and what
 * is read in spite of it gives no user more than the file says.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { type Place, Problems, readDocument } from "../../lib/config/document.ts";
import { BUILT_IN } from "../../lib/config/load.ts";
import { inspectConfig, parseConfig } from "../../lib/config/schema.ts";
import type { Config } from "../../lib/config/types.ts";
import { Failure } from "../../lib/errors.ts";

const RESERVED = { overflowUid: 65534 };

function parse(text: string): Config {
  return parseConfig(text, "/c", RESERVED);
}

const ALLOWS_BOB =
  "listeners: [{ unix: /a, allow: [bob], service: { exec: [/b], run_as: bob } }]\n";

/** A configuration of bob and one listener with these fields. */
function listener(fields: string): string {
  return `users: [{ name: bob, uid: 5 }]\nlisteners: [{ ${fields} }]\n`;
}

/** Each text with its problems, one a line, and with the hint where it says more than the line. */
const REFUSED: readonly (readonly [text: string, problems: string, hint?: string])[] = [
  ["users: [{ name: , uid: 5 }]\n", "1:17: users[0].name: the name is missing"],
  ['users: [{ name: "", uid: 5 }]\n', "1:17: users[0].name: the name is empty"],
  ["users: [{ name: [a], uid: 5 }]\n", "1:17: users[0].name: the name is a text, not a list"],
  ["users: [{ name: {a: b}, uid: 5 }]\n", "1:17: users[0].name: the name is a text, not a mapping"],
  [
    "users: [{ name: bob, uid: [1] }]\n",
    "1:27: users[0].uid: a list is not a uid: it is a whole number from 0 to 4294967294, in digits",
  ],
  [
    "users: [{ name: bob, uid: {a: 1} }]\n",
    "1:27: users[0].uid: a mapping is not a uid: it is a whole number from 0 to 4294967294, " +
    "in digits",
  ],
  [
    'users: [{ name: bob, uid: "5" }]\n',
    '1:27: users[0].uid: "5" is not a uid: it is a whole number from 0 to 4294967294, in digits',
  ],
  [
    'users: [{ name: bob, uid: "" }]\n',
    '1:27: users[0].uid: "" is not a uid: it is a whole number from 0 to 4294967294, in digits',
  ],
  [
    'users: [{ name: bob, uid: 5, gid: "" }]\n',
    '1:35: users[0].gid: "" is not a gid: it is a whole number from 0 to 4294967294, in digits',
  ],
  ["users: [{ name: bob, uid: ~ }]\n", "1:27: users[0].uid: the uid is missing"],
  [
    "users: [{ name: bob, uid: 5, admin: [true] }]\n",
    "1:37: users[0].admin: this is true or false, not a list",
  ],
  [
    "users: [{ name: bob, uid: 5, admin: {a: b} }]\n",
    "1:37: users[0].admin: this is true or false, not a mapping",
  ],
  [
    'users: [{ name: bob, uid: 5, admin: "" }]\n',
    '1:37: users[0].admin: this is true or false, not ""',
  ],
  [
    "users: [{ name: bob, uid: 5, admin:  }]\n",
    "1:38: users[0].admin: this is true or false, not nothing",
  ],
  [
    "users: [{ name: 'a b', uid: 5 }]\n",
    '1:17: users[0].name: "a b" cannot be a name: it holds a blank',
    "name the entry otherwise: its uid decides who it is",
  ],
  [
    "users: [{ name: bob, uid: 0 }]\n",
    '1:27: users[0].uid: uid 0 is root\'s: a user named "bob" cannot have it',
    "name it root, or remove the entry: root is let in without one",
  ],
  [
    "users: [{ name: root, uid: 5 }]\n",
    "1:17: users[0].name: the name root belongs to uid 0: a user of uid 5 cannot have it",
    "name the entry otherwise: its uid decides who it is",
  ],
  ["users: [~]\n", "1:9: users[0]: this is null, not a mapping"],
  ["users: [[]]\n", "1:9: users[0]: this is a list, not a mapping"],
  ["users: ['bob']\n", '1:9: users[0]: this is "bob", not a mapping'],
  ["users: [5]\n", "1:9: users[0]: this is the number 5, not a mapping"],
  ["groups: [x]\n", "1:10: groups[0]: this is x, not a mapping"],
  ["groups: [{gid: 5}]\n", "1:10: groups[0]: the name is missing"],
  [
    "groups: [{name: g, gid: x}]\n",
    "1:25: groups[0].gid: x is not a gid: it is a whole number from 0 to 4294967294, in digits",
  ],
  ["groups: [{name: g, gid: }]\n", "1:25: groups[0].gid: the gid is missing"],
  [
    "groups: [{name: '-g'}]\n",
    '1:17: groups[0].name: "-g" cannot be a name: it begins a word with the character -',
    "name the entry otherwise, and give its gid: gid: N",
  ],
  [
    "groups: [{name: g}, {name: h}, {name: G}]\n",
    '1:39: groups[2].name: "G" looks like "g" in line 1: they differ only in upper and lower case',
    "name the entry otherwise, and give its gid: gid: N",
  ],
  ["listeners: x\n", "1:12: listeners: this is x, not a list"],
  ["users: { bob: 5 }\n" + ALLOWS_BOB, "1:8: users: this is a mapping, not a list"],
  ["users: [bob]\n" + ALLOWS_BOB, "1:9: users[0]: this is bob, not a mapping"],
  ["users: [{ uid: 5 }]\n" + ALLOWS_BOB, "1:9: users[0]: the name is missing"],
  [
    "users: [{ name: 'bob!', uid: 5 }]\nlisteners: [{ unix: /a, allow: ['bob!'] }]\n",
    `1:17: users[0].name: "bob!" cannot be a name: it holds the character !`,
    "name the entry otherwise: its uid decides who it is",
  ],
  ["listeners: [x]\n", "1:13: listeners[0]: this is x, not a mapping"],
  ["listeners: [{unix: /a}, {unix: /a}]\n", "1:25: listeners: /a is listened on already by line 1"],
  [
    "listeners: [{tcp: 'h:1', keys: [{file: /k}]}, {tcp: 'h:1', keys: [{file: /k}]}]\n",
    "1:47: listeners: h:1 is listened on already by line 1",
  ],
  [listener("unix: ''"), "2:21: listeners[0].unix: the socket path is empty"],
  [listener("unix: [a]"), "2:21: listeners[0].unix: the socket path is a text, not a list"],
  [
    listener("tcp: 5, keys: [{file: /k}]"),
    "2:20: listeners[0].tcp: the address is a text, not the number 5",
  ],
  [
    listener("tcp: 'h:65536', keys: [{file: /k}]"),
    '2:20: listeners[0].tcp: "h:65536" has no port of 1 to 65535',
  ],
  [listener("tcp: '', keys: [{file: /k}]"), "2:20: listeners[0].tcp: the address is empty"],
  [
    listener("tcp: 'h:1'"),
    "2:13: listeners[0]: a tcp listener without keys is refused: no client could pass the " +
    "access check",
    "ipcauth gen-key FILE, then keys: [{ file: FILE, user: NAME }]",
  ],
  [
    listener("tcp: 'h:1', keys: []"),
    "2:33: listeners[0].keys: a tcp listener without keys is refused: no client could pass " +
    "the access check",
    "ipcauth gen-key FILE, then keys: [{ file: FILE, user: NAME }]",
  ],
  [
    listener("tcp: 'h:1', keys: x"),
    "2:33: listeners[0].keys: this is x, not a list",
  ],
  [listener("tcp: 'h:1', keys: [x]"), "2:34: listeners[0].keys[0]: this is x, not a mapping"],
  [listener("tcp: 'h:1', keys: [{}]"), "2:34: listeners[0].keys[0]: the key file is missing"],
  [
    listener("tcp: 'h:1', keys: [{file: ''}]"),
    "2:41: listeners[0].keys[0].file: the key file is empty",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, user: ''}]"),
    "2:51: listeners[0].keys[0].user: the user is empty",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, not_after: []}]"),
    "2:56: listeners[0].keys[0].not_after: a list is not a time: write it as 2027-06-30T00:00:00Z",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, not_after: {a: b}}]"),
    "2:56: listeners[0].keys[0].not_after: a mapping is not a time: write it as " +
    "2027-06-30T00:00:00Z",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, not_after: 5}]"),
    "2:56: listeners[0].keys[0].not_after: 5 is not a time: write it as 2027-06-30T00:00:00Z",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, not_after: ~}]"),
    "2:56: listeners[0].keys[0].not_after: null is not a time: write it as 2027-06-30T00:00:00Z",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, not_after: 'soon'}]"),
    '2:56: listeners[0].keys[0].not_after: "soon" is not a time: write it as ' +
    "2027-06-30T00:00:00Z",
  ],
  [
    listener("tcp: 'h:1', keys: [{dir: /d, user: bob}]"),
    "2:50: listeners[0].keys[0].user: user does not go with dir: a file's name says the " +
    "user of its key, such as bob.key",
    "write an entry for each file, or one with dir alone",
  ],
  [
    listener("tcp: 'h:1', keys: [{dir: ''}]"),
    "2:40: listeners[0].keys[0].dir: the directory of the keys is empty",
  ],
  [
    listener("tcp: 'h:1', keys: [{dir: d}]"),
    "2:40: listeners[0].keys[0].dir: the path d does not begin with /",
  ],
  [
    listener("tcp: 'h:1', keys: [{dir: /d}, {dir: /e}, {dir: /d/}]"),
    "2:56: listeners[0].keys: the directory /d stands in line 2 already",
    "take one of the two entries out",
  ],
  [
    listener("tcp: 'h:1', keys: [{dir: /}, {dir: /./}]"),
    "2:44: listeners[0].keys: the directory / stands in line 2 already",
    "take one of the two entries out",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k, user: bob}, {file: /k}]"),
    "2:57: listeners[0].keys: the key file /k stands in line 2 already, for bob: a key has " +
    "one user and one end",
    "ipcauth gen-key FILE, then { file: FILE, user: NAME }",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k}, {file: /k, user: bob}]"),
    "2:46: listeners[0].keys: the key file /k stands in line 2 already, for a trusted " +
    "client: a key has one user and one end",
    "ipcauth gen-key FILE, then { file: FILE, user: bob }",
  ],
  [
    listener("tcp: 'h:1', keys: [{file: /k}, {file: /k}]"),
    "2:46: listeners[0].keys: the key file /k stands in line 2 already: a key has one user " +
    "and one end",
    "take one of the two entries out",
  ],
  [
    listener("tcp: 'h:1', mode: '0600', keys: [{file: /k}]"),
    "2:33: listeners[0].mode: mode goes with unix",
  ],
  [
    listener("unix: /a, mode: 0660"),
    "2:31: listeners[0].mode: a mode stands in quotes: without them YAML reads another " +
    "number than chmod does",
    'mode: "0660"',
  ],
  [
    listener("unix: /a, mode: 0o640"),
    "2:31: listeners[0].mode: a mode stands in quotes: without them YAML reads another " +
    "number than chmod does",
    'mode: "0640"',
  ],
  [
    listener("unix: /a, mode: 660"),
    "2:31: listeners[0].mode: a mode stands in quotes: without them YAML reads another " +
    "number than chmod does",
    'mode: "660"',
  ],
  [
    listener("unix: /a, mode: 5"),
    "2:31: listeners[0].mode: a mode stands in quotes: without them YAML reads another " +
    "number than chmod does",
    'mode: "0660"',
  ],
  [
    listener("unix: /a, mode: [a]"),
    '2:31: listeners[0].mode: a list is not a mode: write three octal digits, "0660"',
  ],
  [
    listener("unix: /a, mode: true"),
    '2:31: listeners[0].mode: true is not a mode: write three octal digits, "0660"',
  ],
  [
    listener("unix: /a, mode: '0999'"),
    '2:31: listeners[0].mode: "0999" is not a mode: write three octal digits, "0660"',
  ],
  [
    listener("unix: /a, allow: ['@a..b']"),
    '2:33: listeners[0].allow[0]: "a..b" cannot be a group\'s name: it holds ".."',
    "list the group in groups; name the entry otherwise, and give its gid: gid: N",
  ],
  [listener("unix: /a, allow: ['']"), "2:33: listeners[0].allow[0]: an entry is empty"],
  [
    listener("unix: /a, allow: [[]]"),
    "2:33: listeners[0].allow[0]: an entry is a text, not a list",
  ],
  [
    "groups: [{name: ian}]\nusers: [{ name: bob, uid: 5 }]\nlisteners: [{ unix: /a, allow: " +
    "['@Ian', '@ian'] }]\n",
    '3:33: listeners[0].allow[0]: "Ian" looks like "ian" in line 1: they differ only in ' +
    "upper and lower case",
    'write "@ian"',
  ],
  [
    listener("unix: /a, service: { forward: 5, identity: impersonate }"),
    "2:45: listeners[0].service.forward: the target is a text, not the number 5",
  ],
  [
    listener("unix: /a, service: { forward: 5, backend_user: bob }"),
    "2:45: listeners[0].service.forward: the target is a text, not the number 5",
  ],
  [
    listener("unix: /a, service: { forward: 'unix:' }"),
    "2:45: listeners[0].service.forward: the socket path is missing",
  ],
  [
    listener("unix: /a, service: { forward: '' }"),
    "2:45: listeners[0].service.forward: the target is empty",
  ],
  [
    listener("unix: /a, service: { forward: 'tcp:h:1', backend_user: bob }"),
    "2:70: listeners[0].service.backend_user: backend_user goes with a unix: target: of a " +
    "TCP backend the kernel names no user",
  ],
  [
    listener("unix: /a, service: { forward: 'unix:/b', backend_user: 'a b' }"),
    '2:70: listeners[0].service.backend_user: "a b" cannot be a name: it holds a blank',
    "name the entry otherwise: its uid decides who it is",
  ],
  [
    listener("unix: /a, service: { forward: 'unix:/b', identity: [none] }"),
    "2:66: listeners[0].service.identity: a list is none of none, proxy-v2, impersonate",
  ],
  [
    listener("unix: /a, service: { exec: [~] }"),
    "2:43: listeners[0].service.exec[0]: an argument is a text, not null",
  ],
  [
    listener("unix: /a, service: { exec: [~, x] }"),
    "2:43: listeners[0].service.exec[0]: an argument is a text, not null",
  ],
  [
    listener("unix: /a, service: { exec: [[]] }"),
    "2:43: listeners[0].service.exec[0]: an argument is a text, not a list",
  ],
  [
    listener("unix: /a, service: { exec: {} }"),
    "2:42: listeners[0].service.exec: this is a mapping, not a list",
  ],
  [
    listener("unix: /a, service: { exec: [] }"),
    "2:42: listeners[0].service.exec: a program is missing",
  ],
  [
    listener("unix: /a, service: { exec: [sh, -c] }"),
    "2:42: listeners[0].service.exec: the program sh does not begin with /",
  ],
  [
    listener("unix: /a, service: { exec: [/b], run_as: 5 }"),
    "2:56: listeners[0].service.run_as: run_as is a text, not the number 5",
  ],
  [
    listener("unix: /a, service: { exec: [/b], run_as: '' }"),
    "2:56: listeners[0].service.run_as: run_as is empty",
  ],
  [
    listener("unix: /a, service: { exec: [/b], identity: none, backend_user: bob }"),
    "2:58: listeners[0].service.identity: identity goes with forward\n" +
    "2:78: listeners[0].service.backend_user: backend_user goes with forward",
  ],
  [
    listener("unix: /a, service: []"),
    "2:34: listeners[0].service: a service is console, metrics, { forward: … } or " +
    "{ exec: … }, not a list",
  ],
  [
    "sandbox: on\nusers: [{ name: bob, uid: 5 }]\nlisteners: [{ unix: /b }, { unix: /a, " +
    "service: { exec: [/b] } }]\n",
    "1:10: sandbox: the listener of line 3 starts programs, which would inherit the sandbox",
    "write sandbox: auto, and serve the other listeners with a server of their own",
  ],
  ["sandbox: sometimes\n", "1:10: sandbox: sometimes is none of auto, on, off"],
  ["sandbox: [on]\n", "1:10: sandbox: a list is none of auto, on, off"],
  ["workers: 0\n", "1:10: workers: 0 is not a whole number from 1 to 64"],
  ["workers: 65\n", "1:10: workers: 65 is not a whole number from 1 to 64"],
  ["workers: ~\n", "1:10: workers: null is not a whole number from 1 to 64"],
  ["workers: [1]\n", "1:10: workers: a list is not a whole number from 1 to 64"],
  ["limits: x\n", "1:9: limits: this is x, not a mapping"],
  [
    "limits: { grace: [5s] }\n",
    "1:18: limits.grace: a list is not a time: write a number and its unit, such as 500ms, " +
    "5s, 2m or 24h",
  ],
  [
    "limits: { grace: 2147483648ms }\n",
    "1:18: limits.grace: 2147483648ms is not a time: write a number and its unit, such as " +
    "500ms, 5s, 2m or 24h",
  ],
  [
    "limits: { max_connections: [5] }\n",
    "1:28: limits.max_connections: a list is not a whole number from 1 to 1000000",
  ],
  [
    "limits: { max_connections: 1000001 }\n",
    "1:28: limits.max_connections: 1000001 is not a whole number from 1 to 1000000",
  ],
  [
    "limits: { max_connections: 0 }\n",
    "1:28: limits.max_connections: 0 is not a whole number from 1 to 1000000",
  ],
  [
    "limits: { handshake_timeout: 0s }\n",
    "1:30: limits.handshake_timeout: a handshake has to end: 0 would hold its place without bound",
  ],
  ["log: x\n", "1:6: log: this is x, not a mapping"],
  ["log: { level: [info] }\n", "1:15: log.level: a list is none of debug, info, warn, error"],
  [
    "log: { file: /a/ }\n",
    "1:14: log.file: the log file /a/ is not the path of a file that begins with /",
  ],
  [
    "log: { file: a }\n",
    "1:14: log.file: the log file a is not the path of a file that begins with /",
  ],
  ["directory: x\n", "1:12: directory: this is x, not a mapping"],
  [
    "directory: { refresh: 0s }\n",
    "1:23: directory.refresh: an answer that may have no age is never known",
  ],
  [
    "directory: { refresh: x }\n",
    "1:23: directory.refresh: x is not a time: write a number and its unit, such as 500ms, " +
    "5s, 2m or 24h",
  ],
  [
    'users: [{ name: "bo\ufeffb", uid: 5 }]\n',
    '1:17: users[0].name: "bo\ufeffb" cannot be a name: it holds U+FEFF',
    "name the entry otherwise: its uid decides who it is",
  ],
  [
    "users: [{ name: bo\ufeffb, uid: 5 }]\n",
    '1:17: users[0].name: "bo\ufeffb" cannot be a name: it holds U+FEFF',
    "name the entry otherwise: its uid decides who it is",
  ],
  ["\ufeff# \u001b\n", "1:3: there is a control character: this is not a text"],
  [
    "# \u001b \u001b\r\n# a\n\u0001\r\n",
    "1:3: there is a control character: this is not a text\n3:1: there is a control " +
    "character: this is not a text",
  ],
  [
    "",
    "1:1: the file is empty, and an empty document is no configuration",
    "echo 'users: []' >> /c",
  ],
  ["users: []\n---\n", "2:1: the file holds more than one YAML document"],
  ["a: 1\nb: 2, c: 3\n", "2:4: Nested mappings are not allowed in compact mappings"],
  ["users: [{ ? [a] : b }]\n", "1:13: users[0]: a key is a plain word"],
  ["5: a\n", "1:1: a key is a plain word"],
  [
    "? a\n: b\n",
    '1:3: a: there is no key "a" here',
    "the keys are listeners, users, groups, limits, log, workers, directory, sandbox",
  ],
  ["true: a\n", "1:1: a key is a plain word"],
  ["~: a\n", "1:1: a key is a plain word"],
  [
    "users: [{ 'a b': 1 }]\n",
    "1:9: users[0]: the name is missing\n1:9: users[0]: the uid is missing\n1:11: " +
    'users[0]."a b": there is no key "a b" here',
    "the keys are name, uid, gid, local_ipc_access, admin",
  ],
  [
    "users: [{ 'a.b': 1, name: b, uid: 5}]\n",
    '1:11: users[0]."a.b": there is no key "a.b" here',
    "the keys are name, uid, gid, local_ipc_access, admin",
  ],
  [
    "'a\\b c!': 1\nb: 2\n",
    '1:1: "a\\\\b c!": there is no key "a\\\\b c!" here\n2:1: b: there is no key "b" here',
    "the keys are listeners, users, groups, limits, log, workers, directory, sandbox",
  ],
  [
    "users: [*a, &a {name: bob, uid: 5}, *a, *a]\n",
    "1:9: users[0]: anchors and aliases are not accepted: write the value out\n1:16: " +
    "users[1]: anchors and aliases are not accepted: write the value out here and in line 1",
  ],
  [
    "users: [&a {name: bob, uid: 5}, &a {name: eve, uid: 6}]\n",
    "1:12: users[0]: anchors and aliases are not accepted: write the value out\n1:36: " +
    "users[1]: anchors and aliases are not accepted: write the value out",
  ],
  ["users: &a\n", "1:10: users: anchors and aliases are not accepted: write the value out"],
  ["users: !!null\n", "1:14: users: the tag tag:yaml.org,2002:null is not accepted"],
  ["users: !x\n", "1:8: Unresolved tag: !x"],
  [
    "users: [{name: !!str bob, uid: 5}]\n",
    "1:22: users[0].name: the tag tag:yaml.org,2002:str is not accepted",
  ],
  [
    "users: [{<<: {name: bob}}]\n",
    "1:10: users[0]: a merge key is not accepted: write the values out",
  ],
  ["users: [{<<: [*a]}]\n", "1:10: users[0]: a merge key is not accepted: write the values out"],
  ["<<: 5\n", "1:1: a merge key is not accepted: write the values out"],
  [
    "users: [{name: bob, name: eve, uid: 5}]\n",
    "1:21: users[0]: this key stands here twice, and keys are unique",
  ],
  [
    "word\n",
    "1:1: this is no configuration: it has none of the keys listeners, users, " +
    "groups, limits, log, workers, directory, sandbox",
    "--config FILE names the " +
    "configuration",
  ],
  [
    "!!null\n",
    "1:7: this is no configuration: it has none of the keys listeners, users, " +
    "groups, limits, log, workers, directory, sandbox",
    "--config FILE names the " +
    "configuration",
  ],
  [
    "!!null ''\n",
    "1:8: this is no configuration: it has none of the keys listeners, " +
    "users, groups, limits, log, workers, directory, sandbox",
    "--config FILE names the " +
    "configuration",
  ],
  ["<<: *a\n", "1:5: anchors and aliases are not accepted: write the value out"],
  // What may stand under a merge key or behind an alias is not missed elsewhere.
  [
    "users: [{ <<: {a: b}, name: bob, uid: 5 }]\nlisteners: [{ unix: /a, allow: [eve] }]\n",
    "1:11: users[0]: a merge key is not accepted: write the values out",
  ],
  [
    "users: [{ name: &x bob, uid: 5 }, { name: *x, uid: 6 }]\n" +
    "listeners: [{ unix: /a, allow: [eve] }]\n",
    "1:20: users[0].name: anchors and aliases are not accepted: write the value out here and " +
    "in line 1",
  ],
  [
    "users: 5\nlisteners: [{ unix: /a, allow: [bob] }]\n",
    "1:8: users: this is the number 5, not a list",
  ],
  ["groups: 5\n", "1:9: groups: this is the number 5, not a list"],
  ...["", "users:\n", "users: ~\n", "users: []\n"].map((users): [string, string] => [
    `${users}listeners: [{ unix: /a, allow: [bob] }]\n`,
    `${users === "" ? 1 : 2}:33: listeners[0].allow[0]: there is no user "bob" in users`,
  ]),
  [
    "users: [{<<: *a, name: bob, uid: 5}]\n",
    "1:14: users[0]: anchors and aliases are not " +
    "accepted: write the value out",
  ],
  [
    "users: [{ name: bob, uid: &a x }]\n",
    "1:30: users[0].uid: anchors and aliases are " +
    "not accepted: write the value out\n1:30: users[0].uid: x is not a uid: it is a whole " +
    "number from 0 to 4294967294, in digits",
  ],
  [
    "users: [{ name: bob, uid: 5, admin }]\n",
    "1:30: users[0].admin: this is true or " +
    "false, not nothing",
  ],
  [
    "users: [{ name: bob, uid: 5 }, { name: bob, uid: 6 }, { name: bob, uid: 7 }]\n",
    "1:40: users[1].name: the user bob stands already in line 1\n1:63: users[2].name: the " +
    "user bob stands already in line 1",
  ],
  [
    "users:\n- { name: bob, uid: 5 }\n- { name: b0b, uid: 6 }\n- { name: b0b, uid: 7 }\n",
    '3:11: users[1].name: "b0b" looks like "bob" in line 2: they differ in letters or ' +
    'digits that are drawn alike\n4:11: users[2].name: "b0b" looks like "bob" in line ' +
    "2: they differ in letters or digits that are drawn alike",
    "name the entry " +
    "otherwise: its uid decides who it is",
  ],
  ["# \ufeff\u001b\n", "1:4: there is a control character: this is not a text"],
  ["users: [{ ? *a : b }]\n", "1:13: users[0]: a key is a plain word"],
  [
    "users: [{ &a name: bob, uid: *a }]\n",
    "1:14: users[0]: anchors and aliases are not " +
    "accepted: write the value out here and in line 1",
  ],
  [
    "users: [{ ? &a [x] : b }]\n",
    "1:16: users[0]: a key is a plain word\n1:16: users[0]: " +
    "anchors and aliases are not accepted: write the value out",
  ],
  ["users: [{ !!str name: bob, uid: 5 }]\n", "1:17: users[0]: a key is a plain word"],
  [
    "users: [&a {name: bob, uid: *a}]\ngroups: [*a]\n",
    "1:12: users[0]: anchors and " +
    "aliases are not accepted: write the value out here and in lines 1, 2",
  ],
  [
    "users: [{ name: bob, uid: 5, 'a b' }]\n",
    '1:30: users[0]."a b": there is no key ' +
    '"a b" here',
    "the keys are name, uid, gid, local_ipc_access, admin",
  ],
  ["- a\n", "1:1: this is a list, not a mapping"],
  ["5\n", "1:1: this is the number 5, not a mapping"],
  [
    "limits: { handshake_timeout: 0ms, grace: x, max_connections: x }\n",
    "1:30: " +
    "limits.handshake_timeout: a handshake has to end: 0 would hold its place without " +
    "bound\n1:42: limits.grace: x is not a time: write a number and its unit, such as " +
    "500ms, 5s, 2m or 24h\n1:62: limits.max_connections: x is not a whole number from 1 " +
    "to 1000000",
  ],
  ["users: [] # \u001b\n", "1:13: there is a control character: this is not a text"],
  [
    "\ufeffusers: [{ name: bob, uid: -5 }]\n",
    "1:27: users[0].uid: -5 is not a uid: it is a whole number from 0 to 4294967294, in digits",
  ],
  ["# \u001b\nusers: x\n", "1:3: there is a control character: this is not a text"],
  [
    "users: []# a\n",
    "1:10: Comments must be separated from other tokens by white space characters",
  ],
];

for (const [text, problems, hint] of REFUSED) {
  Deno.test(`exactly refused: ${JSON.stringify(text)}`, () => {
    const failure = assertThrows(() => parse(text), Failure) as Failure;
    const lines = problems.split("\n").map((line) => `/c:${line}`);
    assertEquals(failure.message.split("\n"), lines);
    assertEquals(failure.hint, hint ?? `correct /c, line ${lines[0]!.split(":")[1]}`);
  });
}

Deno.test("the name service is asked for no group that is refused, even in a bad file", () => {
  const text = "groups: [{ name: ian }]\n" + listener("unix: /a, allow: ['@a..b', '@Ian', '@far']");
  const { config, problems } = inspectConfig(text, "/c", RESERVED);
  assertEquals(problems.length, 2);
  assertEquals(config.namedGroups.map(({ name }) => name), ["ian", "far"]);
  assertEquals(config.listeners![0]!.allow!.unknownGroups, new Set(["far"]));
});

Deno.test("an empty file is bad, unless an edit is about to fill it", () => {
  assertEquals(inspectConfig("", "/c", RESERVED).problems.length, 1);
  assertEquals(inspectConfig("", "/c", RESERVED, true).problems.length, 0);
  assertEquals(parseConfig("", "/c", RESERVED, true).access.users.length, 0);
});

Deno.test("one problem more than twenty is counted", () => {
  const users = Array.from({ length: 21 }, (_, index) => `  - { name: u${index}x, uid: x }\n`);
  const { lines } = assertThrows(() => parse(`users:\n${users.join("")}`), Failure) as Failure;
  assertEquals([lines.length, lines.at(-1)], [21, "and 1 more"]);
});

Deno.test("an error of the program is no mistake of the file", () => {
  const reserved = {
    get overflowUid(): number {
      throw new TypeError("a bug");
    },
  };
  assertThrows(
    () => parseConfig("users: [{ name: bob, uid: 5 }]\n", "/c", reserved),
    TypeError,
    "a bug",
  );
  class Faulty extends Problems {
    #fault: unknown;

    constructor(fault: unknown) {
      super();
      this.#fault = fault;
    }

    /** Throws at the first call. */
    override add(place: Place, what: string): void {
      const fault = this.#fault;
      this.#fault = undefined;
      if (fault !== undefined) throw fault;
      super.add(place, what);
    }
  }
  for (const fault of [new TypeError("a bug"), "a bug", { message: "Maximum call stack" }]) {
    const faulty = new Faulty(fault);
    let thrown: unknown;
    try {
      readDocument("5: 6\n", faulty);
    } catch (error) {
      thrown = error;
    }
    assertEquals([thrown, faulty.all], [fault, []]);
  }
  const deep = new Faulty(new RangeError("Maximum call stack size exceeded"));
  assertEquals([readDocument("5: 6\n", deep), deep.all.length], [null, 1]);
});

Deno.test("what a file leaves out is as in the built-in configuration", () => {
  const { limits, log, workers, directory, sandbox, ...rest } = parse("users: []\n");
  assertEquals({ limits, log, workers, directory, sandbox, ...rest }, { ...BUILT_IN, path: "/c" });
  assertEquals(limits, {
    ...{ maxConnections: 1_024, maxConnectionsPerUser: 256, maxPendingHandshakes: 128 },
    ...{ handshakeTimeout: 5_000, idleTimeout: 0, grace: 5_000 },
  });
  assertEquals([log, workers, directory, sandbox], [
    { level: "info", format: null, file: null },
    1,
    { refresh: 30_000 },
    "auto",
  ]);
});

Deno.test(
  "a flag that is neither true nor false gives no access in what is read of a bad " +
    "file",
  () => {
    const text = "users: [{ name: bob, uid: 5, local_ipc_access: yes, admin: on }]\n" +
      "groups: [{ name: g, gid: 5, local_ipc_access: 1 }]\n";
    const { config: { access }, problems } = inspectConfig(text, "/c", RESERVED);
    assertEquals(problems.length, 3);
    const [bob] = access.users;
    assertEquals([bob?.localIpcAccess, bob?.admin], [false, false]);
    assertEquals(access.groups[0]?.localIpcAccess, false);
  },
);

Deno.test("the names that the name service is asked for are those without an id, each once", () => {
  const config = parse(`users: [{ name: bob, uid: 5 }]
groups: [{ name: a }, { name: b }, { name: c, gid: 7 }]
listeners:
  - { unix: /a, allow: ["@a", "@c", "@d"], service: { forward: unix:/x, backend_user: pg } }
  - { unix: /b, allow: ["@d"], service: { forward: unix:/x, backend_user: pg } }
  - { unix: /c, service: { forward: unix:/y, backend_user: redis } }
`);
  const places = (all: Config["namedGroups"]) =>
    all.map(({ name, at, key }) => `${name} ${at.line}:${at.column} ${key}`);
  assertEquals(places(config.namedGroups), [
    "a 2:18 groups[0].name",
    "b 2:31 groups[1].name",
    "d 4:37 listeners[0].allow[2]",
  ]);
  assertEquals(places(config.namedAccounts), [
    "pg 4:87 listeners[0].service.backend_user",
    "redis 6:60 listeners[2].service.backend_user",
  ]);
  const allow = config.listeners![0]!.allow!;
  assertEquals([allow.gids, allow.unknownGroups], [new Set([7]), new Set(["a", "d"])]);
});

Deno.test("the place of a group's access is that of its flag, or of its entry", () => {
  const { access: { groups } } = parse(
    "groups: [{ name: a, local_ipc_access: true }, { name: b }]\n",
  );
  assertEquals(groups.map(({ accessAt }) => [accessAt.line, accessAt.column]), [[1, 39], [1, 47]]);
});

Deno.test("the directory of keys is one path in every spelling", () => {
  for (
    const [written, path] of [["/k", "/k"], ["/k/", "/k"], ["/x/..//k/.", "/k"], [
      "/",
      "/",
    ]] as const
  ) {
    const [first] = parse(listener(`tcp: 'h:1', keys: [{ dir: ${written} }]`)).listeners!;
    if (first?.kind !== "tcp") throw new Error("no TCP listener");
    assertEquals(first.keyDirectories.map(({ directory }) => directory), [path]);
  }
});

Deno.test("a sandbox goes with every service but programs", () => {
  const services = ["console", "metrics", "{ forward: unix:/x }"];
  const all = services.map((service, index) => `{ unix: /${index}, service: ${service} }`);
  assertEquals(parse(`sandbox: on\nlisteners: [${all.join(", ")}]\n`).sandbox, "on");
  assertEquals(parse("sandbox: on\n").sandbox, "on");
  for (const mode of ["auto", "off"]) {
    const text = `sandbox: ${mode}\nlisteners: [{ unix: /a, service: { exec: [/b] } }]\n`;
    assertEquals(parse(text).sandbox, mode);
  }
});

Deno.test("a listener without a service is a console, and a program has the server's user", () => {
  const service = (fields: string) => parse(listener(`unix: /a, ${fields}`)).listeners![0]!.service;
  for (const none of ["", "service: ", "service: ~"]) {
    assertEquals(service(none), { kind: "console" });
  }
  const program = { kind: "exec", argv: ["/b"] };
  assertEquals(service("service: { exec: [/b] }"), { ...program, runAs: "server" });
  for (const runAs of ["server", "peer"]) {
    assertEquals(service(`service: { exec: [/b], run_as: ${runAs} }`), { ...program, runAs });
  }
  const bob = service("service: { exec: [/b], run_as: bob }");
  assertEquals(bob, { ...program, runAs: { user: "bob" } });
});

Deno.test("a count, a time, an age and a date have these bounds", () => {
  for (const count of [1, 1_000_000]) {
    assertEquals(parse(`limits: { max_connections: ${count} }\n`).limits.maxConnections, count);
  }
  for (const count of [1, 64]) assertEquals(parse(`workers: ${count}\n`).workers, count);
  assertEquals(parse("limits: { grace: 2147483s }\n").limits.grace, 2_147_483_000);
  assertThrows(() => parse("limits: { grace: 2147484s }\n"), Failure);
  for (const [text, ms] of [["1ms", 1_000], ["1s", 1_000], ["1001ms", 1_001]] as const) {
    assertEquals(parse(`directory: { refresh: ${text} }\n`).directory.refresh, ms);
  }
  for (const [text, year] of [["2000-02-29", 2000], ["0400-02-29", 400]] as const) {
    const [first] = parse(
      listener(`tcp: 'h:1', keys: [{ file: /k, not_after: ${text}T00:00:00Z }]`),
    ).listeners!;
    if (first?.kind !== "tcp") throw new Error("no TCP listener");
    assertEquals(new Date(first.keys[0]!.notAfter!).getUTCFullYear(), year);
  }
  for (const date of ["2027-06-00", "2027-06-31", "2027-00-10", "2027-13-10", "1900-02-29"]) {
    const text = listener(`tcp: 'h:1', keys: [{ file: /k, not_after: ${date}T00:00:00Z }]`);
    assertThrows(() => parse(text), Failure, " is not a time");
  }
});
