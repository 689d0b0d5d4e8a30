/**
 * Completion scripts for shells: one table of words, three ways to say it.
 *
 * @module
 */
import { COMMANDS } from "./arguments.ts";

const EVERYWHERE = ["--config", "--log-level", "--log-format", "--color", "--help"];

/** What may follow each command. */
const WORDS: Readonly<Record<(typeof COMMANDS)[number], readonly string[]>> = {
  "serve": ["--unix", "--tcp", "--key", "--forward", "--identity", "--exec", "--drop-to"],
  "connect": [
    "--unix",
    "--tcp",
    "--key",
    "--user",
    "--server-user",
    "-c",
    "--pipe",
    "--listen",
  ],
  "run-as": [],
  "gen-key": ["--force", "--show"],
  "users": [
    ...["list", "show", "add", "set", "allow", "deny", "remove", "check"],
    ...["--uid", "--gid", "--local-ipc-access", "--admin", "--json"],
  ],
  "help": COMMANDS,
  "completions": ["bash", "zsh", "fish"],
};

/**
 * The completion script of a shell.
 *
 * @returns Text to be sourced by it.
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

function cases(): string {
  return COMMANDS
    .map((command) => `    ${command}) words="${[...WORDS[command], ...EVERYWHERE].join(" ")}" ;;`)
    .join("\n");
}

/** Flags whose value is one of a few words. */
const CHOICES = {
  "--color": ["auto", "always", "never"],
  "--log-level": ["debug", "info", "warn", "error"],
  "--log-format": ["text", "json"],
  "--identity": ["none", "proxy-v2", "impersonate"],
} as const;

function choices(name: string): string {
  return Object.entries(CHOICES)
    .map(([flag, words]) => `    ${flag}) ${name}="${words.join(" ")}" ;;`).join("\n");
}

// Flags that go before the command take a value, behind a blank or behind "=", which bash makes a word of.
function bash(): string {
  return `# bash completion for ipcauth
_ipcauth() {
  local words="" command="" i=1 current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
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
    "") words="${[...COMMANDS, ...EVERYWHERE, "--version"].join(" ")}" ;;
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
    "") words_="${[...COMMANDS, ...EVERYWHERE, "--version"].join(" ")}" ;;
${cases().replaceAll("words=", "words_=")}
  esac
  compadd -- \${=words_}
  case "$command_" in
    serve|connect|run-as|gen-key) _files ;;
  esac
}
compdef _ipcauth ipcauth
`;
}

function fish(): string {
  const lines = COMMANDS.map((command) => {
    // Files only where a command takes some.
    const files = ["serve", "connect", "run-as", "gen-key"].includes(command) ? "" : " -f";
    const words = [...WORDS[command], ...EVERYWHERE].join(" ");
    return `complete -c ipcauth -n '__fish_seen_subcommand_from ${command}'${files} -a '${words}'`;
  });
  return `# fish completion for ipcauth
complete -c ipcauth -n __fish_use_subcommand -f -a '${COMMANDS.join(" ")} --help --version'
${lines.join("\n")}
`;
}
