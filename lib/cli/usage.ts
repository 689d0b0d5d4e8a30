/**
 * What `ipcauth help` prints: the text itself, as it is read.
 *
 * @module
 */

const OVERVIEW = `ipcauth: an authenticated front door for inter-process communication

Usage:
  ipcauth serve    put a listener in front of a service
  ipcauth connect  be a client of one
  ipcauth run-as   become another user and run a program
  ipcauth gen-key  make a secret key for TCP
  ipcauth users    see and edit who gets in
  ipcauth help COMMAND
  ipcauth completions bash|zsh|fish

Everywhere:
  --config FILE                    the configuration
  --log-level debug|info|warn|error
  --log-format text|json           default: text on a terminal, JSON elsewhere
  --color auto|always|never        NO_COLOR is respected
  -h, --help   --version

Exit codes:
   0 done            64 usage           65 malformed data    69 no server there
  70 a bug           71 system error    73 would overwrite   77 refused
  78 bad configuration
`;

const TOPICS: Readonly<Record<string, string>> = {
  serve: `Usage: ipcauth serve [--unix[=PATH]] [--config FILE]

Listens, proves who is connecting, and only then hands the connection over.
Without a flag it serves the listeners of the configuration; without a
configuration, one console on the default socket, for root and its own user.

  --unix[=PATH]   listen on this Unix socket; alone: IPCAUTH_PATH, the
                  configuration's Unix listeners, or the default socket

SIGTERM and SIGINT stop it; a second one stops it at once. SIGHUP makes it
look at the configuration, which it also does before every decision.

TCP (--tcp, --key) and the services forward and exec are not built yet.

Examples:
  ipcauth serve --unix
  ipcauth serve --unix=/run/ipcauth/ipc.sock --config /etc/ipcauth/config.yaml
`,
  connect: `Usage: ipcauth connect [--unix[=PATH]] [--user NAME] [--server-user NAME]
                       [-c COMMAND]...

Opens the console of a server: at a prompt on a terminal, else one command a
line from standard input.

  --unix[=PATH]       the socket; default: IPCAUTH_PATH, the configuration,
                      your own server's socket, the machine's
  --user NAME         act as this user (trusted clients only: root, and the
                      server's own user)
  --server-user NAME  the server may run as this user; otherwise it must be
                      root or you
  -c COMMAND          run a command and leave; may be given again

TCP (--tcp, --key), --pipe and --listen are not built yet.

Examples:
  ipcauth connect
  ipcauth connect -c 'show users' -c who
`,
  "run-as": `Usage: ipcauth run-as USER|UID[:GROUP|GID] -- PROGRAM [ARG]...

Becomes another user, verifies it, and becomes the program: no parent is left,
so signals, terminal and status are the program's own. Needs root.

  USER   a name of the name service: its group and all its groups are taken
  UID    a number, known to the name service or not
  GROUP  this group, and no others

Exit codes: the program's own; 125 run-as itself failed, 126 the program
cannot be executed, 127 there is no such program.

Examples:
  ipcauth run-as 579 -- ipcauth connect
  ipcauth run-as postgres -- psql
`,
  "gen-key": `Usage: ipcauth gen-key [FILE] [--force]
       ipcauth gen-key --show FILE

Makes a secret key for TCP. Not built yet.
`,
  users: `Usage: ipcauth users [list] [--json]
       ipcauth users show NAME [--json]
       ipcauth users add NAME --uid N [--gid N] [--local-ipc-access] [--admin]
       ipcauth users set NAME uid|gid|local_ipc_access|admin VALUE
       ipcauth users allow NAME
       ipcauth users deny NAME
       ipcauth users remove NAME
       ipcauth users check UID|NAME [--json]

Sees and edits the users of the configuration. An edit changes what it names
and nothing else: comments, order and spacing stay. A running server knows it
at the next connection.

  allow, deny   set local_ipc_access to true or false
  check         says what would be decided, by which line, and what would
                change it; exits 0 if let in, 77 if refused

Examples:
  ipcauth users add carol --uid 580 --local-ipc-access
  ipcauth users deny bob
  ipcauth users check 578
`,
  help: `Usage: ipcauth help [COMMAND]
`,
  completions: `Usage: ipcauth completions bash|zsh|fish

Prints a completion script for a shell.

Examples:
  ipcauth completions bash > /etc/bash_completion.d/ipcauth
  ipcauth completions zsh > "\${fpath[1]}/_ipcauth"
  ipcauth completions fish > ~/.config/fish/completions/ipcauth.fish
`,
};

/**
 * The help text.
 *
 * @param topic A command, or null for the overview.
 */
export function usageText(topic: string | null): string {
  return topic === null ? OVERVIEW : TOPICS[topic] ?? OVERVIEW;
}
