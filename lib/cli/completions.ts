/**
 * Completion scripts for shells: one table of words, three ways to say it.
 *
 * @module
 */
import { COMMANDS } from "./args.ts";

const EVERYWHERE = ["--config", "--log-level", "--log-format", "--color", "--help"];

/** What may follow each command. */
const WORDS: Readonly<Record<(typeof COMMANDS)[number], readonly string[]>> = {
  "serve": ["--unix", "--tcp", "--key", "--forward", "--identity", "--exec"],
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

function bash(): string {
  return `# bash completion for ipcauth
_ipcauth() {
  local words command="\${COMP_WORDS[1]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${COMMANDS.join(" ")} --help --version" -- "\${COMP_WORDS[1]}"))
    return
  fi
  case "$command" in
${cases()}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _ipcauth ipcauth
`;
}

function zsh(): string {
  return `#compdef ipcauth
_ipcauth() {
  local words_
  if (( CURRENT == 2 )); then
    compadd -- ${COMMANDS.join(" ")} --help --version
    return
  fi
  case "$words[2]" in
${cases().replaceAll("words=", "words_=")}
  esac
  compadd -- \${=words_}
  _files
}
compdef _ipcauth ipcauth
`;
}

function fish(): string {
  const lines = COMMANDS.map((command) =>
    `complete -c ipcauth -n '__fish_seen_subcommand_from ${command}' -a '${
      [...WORDS[command], ...EVERYWHERE].join(" ")
    }'`
  );
  return `# fish completion for ipcauth
complete -c ipcauth -n __fish_use_subcommand -f -a '${COMMANDS.join(" ")} --help --version'
${lines.join("\n")}
`;
}
