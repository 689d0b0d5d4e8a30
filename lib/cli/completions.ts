/**
 * Completion scripts for bash, zsh and fish, made from one table of words.
 *
 * @module
 */
import { COMMANDS } from "./arguments.ts";

/** The global flags, which may follow every command. */
const GLOBAL_FLAGS = ["--config", "--log-level", "--log-format", "--color", "--help"];

/** The words and flags that may follow each command. */
const WORDS: Readonly<Record<(typeof COMMANDS)[number], readonly string[]>> = {
  "serve": [
    "--unix",
    "--tcp",
    "--key",
    "--forward",
    "--identity",
    "--exec",
    "--drop-to",
    "--check",
  ],
  "connect": [
    "--unix",
    "--tcp",
    "--key",
    "--user",
    "--server-user",
    "-c",
    "--yes",
    "--pipe",
    "--listen",
    "--allow-remote",
  ],
  "run-as": ["--allow-tty-input"],
  "gen-key": ["--force", "--show", "--user", "--listener", "--not-after"],
  "users": [
    ...["list", "show", "add", "set", "allow", "deny", "remove", "check"],
    ...["--uid", "--gid", "--local-ipc-access", "--admin", "--json"],
  ],
  "groups": [
    ...["list", "show", "add", "set", "allow", "deny", "remove", "check"],
    ...["--gid", "--local-ipc-access", "--json"],
  ],
  "keys": [
    ...["list", "add", "revoke", "rotate"],
    ...["--user", "--listener", "--not-after", "--json"],
  ],
  "config": ["check", "show", "--json"],
  "status": ["--json", "--unix", "--tcp", "--key", "--server-user"],
  "help": COMMANDS,
  "completions": ["bash", "zsh", "fish"],
};

/**
 * The completion script of a shell.
 *
 * @returns A script that the shell sources.
 */
export function completionScript(shell: "bash" | "zsh" | "fish"): string {
  switch (shell) {
    case "bash":
      return bash();
    case "zsh":
      return zsh();
    case "fish":
      return fish();
  }
}

/**
 * A `case` branch for each command that sets the variable `words`, in the syntax of bash and zsh.
 */
function cases(): string {
  return COMMANDS
    .map((command) =>
      `    ${command}) words="${[...WORDS[command], ...GLOBAL_FLAGS].join(" ")}" ;;`
    )
    .join("\n");
}

/** The flags whose value is one of a few words. */
const CHOICES = {
  "--color": ["auto", "always", "never"],
  "--log-level": ["debug", "info", "warn", "error"],
  "--log-format": ["text", "json"],
  "--identity": ["none", "proxy-v2", "impersonate"],
} as const;

/** A `case` branch for each of them. @param name The variable that a branch sets. */
function choices(name: string): string {
  return Object.entries(CHOICES)
    .map(([flag, words]) => `    ${flag}) ${name}="${words.join(" ")}" ;;`).join("\n");
}

// A global flag before the command takes a value after a blank or after "=", which bash splits off
// as a word of its own.
function bash(): string {
  return `# bash completion for ipcauth
_ipcauth() {
  local words="" command="" i=1
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  [ "$current" = "=" ] && current=""
  [ "$before" = "=" ] && before="\${COMP_WORDS[COMP_CWORD-2]}"
  while [ "$i" -lt "$COMP_CWORD" ]; do
    case "\${COMP_WORDS[i]}" in
      --config|--log-level|--log-format|--color)
        [ "\${COMP_WORDS[i+1]}" = "=" ] && i=$((i + 1))
        i=$((i + 1)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
    esac
    i=$((i + 1))
  done
  case "$command" in
    "") words="${[...COMMANDS, ...GLOBAL_FLAGS, "--version"].join(" ")}" ;;
${cases()}
  esac
  case "$before" in
${choices("words")}
    --config|--key|--show) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _ipcauth ipcauth
`;
}

function zsh(): string {
  return `#compdef ipcauth
_ipcauth() {
  local words_="" command_="" i
  for (( i = 2; i < CURRENT; i++ )); do
    case "$words[i]" in
      --config|--log-level|--log-format|--color) (( i++ )) ;;
      -*) ;;
      *) command_="$words[i]"; break ;;
    esac
  done
  case "$words[CURRENT-1]" in
${choices("words_")}
    --config|--key|--show) _files; return ;;
  esac
  if [[ -n "$words_" ]]; then
    compadd -- \${=words_}
    return
  fi
  case "$command_" in
    "") words_="${[...COMMANDS, ...GLOBAL_FLAGS, "--version"].join(" ")}" ;;
${cases().replaceAll("words=", "words_=")}
  esac
  compadd -- \${=words_}
  case "$command_" in
    serve|connect|run-as|gen-key|keys|config) _files ;;
  esac
}
compdef _ipcauth ipcauth
`;
}

function fish(): string {
  const lines = COMMANDS.map((command) => {
    // File names are offered only where a command takes some.
    const files = ["serve", "connect", "run-as", "gen-key", "keys", "config"].includes(command)
      ? ""
      : " -f";
    const words = [...WORDS[command], ...GLOBAL_FLAGS].join(" ");
    return `complete -c ipcauth -n '__fish_seen_subcommand_from ${command}'${files} -a '${words}'`;
  });
  return `# fish completion for ipcauth
complete -c ipcauth -n __fish_use_subcommand -f -a '${COMMANDS.join(" ")} --help --version'
${lines.join("\n")}
`;
}
