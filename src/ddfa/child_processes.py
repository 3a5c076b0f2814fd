"""Modules of this package as processes of their own."""

import sys
from pathlib import Path
from typing import Final

_ROOT: Final = str(Path(__file__).parents[1])


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `main(arguments)` of a module of this package with this interpreter.

    The package is found where this process has found it, after the standard library and what is installed.
    """
    code = f"import sys; sys.path.append({_ROOT!r}); from {module} import main; main(sys.argv[1:])"
    return [sys.executable, "-c", code, *arguments]
