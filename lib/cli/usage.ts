/**
 * The texts that `ipcauth help` prints, at most 80 columns wide.
 *
 * @module
 */

import { paint } from "../text/paint.ts";

const OVERVIEW = `ipcauth: an authenticated front door for inter-process communication

Usage:
  ipcauth serve    put a listener in front of a service
  ipcauth connect  be a client of a server
  ipcauth run-as   become another user and run a program
  ipcauth gen-key  make a secret key for TCP
  ipcauth users    list and edit the users who have access
  ipcauth groups   list and edit the groups whose members have access
  ipcauth keys     list, add, revoke and rotate the keys of TCP listeners
  ipcauth config   check, show and describe the configuration
  ipcauth status   ask a server whether it is well
  ipcauth help COMMAND
  ipcauth completions bash|zsh|fish

Global flags:
  --config FILE                    the configuration
  --log-level debug|info|warn|error
  --log-format text|json           default: text on a terminal, JSON elsewhere
  --color auto|always|never        auto: on a terminal, unless NO_COLOR is set
  -h, --help   --version

Exit codes:
   0 done            64 usage           65 malformed data    69 no server
  70 a bug           71 system error    73 would overwrite   77 refused
  78 bad configuration
`;

const TOPICS: Readonly<Record<string, string>> = {
  serve: `Usage: ipcauth serve [--unix[=PATH]] [--tcp[=HOST:PORT]] [--key[=FILE]]...
                     [--drop-to USER] [--workers N] [--no-sandbox] [--check]
                     [--forward TARGET [--identity MODE] |
                      --exec -- PROGRAM ARG...]

Listens, proves who is connecting, and only then hands the connection over.
Without a flag it serves the listeners of the configuration; without a
configuration, one console on the default socket, for root and its own user.

  --unix[=PATH]      listen on this Unix socket, where the kernel says who
                     connects; alone: IPCAUTH_PATH, the configuration's Unix
                     listeners, or the default socket
  --tcp[=HOST:PORT]  listen on TCP, where a client proves that it holds a key;
                     alone: IPCAUTH_ADDR and IPCAUTH_PORT, the configuration's
                     TCP listeners, or 127.0.0.1:4569. HOST alone has port
                     4569, :PORT alone the host 127.0.0.1
  --key[=FILE]       a trusted key: its clients have every permission, like
                     uid 0; may be given again. Keys of users stand in the
                     configuration. Alone: IPCAUTH_KEY_FILE, or the default
                     key. It means --tcp where no --tcp is given
  --forward TARGET   connect each accepted client to unix:PATH or
                     tcp:HOST:PORT, instead of the console
  --identity MODE    what the backend is sent: none (the default); proxy-v2, a
                     PROXY protocol header with user, uid, gid, pid and key
                     id; impersonate, which connects to a Unix socket with
                     the peer's own uid, gid and groups (needs root)
  --exec             start the program after -- for each accepted client, with
                     the connection as its standard input and output, and
                     UCSPI variables (IPCREMOTEEUID …) with its identity
  --drop-to USER     listen first, and then give root up for good; a uid will do
  --workers N        accept and carry connections in N threads, 1 to 64, instead
                     of as many as workers: in the configuration says (1)
  --no-sandbox       restrict nothing, whatever "sandbox" in the configuration
                     says: a server limits itself to the files and ports that
                     its configuration needs, where that costs no function
  --check            start nothing: check the flags, the configuration and its
                     keys, and print what would be listened on; exits with 0, or
                     as the start would

SIGTERM and SIGINT stop it; a second one, or SIGQUIT, stops it at once. SIGHUP
makes it read the configuration, which it also does before every decision, and
open its log file again. Started by systemd it serves the sockets it was passed
(LISTEN_FDS), and reports its state (NOTIFY_SOCKET, WATCHDOG_USEC). The
configuration must name each of them, unless no address is named at all, or
--forward or --exec names the service.

Examples:
  ipcauth serve --unix
  ipcauth serve --unix=/run/ipcauth/ipc.sock --config ./config.yaml
  ipcauth serve --tcp=0.0.0.0:4569 --key=/etc/ipcauth/ipc.key \\
    --forward unix:/run/postgresql/.s.PGSQL.5432
  ipcauth serve --unix=/run/report.sock --exec -- /usr/bin/report --today
`,
  connect: `Usage: ipcauth connect [--unix[=PATH] | --tcp[=HOST:PORT]] [--key[=FILE]]
                       [--user NAME] [--server-user NAME]
                       [-c COMMAND]... [--yes] | --pipe |
                       --listen unix:PATH|tcp:HOST:PORT [--allow-remote]

Opens the console of a server: at a prompt on a terminal, else one command a
line from standard input. With --pipe or --listen it reaches any service.
A console ends with 77 when your access is revoked, and with 69 when the server
goes; at a prompt it offers to connect again then.

"?" at the prompt explains what may come next; "help" lists the commands.
Filters follow a command: | include PATTERN, | exclude PATTERN, | count,
| json, | no-more.

  --unix[=PATH]       the socket; default: IPCAUTH_PATH, the configuration,
                      your own server's socket, the system's
  --tcp[=HOST:PORT]   a server that wants a key; alone: IPCAUTH_ADDR and
                      IPCAUTH_PORT, the configuration, or 127.0.0.1:4569;
                      HOST and :PORT may stand alone
  --key[=FILE]        the key; default: IPCAUTH_KEY_FILE, the configuration,
                      or the default key. It means --tcp where there is none
  --user NAME         act as this user (trusted clients only: root, the
                      server's own user, and keys without a user)
  --server-user NAME  the server may run as this user; otherwise it must be
                      root or you (Unix sockets only)
  -c COMMAND          run a command and exit; may be given again
  --yes               do what a command would ask about, such as a change
                      that refuses you
  --pipe              connect standard input and output to the service
  --listen ADDRESS    open a local socket (a Unix one with mode 0600), and
                      forward every connection on it to the server. All who
                      reach a TCP address use your key: it must be one of
                      this machine alone, such as 127.0.0.1
  --allow-remote      let --listen tcp: take any address

Examples:
  ipcauth connect
  ipcauth connect -c 'show users' -c 'who | count'
  ipcauth connect --tcp=db.example:4569 --key=bob.key --pipe < in > out
  ipcauth connect --tcp=db.example:4569 --key=bob.key \\
    --listen unix:/tmp/db/.s.PGSQL.5432
`,
  "run-as": `Usage: ipcauth run-as [--allow-tty-input] USER|UID[:GROUP|GID]
                      -- PROGRAM [ARG]...

Becomes another user, verifies it, and becomes the program: no parent process
is left, so signals, terminal and status are the program's own. Needs root.

  USER   a name of the name service: its group and all its groups are taken
  UID    a number, known to the name service or not
  GROUP  this group, and no others

  --allow-tty-input  let the program put input into the terminal, as if you had
                     typed it (TIOCSTI, TIOCLINUX); as another user it may not

Exit codes: the program's own; 125 run-as itself failed, 126 the program
cannot be executed, 127 there is no such program.

Examples:
  ipcauth run-as 579 -- ipcauth connect
  ipcauth run-as postgres -- psql
`,
  "gen-key": `Usage: ipcauth gen-key [FILE] [--force]
                       [--user NAME [--listener ADDRESS] [--not-after TIME]]
       ipcauth gen-key --show FILE

Makes a secret key for TCP, 32 random bytes in a file that only its owner may
read, and says how to use it. Without FILE: IPCAUTH_KEY_FILE,
~/.config/ipcauth/ipc.key, for root /etc/ipcauth/ipc.key.

  --force             replace an existing key; clients with the old one are
                      refused
  --user NAME         add the key of this user to the configuration, too
  --listener ADDRESS  at this TCP listener; default: the only one
  --not-after TIME    to be refused after this time (RFC 3339)
  --show              print the id and the age of a key, and what is wrong with
                      its owner or mode; never the key

Examples:
  ipcauth gen-key bob.key
  ipcauth gen-key /etc/ipcauth/bob.key --user bob
  ipcauth gen-key --show /etc/ipcauth/ipc.key
`,
  users: `Usage: ipcauth users [list] [--json]
       ipcauth users show NAME [--json]
       ipcauth users add NAME [--uid N] [--gid N] [--local-ipc-access] [--admin]
       ipcauth users set NAME uid|gid|local_ipc_access|admin VALUE
       ipcauth users allow NAME
       ipcauth users deny NAME
       ipcauth users remove NAME
       ipcauth users check UID|NAME [--json]

Lists and edits the users of the configuration. An edit changes what it names
and nothing else: comments, order and spacing stay. A running server applies
it from the next connection on.

  add           without --uid, uid and gid are those of the name service
  set           NAME gid none takes the gid out of the file
  allow, deny   set local_ipc_access to true or false
  check         prints what would be decided, by which line, and what would
                change it; exits 0 for allow, 77 for deny

Examples:
  ipcauth users add carol --uid 580 --local-ipc-access
  ipcauth users deny bob
  ipcauth users check 578
`,
  groups: `Usage: ipcauth groups [list] [--json]
       ipcauth groups show NAME [--json]
       ipcauth groups add NAME [--gid N] [--local-ipc-access]
       ipcauth groups set NAME gid|local_ipc_access VALUE
       ipcauth groups allow NAME
       ipcauth groups deny NAME
       ipcauth groups remove NAME
       ipcauth groups check GID|NAME [--json]

Lists and edits the groups of the configuration, as "ipcauth users" does its
users. They decide about peers that are no configured user: a group that denies
goes before one that allows.

  add           without --gid, the gid follows the name service
  set           NAME gid none takes the gid out of the file
  allow, deny   set local_ipc_access to true or false
  check         prints what the group decides; exits 0 for allow, 77 for deny

Examples:
  ipcauth groups add netops --local-ipc-access
  ipcauth groups deny netops
`,
  keys: `Usage: ipcauth keys [list] [--json]
       ipcauth keys add FILE [--user NAME] [--listener ADDRESS]
                        [--not-after TIME] [--json]
       ipcauth keys revoke ID|FILE [--listener ADDRESS] [--json]
       ipcauth keys rotate ID|FILE [--listener ADDRESS] [--not-after TIME]
                        [--json]

Lists and edits the keys of the TCP listeners in the configuration, by their
ids. No key is printed. A running server applies an edit from the next
connection on, and closes the sessions of a key that was revoked.

  add     adds the key of a file that is there; without --user it is trusted
  revoke  takes a key out of every listener, or of the one named
  rotate  makes a new key beside the file of an old one, for the same user, and
          prints what the client needs; both work until the old one is revoked

  ID is that of ipcauth keys; FILE is a path with a slash, as in the
  configuration, also where the file is gone

  --user NAME         the user whose key it is
  --listener ADDRESS  HOST:PORT of the listener; default: the only one
  --not-after TIME    the time after which the key is refused (RFC 3339)
  --json              print one line of JSON

Examples:
  ipcauth keys add /etc/ipcauth/bob.key --user bob
  ipcauth keys rotate 15c8cbd1a1833508
`,
  config: `Usage: ipcauth config check [FILE] [--json]
       ipcauth config show [--json]
       ipcauth config schema

Checks, shows and describes the configuration, or FILE, and changes nothing.

  check   prints every problem with its line, column and key: of the text, and
          of the key files that it names
  show    prints the configuration with every default, as a file that says the
          same; key files are named, and no key is printed
  schema  prints a JSON Schema (draft 2020-12) of the file, for editors; a file
          names it in a comment: # yaml-language-server: $schema=PATH

  --json  print one line of JSON to standard output

Exit codes: 0 no problem, 78 a bad configuration.

Examples:
  ipcauth config check && systemctl reload ipcauth
  ipcauth config check ./new.yaml --json
  ipcauth config schema > config.schema.json
`,
  status: `Usage: ipcauth status [--json] [--unix[=PATH] | --tcp[=HOST:PORT]]
                      [--key[=FILE]] [--server-user NAME]

Asks a server on its console: version, listeners, sessions, refusals, and
whether the configuration on disk is the one in force. Without flags it finds
the server as "ipcauth connect" does, at a listener with the console service.

  --json              print one line of JSON, also where there is no server
  --unix[=PATH]       the socket of the console
  --tcp[=HOST:PORT], --key[=FILE], --server-user NAME
                      as in "ipcauth connect"

Exit codes: 0 alive and the file good, 69 no server there, 77 it refuses you,
78 the file on disk is bad, and an older configuration is in force, or the
file does not say where the server is.

Examples:
  ipcauth status
  ipcauth status --json | jq .config.good
`,
  help: `Usage: ipcauth help [COMMAND]
`,
  completions: `Usage: ipcauth completions bash|zsh|fish

Prints a completion script for a shell.

Examples:
  ipcauth completions bash > /etc/bash_completion.d/ipcauth
  ipcauth completions zsh > "\${fpath[1]}/_ipcauth"
  ipcauth completions fish > ~/.config/fish/completions/ipcauth.fish

For one user, a line in ~/.bashrc; or in ~/.zshrc, behind compinit:
  . <(ipcauth completions bash)
  . <(ipcauth completions zsh)
`,
};

/**
 * The help text.
 *
 * @param topic A command, or null for the overview, which any other text gets, too.
 * @param color Whether its headings are coloured.
 */
export function usageText(topic: string | null, color = false): string {
  const text = topic === null ? OVERVIEW : TOPICS[topic] ?? OVERVIEW;
  return color ? text.replaceAll(HEADING, (heading) => paint(heading, "cyan", true)) : text;
}

/** The headings of a text. */
const HEADING = /^(Usage|Global flags|Exit codes|Examples)(?=:)/gm;
