"""The `ddfa` command: finds the subcommand; tyro parses its arguments according to the function's signature.

The module of a subcommand is imported only when it runs, so that `ddfa --help` is fast.
"""

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import current_thread, main_thread
from typing import Final

from ddfa import __version__
from ddfa.commands.config_file import expand_config
from ddfa.commands.described import described
from ddfa.commands.first_run import will_compile
from ddfa.commands.registry import COMMANDS, Command, group_of, nearest
from ddfa.errors import DDFAError, Terminated, one_line
from ddfa.exit_codes import FAILED, INTERRUPTED, OK, TERMINATED
from ddfa.extras import EXTRA_OF, pip_line
from ddfa.progress import hidden
from ddfa.renamed import current_command, current_options

# These process single faces: BLAS threads do not make them faster, and occupy a core while they wait.
_SINGLE_THREADED_BLAS: Final = ("align", "fuse", "video", "replace", "retarget", "serve", "batch", "decode")
__all__ = ["COMMANDS", "Command", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the words after `ddfa`; by default those of the process.

    Returns:
        0 on success, 1 if nothing was found, 2 if something failed or the arguments are wrong.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--version"], ["-V"]):
        print(f"ddfa {__version__}")
        return OK
    words, notes = current_command(words)
    _warn(notes)
    command = next((c for c in COMMANDS if tuple(words[: len(c.name)]) == c.name), None)
    if command is not None:
        return _run(command, words[len(command.name) :])
    prefix = tuple(word for word in words[:1] if any(word == c.name[0] for c in COMMANDS))
    rest = words[len(prefix) :]
    if rest and rest[0] not in ("-h", "--help"):
        known = ", ".join(dict.fromkeys(c.name[len(prefix)] for c in COMMANDS if c.name[: len(prefix)] == prefix))
        near = nearest(words)
        meant = f"did you mean '{near}'? Or " if near else ""
        print(f"ddfa: unknown command '{' '.join([*prefix, rest[0]])}': {meant}choose one of {known}", file=sys.stderr)
        return FAILED
    try:
        print(_help(prefix), file=sys.stdout if rest else sys.stderr, flush=True)
    except BrokenPipeError:
        _drop_output()
        return FAILED
    return OK if rest else FAILED


def _drop_output() -> None:
    """The reader of our output has closed, as in `ddfa models list | head -1`: Python would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(command: Command, arguments: list[str]) -> int:
    """Call the function of a subcommand; errors that a user can fix are printed as one line."""
    import tyro

    module, _, function = command.target.partition(":")
    name = " ".join(command.name)
    if command.name[0] in _SINGLE_THREADED_BLAS:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded
        silent = {"-h", "--help", "-q", "--quiet"} & set(arguments) or not sys.stderr.isatty()
        if not silent and will_compile():
            _warn(["kernels are compiled in this first run, which takes some seconds"])
    verbose = bool({"-v", "--verbose"} & set(arguments))
    try:
        with _terminable(), hidden(bool({"-q", "--quiet"} & set(arguments))), described(verbose):
            words, notes = current_options(command.name, expand_config(arguments))
            _warn(notes)
            code: int = tyro.cli(getattr(import_module(module), function), prog=f"ddfa {name}", args=words)
    except DDFAError as error:
        if verbose:
            traceback.print_exc()
        print(f"ddfa {name}: {one_line(str(error))}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRA_OF:
            raise
        print(f"ddfa {name}: needs {library}: {pip_line(EXTRA_OF[library])}", file=sys.stderr)
        return FAILED
    except Terminated:
        print(f"ddfa {name}: terminated", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print(f"ddfa {name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except MemoryError:
        print(f"ddfa {name}: not enough memory: give it less at a time, or smaller files", file=sys.stderr)
        return FAILED
    except Exception:  # a fault of ours; Python's own exit code would say that nothing was found
        traceback.print_exc()
        return FAILED
    return code


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` in the block."""
    if current_thread() is not main_thread():  # only the main thread receives signals
        yield
        return

    def terminate(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _warn(notes: list[str]) -> None:
    for note in notes:
        print(f"ddfa: {note}", file=sys.stderr)


def _help(prefix: tuple[str, ...]) -> str:
    shown = [command for command in COMMANDS if command.name[: len(prefix)] == prefix]
    width = max(len(" ".join(command.name)) for command in shown)
    lines: list[str] = []
    for group in ("Use", "Measure", "Build models"):
        own = [command for command in shown if group_of(command) == group]
        heading = ["", f"{group}:"] if own else []
        lines += heading + [f"  ddfa {' '.join(command.name):{width}}  {command.summary}" for command in own]
    return "\n".join(
        [
            f"ddfa {__version__}: 3D faces from photos and videos",
            *lines,
            "",
            "`ddfa COMMAND --help` describes a command. Exit codes: 0 ok, 1 nothing found, 2 failed.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
