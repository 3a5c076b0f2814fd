"""`ddfa completion`: scripts that complete commands, options and files in a shell."""

from typing import Literal

import tyro

from ddfa.commands.registry import COMMANDS
from ddfa.exit_codes import OK

_BASH = """_ddfa() {
    local word="${COMP_WORDS[COMP_CWORD]}" first="${COMP_WORDS[1]}"
    local firsts="@FIRSTS@" second=""
    case "$first" in
@GROUPS@
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$firsts --help --version" -- "$word"))
    elif [ "$COMP_CWORD" -eq 2 ] && [ -n "$second" ]; then
        COMPREPLY=($(compgen -W "$second" -- "$word"))
    elif [[ "$word" == -* ]]; then
        local command="$first"
        [ -n "$second" ] && command="$first ${COMP_WORDS[2]}"
        local options="$(ddfa $command --help 2>/dev/null | grep -oE -- '--[a-z0-9][a-z0-9.-]*' | sort -u)"
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _ddfa ddfa
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\nautoload -U +X compinit && compinit\n"
_FISH = """function __ddfa_options
    set -l words (commandline -opc)[2..3]
    string match -q -- '-*' $words[2]; and set -e words[2]
    ddfa $words --help 2>/dev/null | string match -ar -- '--[a-z0-9][a-z0-9.-]*' | sort -u
end
complete -c ddfa -n 'string match -q -- "-*" (commandline -ct)' -a '(__ddfa_options)'
"""


def completion(shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]) -> int:
    """Print a script that completes commands, options and files.

    bash: `ddfa completion bash > ~/.local/share/bash-completion/completions/ddfa`; zsh: add
    `eval "$(ddfa completion zsh)"` to ~/.zshrc; fish: `ddfa completion fish > ~/.config/fish/completions/ddfa.fish`.

    Args:
        shell: bash, zsh or fish.

    Returns:
        The exit code.
    """
    print(script(shell), end="")
    return OK


def script(shell: Literal["bash", "zsh", "fish"]) -> str:
    """The script for a shell."""
    groups: dict[str, list[str]] = {}
    for command in COMMANDS:
        groups.setdefault(command.name[0], []).extend(command.name[1:])
    if shell == "fish":
        return _FISH + "".join(
            [
                *(f"complete -c ddfa -f -n __fish_use_subcommand -a {first}\n" for first in groups),
                *(
                    f"complete -c ddfa -f -n '__fish_seen_subcommand_from {first}' -a '{' '.join(seconds)}'\n"
                    for first, seconds in groups.items()
                    if seconds
                ),
            ]
        )
    cases = [f'        {first}) second="{" ".join(seconds)}" ;;' for first, seconds in groups.items() if seconds]
    bash = _BASH.replace("@FIRSTS@", " ".join(groups)).replace("@GROUPS@", "\n".join(cases))
    return _ZSH + bash if shell == "zsh" else bash
