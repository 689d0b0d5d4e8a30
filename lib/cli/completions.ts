/**
 * Completion scripts for bash, zsh and fish. They run one program (`completion_awk.ts`) and show
 * what it prints in the way of their shell.
 *
 * @module
 */
import { completionProgram } from "./completion_awk.ts";

/**
 * The completion script of a shell.
 *
 * @returns A script that the shell sources.
 */
export function completionScript(shell: "bash" | "zsh" | "fish"): string {
  const quoted = `'${completionProgram()}'`;
  switch (shell) {
    case "bash":
      return BASH.replace("PROGRAM", () => quoted);
    case "zsh":
      return ZSH.replace("PROGRAM", () => quoted);
    case "fish":
      return FISH.replace("PROGRAM", () => quoted);
  }
}

// A function or an alias may be called awk, and IFS may be anything where a person types.
//
// bash splits words at "=", ":" and "@", too, and replaces what is behind the last of them (a "@"
// with it). The candidates are compared in a loop, because `compgen -W` would evaluate them.
const BASH = `# bash completion for ipcauth
_ipcauth_program=PROGRAM
_ipcauth() {
  local line="\${COMP_LINE:0:COMP_POINT}" begun="\${COMP_WORDS[COMP_CWORD]}"
  local current before found
  local -a typed offers=()
  IFS=$' \\t' read -ra typed <<< "$line"
  [[ "$line" == *[[:blank:]] ]] && typed+=("")
  while [ "\${#typed[@]}" -gt 1 ] && [ "\${typed[0]}" != "\${COMP_WORDS[0]}" ]; do
    typed=("\${typed[@]:1}")
  done
  typed=("\${typed[@]:1}")
  [ "\${#typed[@]}" -gt 0 ] || return 0
  current="\${typed[\${#typed[@]}-1]}"
  [[ "$begun" == [=:@]* ]] && begun=""
  before="\${current%"$begun"}"
  before="\${before%@}"
  mapfile -t offers < <(
    command awk "$_ipcauth_program" "$EUID" "\${typed[@]}" 2> /dev/null < /dev/null
  )
  COMPREPLY=()
  for found in "\${offers[@]}"; do
    found="\${found%%$'\\t'*}"
    case "$found" in
      :files) compopt -o default 2> /dev/null; continue ;;
      :commands) mapfile -t COMPREPLY < <(compgen -c -- "$current"); continue ;;
      :accounts)
        mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -u -- "$current")
        continue ;;
      :accountgroups)
        mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -g -- "$current")
        continue ;;
      :runas)
        if [[ "$current" == *:* ]]; then
          mapfile -t COMPREPLY < <(compgen -g -- "\${current##*:}")
        else
          mapfile -t COMPREPLY < <(compgen -u -- "$current")
        fi
        continue ;;
    esac
    [[ "$found" == "$current"* ]] || continue
    [[ "$found" == *: ]] && compopt -o nospace 2> /dev/null
    found="\${found#"$before"}"
    [[ "$found" == *[!a-zA-Z0-9_.:=/+-]* ]] && printf -v found %q "$found"
    COMPREPLY+=("$found")
  done
}
complete -F _ipcauth ipcauth
`;

const ZSH = `#compdef ipcauth
_ipcauth() {
  local program=PROGRAM
  local line word help
  local -a offers described plain
  offers=("\${(@f)$(command awk "$program" "$EUID" "\${(@Q)words[2,CURRENT-1]}" "$PREFIX" \\
    2> /dev/null < /dev/null)}")
  for line in "\${(@)offers}"; do
    case "$line" in
      "") ;;
      :files) compset -P '--*=' || compset -P 'unix:'; _files ;;
      :commands) _command_names -e ;;
      :accounts) compset -P '--*='; _users ;;
      :accountgroups) compset -P '--*='; _groups ;;
      :runas) if compset -P '*:'; then _groups; else _users; fi ;;
      *$'\\t'*)
        word="\${line%%$'\\t'*}" help="\${line#*$'\\t'}"
        described+=("\${word//:/\\\\:}:$help") ;;
      *) plain+=("$line") ;;
    esac
  done
  (( $#described )) && _describe -o -t words word described
  (( $#plain )) && compadd -a plain
}
if [ "$funcstack[1]" = _ipcauth ]; then
  _ipcauth "$@"
else
  compdef _ipcauth ipcauth
fi
`;

const FISH = `# fish completion for ipcauth
set -g __ipcauth_program PROGRAM
function __ipcauth_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l prefix
    set -l value $current
    if string match -q -- '--*=*' "$current"
        set prefix (string replace -r '=.*$' = -- "$current")
        set value (string replace -r '^[^=]*=' '' -- "$current")
    end
    set -l uid (command id -u)
    for line in (command awk $__ipcauth_program $uid $words[2..-1] "$current" \\
            2> /dev/null < /dev/null)
        switch "$line"
            case :files
                if string match -q -- 'unix:*' "$value"
                    set prefix {$prefix}unix:
                    set value (string replace unix: '' -- "$value")
                end
                for path in (__fish_complete_path "$value")
                    echo -- "$prefix$path"
                end
            case :commands
                complete -C "$current"
            case :accounts
                for name in (__fish_complete_users)
                    echo -- "$prefix$name"
                end
            case :accountgroups
                for name in (__fish_complete_groups)
                    echo -- "$prefix$name"
                end
            case :runas
                if string match -q -- '*:*' "$current"
                    set -l user (string replace -r ':.*$' : -- "$current")
                    for name in (__fish_complete_groups)
                        echo -- "$user$name"
                    end
                else
                    __fish_complete_users
                end
            case '*'
                echo -- "$line"
        end
    end
end
complete -c ipcauth -f -a '(__ipcauth_complete)'
`;
